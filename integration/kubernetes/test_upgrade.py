"""Changing the installation under traffic: upgrade, restart, rollback; no call fails."""

import pytest
from harness.load import summary
from harness.waiting import eventually
from kube.agents import agent, always_on
from kube.mesh import SYSTEM, helm, install, kubectl


@pytest.fixture
def traffic(start, namespace):
    """Calls to an agent that runs and one that sleeps, until the test ends; none may fail."""
    awake = start(always_on(namespace, "awake", minReplicas=2)).has(2)
    sleepy = start(agent(namespace, "sleepy", scaleToZeroAfter="1s"))
    # Who calls now and then keeps no connection: one that idles while its gateway ends is closed.
    rarely = dict(workers=1, pause=2.5, calls_per_connection=1)
    with awake.traffic("/sleep?ms=20", workers=4) as steady, sleepy.traffic("/pid", **rarely) as now_and_then:
        steady.wait(50)
        yield steady
        steady.wait(50)
    for each in (steady, now_and_then):
        assert not each.bad(), summary(each.bad())


def generations(api):
    return {each["metadata"]["name"]: each["metadata"]["generation"] for each in api.list("deployments", SYSTEM)}


def test_an_upgrade_with_changed_values_fails_no_call_and_can_be_rolled_back(mesh, api, traffic):
    before, revision = generations(api), int(helm("history", "krypton", "-n", SYSTEM, "-o", "json").count("revision"))
    install(**{"log.level": "debug", "gateway.replicas": 3})
    mesh.settled()
    after = generations(api)
    assert all(after[name] > before[name] for name in before)
    assert len(mesh.pods("gateway")) == 3
    helm("rollback", "krypton", str(revision), "-n", SYSTEM, "--wait", "--timeout=180s")
    mesh.settled()
    assert len(mesh.pods("gateway")) == 2


@pytest.mark.parametrize("component", ["gateway", "manager", "control-plane"])
def test_a_rolling_restart_fails_no_call(mesh, traffic, component):
    old = {pod["metadata"]["uid"] for pod in mesh.pods(component)}
    kubectl("-n", SYSTEM, "rollout", "restart", f"deploy/krypton-{component}")
    eventually(lambda: not old & {pod["metadata"]["uid"] for pod in mesh.pods(component)}, 180, "all pods are new")
    mesh.settled()
    events = mesh.api.list("events", SYSTEM)
    assert not [event for event in events if "ExceededGracePeriod" in event["reason"]]


def test_custom_resources_survive_an_upgrade_of_the_definitions(mesh, api, start, namespace):
    kept = start(agent(namespace, "kept"))
    uid = kept.get()["metadata"]["uid"]
    install(**{"crds.keep": "true"})
    assert kept.get()["metadata"]["uid"] == uid
    assert kept.call().status == 200

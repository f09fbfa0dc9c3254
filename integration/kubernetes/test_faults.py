"""What breaks in a cluster: the leader dies or stops, the API server goes away. Calls go on, nothing happens twice."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from harness import http
from harness.load import summary
from harness.waiting import always, eventually
from kube.agents import agent, always_on
from kube.mesh import SYSTEM, run, send


@pytest.fixture
def busy(start, namespace, mesh):
    """An agent under steady load whose number of replicas is watched; no call fails while the test runs."""
    probe = start(always_on(namespace, "busy", minReplicas=2, maxReplicas=4, concurrency=4)).has(2)
    with probe.traffic("/sleep?ms=50", workers=4) as traffic:
        traffic.wait(50)
        yield probe, traffic
        traffic.wait(50)
    assert not traffic.bad(), summary(traffic.bad())
    mesh.settled()


def wakes(start, namespace, name):
    """A sleeping agent answers: somebody leads, decides and writes."""
    made = start(agent(namespace, name))
    assert made.call().status == 200
    return made


def test_the_leader_is_killed_and_the_other_takes_over(busy, mesh, start, namespace):
    probe, traffic = busy
    old, term, began = mesh.leading_pod(), mesh.term(), time.monotonic()
    send(old, "krypton-manager")
    eventually(lambda: mesh.term() > term and mesh.leader(), 30, "a new term")
    assert time.monotonic() - began < 20, "15 s of lease and a retry"
    wakes(start, namespace, "after-kill")
    always(lambda: len(probe.running()) == 2, 5, "nothing is scaled by the change of leader")


def test_a_leader_that_ends_in_order_hands_over_at_once(busy, mesh, api):
    old, term = mesh.leading_pod(), mesh.term()
    began = time.monotonic()
    api.delete("pods", SYSTEM, old["metadata"]["name"])
    eventually(lambda: mesh.term() > term and mesh.leader() and old["metadata"]["name"] not in mesh.leader(), 15)
    assert time.monotonic() - began < 8


def test_a_leader_that_was_stopped_writes_nothing_of_its_old_term(busy, mesh, api, start, namespace):
    probe, traffic = busy
    old, term = mesh.leading_pod(), mesh.term()
    stopped = time.monotonic()
    send(old, "krypton-manager", signal.SIGSTOP)
    try:
        eventually(lambda: mesh.term() > term, 30, "another leads")
        # The new leader scales to three; the old one still believes in two.
        probe.change(minReplicas=3)
        probe.has(3, 90)
        eventually(lambda: time.monotonic() - stopped > 20, 30, "twenty seconds have passed")
    finally:
        send(old, "krypton-manager", signal.SIGCONT)
    generation = probe.deployment()["metadata"]["generation"]
    always(lambda: probe.deployment()["metadata"]["generation"] == generation and len(probe.running()) == 3, 10,
           "no write of the old term")
    assert old["metadata"]["name"] not in mesh.leader()
    wakes(start, namespace, "after-stop")


def test_the_api_server_is_restarted(busy, start, namespace):
    run("cluster", "restart", "apiserver")
    eventually(lambda: wakes(start, namespace, "after-restart"), 120, every=1)


def test_the_api_server_is_away_for_a_minute_and_traffic_goes_on(busy, mesh, start, namespace):
    probe, traffic = busy
    gateway, calls = mesh.gateway, len(traffic.results)
    run("cluster", "stop", "apiserver")
    try:
        began = time.monotonic()
        eventually(lambda: time.monotonic() - began > 60, 70, "a minute has passed", every=0.5)
    finally:
        run("cluster", "start", "apiserver")
    assert len(traffic.results) > calls + 100 and gateway
    eventually(lambda: mesh.leading_pod(), 60)
    eventually(lambda: wakes(start, namespace, "after-minute"), 120, every=1)
    always(lambda: len(probe.running()) == 2, 5, "nothing was scaled by it")


def endpoint_states(mesh, handle):
    """Manager's name → the states of the agent's endpoints in its registry."""
    def states(pod):
        registry = http.call(f"{pod['status']['podIP']}:8080", target="/v1/registry")
        return {each["instance"]: each["state"] for entry in json.loads(registry.text)["entries"]
                if (entry["key"]["namespace"], entry["key"]["name"]) == (handle.namespace, handle.name)
                for each in entry.get("endpoints", [])}
    return {pod["metadata"]["name"]: states(pod) for pod in mesh.pods("manager")}


@pytest.fixture
def unheard(api):
    """Does to a node's pods what the node controller does when it does not hear of the node for a while: Ready, and
    nothing else, becomes False. The kubelet, which would say otherwise, stands still until the test ends."""
    kubelet = int((Path(os.environ["KUBECONFIG"]).parent / "run" / "kubelet.pid").read_text().split()[0])

    def mark(pods):
        os.kill(kubelet, signal.SIGSTOP)
        for pod in pods:
            api.merge("pods", pod["metadata"]["namespace"], pod["metadata"]["name"],
                      {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}, "status", "strategic-merge")
    yield mark
    os.kill(kubelet, signal.SIGCONT)


def test_a_node_that_is_not_heard_of_goes_on_serving(busy, unheard, mesh):
    """Its way to the API server is cut, not that of the calls: endpoints stay, also at the manager that follows."""
    probe, traffic = busy
    ready = {pod["metadata"]["uid"]: "ENDPOINT_STATE_READY" for pod in probe.running()}
    assert len(ready) == 2
    unheard(probe.pods())
    assert not probe.running()
    # A second is given to the attempt to connect.
    always(lambda: all(states == ready for states in endpoint_states(mesh, probe).values()), 5, "both are endpoints")
    traffic.wait(50)


def test_a_node_that_is_lost_takes_its_endpoints_with_it(start, namespace, unheard, mesh):
    probe = start(always_on(namespace, "lost")).has(1)
    (pod,) = probe.pods()
    address = pod["status"]["podIP"]
    run("nft", "-f", "-", input=f"""table inet krypton_lost {{
        chain forward {{ type filter hook forward priority 0; ip saddr {address} drop; ip daddr {address} drop; }}
    }}""")
    try:
        unheard([pod])

        def withdrawn():
            return not any("ENDPOINT_STATE_READY" in states.values() for states in endpoint_states(mesh, probe).values())
        eventually(withdrawn, 60, lambda: f"no manager takes it for an endpoint: {endpoint_states(mesh, probe)}")
    finally:
        run("nft", "delete", "table", "inet", "krypton_lost")


def test_a_manager_at_a_time_writes(mesh):
    masters = [mesh.scrape(pod, 8080).total("leader_election_master_status") for pod in mesh.pods("manager")]
    assert sorted(masters) == [0, 1]


def test_both_managers_serve_the_registry(mesh, start, namespace):
    start(agent(namespace, "known"))
    for pod in mesh.pods("manager"):
        eventually(lambda p=pod: '"known"' in http.call(f"{p['status']['podIP']}:8080", target="/v1/registry").text, 20)

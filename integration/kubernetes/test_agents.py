"""Agents under load: from zero, up, down to zero again, at their floor, and through a change; no call fails."""

import os
import time
from pathlib import Path

import pytest
import yaml
from harness import http
from harness.load import burst, summary
from harness.waiting import always, eventually
from kube.agents import RESTRICTED, agent, always_on, image

EXAMPLES = Path(os.environ.get("KRYPTON_SOURCE_DIR", Path(__file__).resolve().parents[2])) / "examples"


def test_a_serverless_agent_wakes_answers_and_sleeps_again(start, namespace):
    hello = start(agent(namespace, "hello", "hello"))
    assert hello.deployment() is None, "what never ran costs one small object"
    answer = hello.call("/")
    assert answer.status == 200 and b"Hello" in answer.body, answer
    assert answer.header("server-timing"), "a call that waited says how long"
    hello.has(1)
    eventually(lambda: hello.status().get("readyReplicas") == 1, 10, hello.status)
    assert hello.status()["phase"] == "Ready"
    hello.has(0, 60)
    eventually(lambda: hello.condition("Available")["reason"] == "ScaledToZero", 20, hello.status)
    assert hello.status()["replicas"] == hello.status()["desiredReplicas"] == 0
    assert hello.deployment()["spec"]["replicas"] == 0
    assert hello.status()["lastInvocationAt"]
    assert hello.call("/").status == 200, "and wakes once more"


def test_a_burst_at_a_sleeping_agent_is_answered_in_full(start, namespace):
    probe = start(agent(namespace, "burst", concurrency=4, maxReplicas=3))
    results = burst(probe.mesh.gateway, probe.path("/sleep?ms=50"), 200, timeout=90)
    assert summary(results) == {(200, ""): 200}


def test_load_takes_it_from_zero_to_many_and_back_without_a_failed_call(start, namespace):
    probe = start(agent(namespace, "busy", concurrency=2, maxReplicas=4, scaleToZeroAfter="4s"))
    with probe.traffic("/sleep?ms=100", workers=12) as traffic:
        eventually(lambda: len(probe.running()) == 4, 90, lambda: f"4 replicas: {probe.status()}")
        traffic.wait(200, 60)
        pods = {result.body for result in traffic.results[-200:]}
        assert len(pods) >= 1
    assert not traffic.bad(), summary(traffic.bad())
    with probe.traffic("/sleep?ms=100", workers=1, pause=0.05) as trickle:
        eventually(lambda: len(probe.pods()) == 1, 90, lambda: f"down to 1: {probe.status()}")
    assert not trickle.bad(), summary(trickle.bad())
    probe.has(0, 90)
    eventually(lambda: {"ScaledUp", "ScaledToZero"} <= set(probe.reasons()), 20, probe.reasons)


def test_an_always_on_agent_keeps_its_floor(start, namespace):
    floor = start(always_on(namespace, "floor", minReplicas=2)).has(2)
    assert floor.call().status == 200
    always(lambda: len(floor.running()) == 2, 8, "two replicas without a call")
    victim = floor.pods()[0]["metadata"]["name"]
    floor.api.delete("pods", namespace, victim)
    eventually(lambda: victim not in [pod["metadata"]["name"] for pod in floor.pods()], 60)
    floor.has(2)


def test_a_replica_never_has_more_than_its_concurrency(start, namespace):
    probe = start(always_on(namespace, "strict", concurrency=2, maxReplicas=1)).has(1)
    assert summary(burst(probe.mesh.gateway, probe.path("/sleep?ms=30"), 60)) == {(200, ""): 60}
    counters = dict(pair.split("=") for pair in probe.call("/counters").text.split())
    assert int(counters["max_in_flight"]) <= 2


def test_a_change_of_the_spec_rolls_without_a_failed_call(start, namespace):
    probe = start(always_on(namespace, "rolls", minReplicas=2, env=[{"name": "PROBE_DELAY_MS", "value": "0"}])).has(2)
    before = {pod["metadata"]["uid"] for pod in probe.pods()}
    with probe.traffic("/sleep?ms=40", workers=6) as traffic:
        traffic.wait(50)
        generation = probe.change(env=[{"name": "PROBE_DELAY_MS", "value": "200"}])["metadata"]["generation"]
        eventually(lambda: not before & {pod["metadata"]["uid"] for pod in probe.pods()}, 120, "old replicas are gone")
        probe.has(2)
        traffic.wait(50)
    assert not traffic.bad(), summary(traffic.bad())
    eventually(lambda: probe.status()["observedGeneration"] == generation, 10, probe.status)


def test_a_pod_that_is_deleted_under_load_costs_no_call(start, namespace):
    probe = start(always_on(namespace, "loses", minReplicas=2)).has(2)
    with probe.traffic("/sleep?ms=60", workers=6) as traffic:
        traffic.wait(50)
        for victim in probe.pods():
            probe.api.delete("pods", namespace, victim["metadata"]["name"])
            eventually(lambda v=victim: v["metadata"]["uid"] not in [p["metadata"]["uid"] for p in probe.pods()], 90)
            probe.has(2)
        traffic.wait(50)
    assert not traffic.bad(), summary(traffic.bad())


def test_a_long_call_ends_before_its_pod_does(start, namespace):
    """The agent ends at once on SIGTERM: only the drain before it keeps the call alive."""
    probe = start(always_on(namespace, "long")).has(1)
    victim = probe.pods()[0]["metadata"]["name"]
    with probe.traffic("/sleep?ms=6000", workers=1) as traffic:
        eventually(lambda: b"in_flight=2" in probe.call("/counters").body, 20, "the call is under way")
        probe.api.delete("pods", namespace, victim)
        traffic.wait(1)
        traffic.stopping = True
    assert not traffic.bad(), summary(traffic.bad())


def test_the_service_goes_around_the_gateway_and_can_be_left_out(start, namespace, api):
    with_service = start(always_on(namespace, "served", port=9000)).has(1)
    address = with_service.mesh.service("served", 9000, namespace)
    eventually(lambda: http.call(address, target="/pid").status == 200, 20, "the Service leads to the pod")
    start(always_on(namespace, "bare", service=False)).has(1)
    assert api.get("services", namespace, "bare") is None


def test_an_event_stream_and_a_websocket_pass_through(start, namespace):
    probe = start(always_on(namespace, "streams")).has(1)
    begin = time.monotonic()
    connection = http.open_stream(probe.mesh.gateway, probe.path("/sse?count=5&every_ms=100"))
    next(connection.chunks(http.Answer(200)))
    assert time.monotonic() - begin < 0.4, "the first event does not wait for the last"
    connection.close()


@pytest.mark.parametrize("name, method, path, expected", [
    ("hello", "GET", "/", b"Hello"), ("slow", "GET", "/?seconds=0", b""),
    ("echo", "GET", "/.well-known/agent-card.json", b'"Echo"'), ("tools", "POST", "/mcp", b"jsonrpc")])
def test_the_examples_run_from_the_manifests_that_run_on_one_machine(start, namespace, name, method, path, expected):
    body = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    body["metadata"]["namespace"] = namespace
    body["spec"] |= {"image": image(name), **RESTRICTED}
    example = start(body)
    ping = b'{"jsonrpc":"2.0","id":1,"method":"ping"}' if method == "POST" else None
    answer = example.call(path, method=method, body=ping, headers={"accept": "application/json, text/event-stream",
                                                                   "content-type": "application/json"})
    assert answer.error is None and answer.status < 500 and expected in answer.body, answer


def test_the_control_plane_shows_it_with_its_output_and_the_decisions(start, namespace):
    probe = start(agent(namespace, "shown", scaleToZeroAfter="60s"))
    assert probe.call().status == 200
    plane = probe.mesh.control_plane

    def ask(rest):
        answer = http.call(plane, target=f"/v1/agents/{namespace}/shown{rest}")
        assert answer.status == 200, answer
        return answer.text
    eventually(lambda: '"readyReplicas":1' in ask("/status").replace(" ", ""), 20, lambda: ask("/status"))
    assert '"shown"' in http.call(plane, target=f"/v1/agents?namespace={namespace}").text
    assert "SCALING_RULE_WAKE" in ask(":explain")
    eventually(lambda: "probe" in ask("/logs"), 20, lambda: ask("/logs"))


def test_logs_are_followed_from_one_replica_to_the_next(start, namespace):
    """As on one machine: who follows a sleeping agent sees it wake, and wake again as another pod."""
    probe = start(agent(namespace, "followed", scaleToZeroAfter="3s")).known()
    with http.Connection(probe.mesh.control_plane, 120) as logs:
        logs.send(http.request("GET", f"/v1/agents/{namespace}/followed/logs?follow=true"))
        seen = set()
        for _ in range(2):
            assert probe.call().status == 200
            pod = probe.pods()[0]["metadata"]["uid"]
            assert pod not in seen
            seen.add(pod)
            eventually(lambda: all(uid.encode() in logs.buffer for uid in seen) or not logs.receive(), 60,
                       lambda: logs.buffer)
            eventually(lambda: not probe.pods(), 60, "it sleeps again")
        assert logs.buffer.count(b" starts on ") == 2, logs.buffer
        probe.delete()
        eventually(lambda: not logs.receive(), 60, "it ends with the agent")

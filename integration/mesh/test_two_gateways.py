"""Two gateways share one agent: nobody fails, nothing is wasted."""

import time

from harness import http
from harness.load import Traffic, summary

MESH = {"gateways": 2, "control_plane": False}


def throughput(addresses, seconds=3.0):
    """Calls a second of eight workers over these gateways; none may fail."""
    target = http.path("default", "one", "/sleep?ms=30")
    with Traffic(addresses, target, workers=8) as traffic:
        traffic.wait(20)
        count, began = len(traffic.results), time.monotonic()
        while time.monotonic() - began < seconds:
            traffic.wait(5)
        rate = (len(traffic.results) - count) / (time.monotonic() - began)
    assert not traffic.bad(), summary(traffic.results)
    return rate


def test_two_gateways_on_one_agent_with_concurrency_1(mesh):
    mesh.apply("one", mode="always-on", concurrency=1, minReplicas=4, maxReplicas=4)
    mesh.wait_replicas("one", 4)
    one = throughput([mesh.http])
    two = throughput([mesh.http, mesh.address("gateway1", "http")])
    again = throughput([mesh.http])
    assert two >= 0.9 * min(one, again), f"one gateway {one:.0f}/s and {again:.0f}/s, two {two:.0f}/s"
    for endpoint in mesh.endpoints("one"):  # Invariant 2 holds for both together.
        assert " max_in_flight=1 " in http.call(endpoint["address"], target="/counters").text

"""100 ms of network delay between gateway and sidecar: slower, and nothing else."""

import pytest
from harness import http
from harness.load import Traffic, burst, summary
from harness.mesh import Mesh
from harness.network import far_sidecars, own_network
from harness.processes import SLOW

DELAY = 0.1


@pytest.fixture(scope="module")
def far():
    """A mesh in a namespace of its own: low ports for all but the sidecars, which are far away."""
    try:
        with own_network():
            mesh = Mesh(control_plane=False)
            for number, kind in enumerate(("manager.grpc", "manager.ops", "gateway.grpc", "gateway.ops",
                                           "gateway.http")):
                mesh.addresses[kind] = f"127.0.0.1:{7000 + number}"
            try:
                with far_sidecars(DELAY):
                    mesh.start()
                    yield mesh
            finally:
                try:
                    mesh.stop()
                finally:
                    mesh.remove()
    except PermissionError as error:
        pytest.skip(str(error))


def test_a_call_takes_the_delay_and_little_more(far):
    far.apply("near", mode="always-on", maxReplicas=1)
    far.wait_replicas("near", 1)
    assert far.call("near", "/pid").status == 200
    results = burst(far.http, http.path("default", "near", "/pid"), 8)
    assert all(r.status == 200 and r.seconds >= 2 * DELAY for r in results), summary(results)
    assert max(r.seconds for r in results) < 4.5 * DELAY * SLOW  # A new connection, the call, a margin.


def test_a_sleeping_agent_wakes_over_the_delay(far):
    far.apply("wake", concurrency=2, maxReplicas=3, scaleToZeroAfter="1s")
    results = burst(far.http, http.path("default", "wake", "/pid"), 40)
    assert all(r.status == 200 for r in results), summary(results)
    far.wait_replicas("wake", 0, timeout=30)


def test_full_replicas_over_the_delay_refuse_nobody(far):
    far.apply("full", mode="always-on", concurrency=4, minReplicas=2, maxReplicas=2)
    far.wait_replicas("full", 2)
    with Traffic(far.http, http.path("default", "full", "/sleep?ms=20"), workers=16) as traffic:
        traffic.wait(80, 30 * SLOW)
    assert not traffic.bad(), summary(traffic.results)
    for endpoint in far.endpoints("full"):
        assert " max_in_flight=4 " in http.call(endpoint["address"], target="/counters").text

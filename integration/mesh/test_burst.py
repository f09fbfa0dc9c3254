"""Many calls at once: from zero to the most replicas and back, with no call lost."""

import json
import subprocess
import threading

from harness import http
from harness.load import Traffic, burst, summary
from harness.mesh import BINARIES, SOURCE
from harness.processes import SLOW
from harness.waiting import eventually

MESH = {"manager": ["--scaler-stable-window", "2s", "--scaler-interval", "200ms"]}


def desired(mesh, name):
    return mesh.scrape("manager").value("krypton_agent_replicas_desired", agent=name, namespace="default")


def test_1000_calls_at_once_at_zero(mesh):
    mesh.apply("crowd", concurrency=8, maxReplicas=10, scaleToZeroAfter="1s")
    results = burst(mesh.http, http.path("default", "crowd", "/pid"), 1000)
    assert all(r.status == 200 for r in results), summary(results)
    assert len({r.body for r in results}) <= 10
    mesh.wait_replicas("crowd", 0, timeout=30)


def test_a_replica_never_has_more_than_its_concurrency(mesh):
    """Invariant 2."""
    mesh.apply("limit", concurrency=3, minReplicas=2, maxReplicas=2)
    mesh.wait_replicas("limit", 2)
    results = burst(mesh.http, http.path("default", "limit", "/sleep?ms=20"), 200)
    assert all(r.status == 200 for r in results), summary(results)
    for endpoint in mesh.endpoints("limit"):
        counters = http.call(endpoint["address"], target="/counters").text
        assert " max_in_flight=3 " in counters, counters
    mesh.delete("limit")


def test_the_slow_agent_scales_up_to_its_most_and_back_down(mesh):
    """Seen on the metric, in `krypton get -w`, and in real processes."""
    mesh.apply("slow", command=f"exec python3 {SOURCE}/examples/slow.py", concurrency=2, maxReplicas=5,
               scaleToZeroAfter="2s")
    watch = subprocess.Popen(
        [BINARIES / "krypton", "get", "agents", "-w", "-o", "json",
         "--control-plane", mesh.address("control_plane", "grpc")],
        stdout=subprocess.PIPE, text=True)
    seen = []

    def follow():
        text = ""
        for line in watch.stdout:
            text += line
            try:
                agent = json.loads(text)  # Whole once its last line has come.
            except ValueError:
                continue
            text = ""
            agent = agent.get("agent", agent)
            if agent.get("metadata", {}).get("name") == "slow":
                seen.append(agent["status"].get("readyReplicas", 0))

    reader = threading.Thread(target=follow)
    reader.start()

    try:
        with Traffic(mesh.http, http.path("default", "slow", "/?seconds=0.2"), workers=40) as traffic:
            eventually(lambda: desired(mesh, "slow") == 5, 20 * SLOW, "5 are desired")
            mesh.wait_replicas("slow", 5)
            eventually(lambda: len(mesh.sidecars_of("slow")) == 5, 5 * SLOW, "5 sidecars")
        assert not traffic.bad(), summary(traffic.results)
        eventually(lambda: desired(mesh, "slow") == 0, 30 * SLOW, "0 are desired")
        mesh.wait_replicas("slow", 0)
        eventually(lambda: not mesh.sidecars_of("slow"), 10 * SLOW, "no process is left")
        eventually(lambda: 5 in seen and seen[-1] == 0, 10 * SLOW, "`krypton get -w` has seen it")
    finally:
        watch.terminate()
        watch.wait()
        reader.join()
        watch.stdout.close()

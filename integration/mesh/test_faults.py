"""What dies or stalls: the manager, an agent, a sidecar, a cold start, a full queue, a gateway."""

import os
import signal
import time

import pytest
from harness import http
from harness.load import Traffic, burst, summary
from harness.mesh import env
from harness.processes import SLOW, stopped
from harness.waiting import eventually

MESH = {"control_plane": False, "gateway": ["--max-buffer-per-agent", "64"]}


def instances(mesh, name):
    return {endpoint["instance"] for endpoint in mesh.endpoints(name)}


def test_the_manager_is_killed_and_started_again_under_traffic(new_mesh):
    mesh = new_mesh(control_plane=False)
    mesh.apply("busy", concurrency=2, maxReplicas=4, minReplicas=2)
    mesh.apply("sleeper", maxReplicas=1)
    mesh.wait_replicas("busy", 2)
    before, sidecars = instances(mesh, "busy"), {pid for pid, _ in mesh.sidecars()}
    with Traffic(mesh.http, http.path("default", "busy", "/sleep?ms=5"), workers=3) as traffic:
        traffic.wait(100)
        mesh.components["manager"].kill()
        traffic.wait(200)
        assert instances(mesh, "busy") == before  # The gateway goes on with what it knew.
        mesh.start_manager()
        mesh.wait_ready("manager")
        traffic.wait(200)
        waking = mesh.call("sleeper", "/pid", timeout=20 * SLOW)  # Scaling resumes.
    assert waking.status == 200, waking
    assert not traffic.bad(), summary(traffic.results)
    now = instances(mesh, "busy")
    assert now <= before, f"a replica was doubled: {now - before} beside {before}"
    # Sidecars come back to the new manager one by one.
    eventually(lambda: instances(mesh, "busy") == before, 5 * SLOW, "no replica was lost")
    assert sidecars <= {pid for pid, _ in mesh.sidecars()}


def test_killed_managers_replicas_do_not_outlive_the_orphan_timeout(new_mesh):
    mesh = new_mesh(control_plane=False, manager=["--orphan-timeout", "1s"])
    mesh.apply("one", mode="always-on", maxReplicas=1)
    mesh.wait_replicas("one", 1)
    mesh.components["manager"].kill()
    eventually(lambda: not mesh.sidecars() and not mesh.agents(), 30 * SLOW, "no replica is left")


def test_an_agent_is_killed_under_traffic(mesh):
    mesh.apply("victim", mode="always-on", minReplicas=2, maxReplicas=2, concurrency=4)
    mesh.wait_replicas("victim", 2)
    old = instances(mesh, "victim")
    with Traffic(mesh.http, http.path("default", "victim", "/sleep?ms=20"), workers=8) as traffic:
        traffic.wait(50)
        killed = int(mesh.call("victim", "/pid").text)
        os.kill(killed, signal.SIGKILL)
        traffic.wait(100)
        mesh.wait_replicas("victim", 2)
        traffic.wait(50)
    bad = traffic.bad()
    assert {(r.status, r.error) for r in bad} <= {(502, "agent_unreachable")}, summary(traffic.results)
    assert len(bad) <= 4, summary(bad)  # Only those in flight at it: its concurrency.
    assert killed not in mesh.agents() and len(mesh.agents()) >= 2
    assert len(old & instances(mesh, "victim")) >= 1
    mesh.delete("victim")


def test_a_call_in_flight_at_a_killed_agent_is_502(mesh):
    mesh.apply("dying", mode="always-on", maxReplicas=1)
    mesh.wait_replicas("dying", 1)
    answer = mesh.call("dying", "/die", method="POST", body=b"x")
    assert (answer.status, answer.error) == (502, "agent_unreachable"), answer
    assert mesh.call("dying", "/pid").status == 200  # Waits for the next replica.
    cut = mesh.call("dying", "/die?sent=100")
    assert cut.status == 200 and not cut.complete  # Its head was out already: cut off, not finished.
    mesh.delete("dying")


def test_a_crashing_agent_is_started_with_backoff_and_its_status_says_so(new_mesh):
    mesh = new_mesh()
    starts = mesh.root / "starts"
    mesh.apply("crash", mode="always-on", maxReplicas=1, command=f"date +%s.%N >> {starts}; exit 3")

    def status():
        return mesh.get("control_plane", "/v1/agents/default/crash/status", "http")

    def said():
        found = status()
        return found["phase"] in ("AGENT_PHASE_FAILED", "AGENT_PHASE_PENDING") and any(
            "3" in c["message"] or "exit" in c["message"].lower() for c in found["conditions"]) and found

    eventually(said, 10 * SLOW, "the status says that it crashes")
    times = eventually(lambda: len(lines := starts.read_text().split()) >= 3 and list(map(float, lines)),
                       20 * SLOW, "three starts")
    assert times[1] - times[0] >= 0.9 and times[2] - times[1] >= 1.8, f"1 s, then 2 s: {times}"
    mesh.apply("crash", mode="always-on", maxReplicas=1)  # Mended.
    mesh.wait_replicas("crash", 1)
    eventually(lambda: status()["phase"] == "AGENT_PHASE_READY", 10 * SLOW, "ready")


def test_a_stopped_sidecar_costs_only_its_own_calls(mesh):
    mesh.apply("stall", mode="always-on", minReplicas=2, maxReplicas=2, concurrency=2, timeout="1s")
    mesh.wait_replicas("stall", 2)
    instance = mesh.endpoints("stall")[0]["instance"]
    (sidecar, _), = mesh.sidecars(instance)
    with Traffic(mesh.http, http.path("default", "stall", "/sleep?ms=5"), workers=4) as traffic:
        traffic.wait(20)
        with stopped(sidecar):
            began = time.monotonic()
            eventually(lambda: time.monotonic() - began > 3, 10, "three seconds of traffic")
        traffic.wait(50)
    bad = traffic.bad()
    assert {(r.status, r.error) for r in bad} <= {(504, "agent_timeout")}, summary(traffic.results)
    assert max((r.seconds for r in bad), default=0) < 1.5 * SLOW
    during = [r for r in traffic.results if began < r.began < began + 3 and r.status == 200]
    assert len(during) > 20, "the other replica went on"
    mesh.delete("stall")


@pytest.mark.parametrize("name, options", [
    ("never", {"env": env(PROBE_NEVER=1)}),
    ("exits", {"env": env(PROBE_EXIT=1)}),
    ("missing", {"command": "exec /nonexistent/agent"}),
])
def test_a_cold_start_that_never_becomes_ready_is_504_in_time(mesh, name, options):
    mesh.apply(name, startupTimeout="1500ms", maxReplicas=1, **options)
    results = burst(mesh.http, http.path("default", name, "/x"), 5)
    assert {(r.status, r.error) for r in results} == {(504, "start_timeout")}, summary(results)
    assert all(1.4 < r.seconds < 2.5 * SLOW for r in results), [r.seconds for r in results]
    mesh.delete(name)


def test_more_calls_than_the_queue_holds(mesh):
    mesh.apply("full", env=env(PROBE_DELAY_MS=1000), concurrency=1, maxReplicas=1)
    results = burst(mesh.http, http.path("default", "full", "/sleep?ms=5"), 100)
    refused = [r for r in results if (r.status, r.error) == (503, "queue_full")]
    assert len(refused) == 36 and all(r.seconds < 0.9 * SLOW for r in refused), summary(results)
    assert len([r for r in results if r.status == 200]) == 64, summary(results)
    mesh.apply("full2", env=env(PROBE_DELAY_MS=2000), concurrency=1, maxReplicas=1)
    with Traffic(mesh.http, http.path("default", "full2", "/pid"), workers=64):
        eventually(lambda: mesh.route("full2")["queued"] == 64, 5 * SLOW, "the queue is full")
        answer = mesh.call("full2")
        assert (answer.status, answer.error) == (503, "queue_full")
        assert int(answer.header("retry-after")) >= 1
    mesh.delete("full")
    mesh.delete("full2")


def test_a_client_that_leaves_frees_its_place_in_the_queue_and_its_slot(mesh):
    mesh.apply("leave", env=env(PROBE_DELAY_MS=700), concurrency=1, maxReplicas=1)
    waiting = [http.Connection(mesh.http) for _ in range(64)]
    for connection in waiting:
        connection.send(http.request("GET", http.path("default", "leave", "/hold"), host=mesh.http))
    eventually(lambda: mesh.route("leave")["queued"] == 64, 5 * SLOW, "the queue is full")
    for connection in waiting[:-1]:
        connection.close()
    eventually(lambda: mesh.route("leave")["queued"] == 1, 5 * SLOW, "the places are free")
    eventually(lambda: mesh.route("leave")["inFlight"] == 1, 10 * SLOW, "the one that stayed is served")
    waiting[-1].close()
    eventually(lambda: mesh.route("leave")["inFlight"] == 0, 5 * SLOW, "the slot is free")
    seen = []

    def only_this_call_is_left():
        seen.append(mesh.call("leave", "/counters").text)
        return " in_flight=1 " in seen[-1]

    eventually(only_this_call_is_left, 5 * SLOW, "the agent has seen its caller go")
    holds = int(seen[-1].split()[0].removeprefix("requests=")) - len(seen)
    assert holds <= 1, f"the agent saw {holds} of the calls whose clients had left"
    mesh.delete("leave")


def test_a_gateway_that_ends_lets_open_streams_finish(new_mesh):
    mesh = new_mesh(control_plane=False, gateway=["--drain-delay", "400ms"])
    mesh.apply("stream", mode="always-on", maxReplicas=1)
    mesh.wait_replicas("stream", 1)
    target = http.path("default", "stream", "/sse?count=75&every_ms=20")
    streams = [http.Connection(mesh.http) for _ in range(5)]
    for stream in streams:
        stream.send(http.request("POST", target, body=b"", host=mesh.http))
        assert stream.read_head().status == 200
    idle = http.Connection(mesh.http)
    assert idle.call("GET", http.path("default", "stream", "/pid"), host=mesh.http).status == 200
    mesh.components["gateway"].signal(signal.SIGTERM)
    eventually(lambda: http.call(mesh.address("gateway", "ops"), target="/readyz").status == 503,
               5 * SLOW, "not ready any more")
    late = mesh.call("stream", "/pid")  # The load balancer has not heard yet: still served.
    assert late.status == 200 and late.header("connection", "").lower() == "close", late
    for stream in streams:
        answer = http.Answer(200)
        events = b"".join(stream.chunks(answer)).count(b"id: ")
        assert events == 75, f"a stream was cut after {events} events"
    assert mesh.components["gateway"].wait() == 0
    assert idle.ended()


def test_a_second_sigterm_ends_a_gateway_now(new_mesh):
    mesh = new_mesh(control_plane=False, gateway=["--drain-delay", "30s"])
    process = mesh.components["gateway"]
    process.signal(signal.SIGTERM)
    eventually(lambda: http.call(mesh.address("gateway", "ops"), target="/readyz").status == 503, 5 * SLOW)
    began = time.monotonic()
    process.signal(signal.SIGTERM)
    process.wait(5)
    assert time.monotonic() - began < 3 * SLOW


def test_chaos_every_call_has_exactly_one_answer(mesh):
    """Invariant 1: agents die at random under traffic; no call hangs, none is reset in silence."""
    mesh.apply("chaos", mode="always-on", minReplicas=2, maxReplicas=3, concurrency=4, timeout="5s")
    mesh.wait_replicas("chaos", 2)
    with Traffic(mesh.http, http.path("default", "chaos", "/sleep?ms=10"), workers=12, timeout=20) as traffic:
        for _ in range(6):
            traffic.wait(25, 40 * SLOW)
            answer = mesh.call("chaos", "/pid")
            if answer.status == 200:
                os.kill(int(answer.text), signal.SIGKILL)
    assert all(r.status for r in traffic.results), summary(traffic.results)
    assert {r.error for r in traffic.bad()} <= {"agent_unreachable"}, summary(traffic.results)
    mesh.delete("chaos")

"""A call at every millisecond around the switch to zero, 500 times: none waits longer than one cold start."""

import re
import threading
import time

from harness import http
from harness.load import burst
from harness.processes import SLOW
from harness.waiting import eventually

MESH = {"control_plane": False, "manager": ["--scaler-interval", "50ms"]}
AGENTS, CALLS = 10, 500
MARGIN = 0.5 * SLOW  # For what is the mesh's: to decide, to tell the gateway, to answer; and for the machine.


def test_calls_around_the_switch_to_zero(mesh):
    names = [f"edge{n}" for n in range(AGENTS)]
    for name in names:
        mesh.apply(name, wait=False, concurrency=2, maxReplicas=1, scaleToZeroAfter="300ms")
    mesh.wait_known(*names)
    cold = []  # What one cold start costs while as many others start.
    starts = [threading.Thread(target=lambda name=name: cold.extend(burst(
        mesh.http, http.path("default", name, "/pid"), 1))) for name in names]
    for thread in starts:
        thread.start()
    for thread in starts:
        thread.join()
    assert all(r.status == 200 for r in cold)
    switch = measure_switch(mesh, names[0])
    results = []  # (offset in ms, status, seconds, stages of the cold start that it waited for)

    def around(first):
        # Each agent has its share of the offsets: -250 ms to 249 ms, each once.
        for offset in range(first - CALLS // 2, CALLS // 2, AGENTS):
            with http.Connection(mesh.http, 30 * SLOW) as connection:
                wait_until(last[first] + switch + offset / 1000)
                began = time.monotonic()
                answer = connection.call("GET", http.path("default", names[first], "/pid"), host=mesh.http)
                last[first] = time.monotonic()
                results.append((offset, answer.status, last[first] - began, stages_of(answer)))

    for name in names:
        assert mesh.call(name, "/pid").status == 200
    last = [time.monotonic()] * AGENTS
    threads = [threading.Thread(target=around, args=(n,)) for n in range(AGENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == CALLS
    assert {status for _, status, _, _ in results} == {200}, [r for r in results if r[1] != 200]
    assert sum("start" in stages for *_, stages in results) > CALLS // 20, "some calls came to an agent that slept"
    late = [r for r in results if too_long(*r[2:])]
    assert not late, (sorted(r.seconds for r in cold), late)


def stages_of(answer):
    """Seconds by stage, by `Server-Timing`: `start` and `ready` are there when the call waited for a start."""
    timing = re.findall(r"(\w+);dur=([0-9.]+)", answer.header("server-timing", ""))
    return {stage: float(milliseconds) / 1000 for stage, milliseconds in timing}


def too_long(seconds, stages):
    """Whether a call waited for more than one start of its agent's process, which takes what it takes."""
    return seconds > stages.get("start", 0) + stages.get("ready", 0) + MARGIN


def wait_until(moment):
    while (left := moment - time.monotonic()) > 0:
        time.sleep(left)


def measure_switch(mesh, name):
    """Seconds from a call's end until its agent has no ready endpoint any more."""
    assert mesh.call(name, "/pid").status == 200
    began = time.monotonic()
    eventually(lambda: not mesh.endpoints(name), 10 * SLOW, "asleep", every=0.001)
    return time.monotonic() - began

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
    results = []  # (offset in ms, status, seconds, seconds of the cold start that it waited for)

    def around(first):
        # Each agent has its share of the offsets: -250 ms to 249 ms, each once.
        for offset in range(first - CALLS // 2, CALLS // 2, AGENTS):
            with http.Connection(mesh.http, 30 * SLOW) as connection:
                wait_until(last[first] + switch + offset / 1000)
                began = time.monotonic()
                answer = connection.call("GET", http.path("default", names[first], "/pid"), host=mesh.http)
                last[first] = time.monotonic()
                results.append((offset, answer.status, last[first] - began, cold_start_of(answer)))

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
    assert sum(start > 0 for *_, start in results) > CALLS // 20, "some calls came to an agent that slept"
    # What a call may wait beside its cold start: as long as a start took when nothing ended, for as many
    # processes end at the same time on the same cores.
    margin = max(0.5 * SLOW, max(r.seconds for r in cold))
    late = [r for r in results if r[2] > r[3] + margin]
    assert not late, (margin, late)


def cold_start_of(answer):
    """Seconds of all stages of the start that the call waited for, by `Server-Timing`; 0: it did not."""
    return sum(map(float, re.findall(r";dur=([0-9.]+)", answer.header("server-timing", "")))) / 1000


def wait_until(moment):
    while (left := moment - time.monotonic()) > 0:
        time.sleep(left)


def measure_switch(mesh, name):
    """Seconds from a call's end until its agent has no ready endpoint any more."""
    assert mesh.call(name, "/pid").status == 200
    began = time.monotonic()
    eventually(lambda: not mesh.endpoints(name), 10 * SLOW, "asleep", every=0.001)
    return time.monotonic() - began

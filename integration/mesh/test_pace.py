"""Events keep their pace through gateway and sidecar. Alone on the machine: it measures milliseconds."""

import selectors
import statistics
import time

from harness.http import open_stream, path
from harness.processes import SLOW
from harness.waiting import eventually

MESH = {"control_plane": False}
EVENTS, LIMIT = 100, 0.005 * SLOW


def latencies(connections, count):
    """Seconds from each event's sending to its arrival, for each connection."""
    selector, found, rest = selectors.DefaultSelector(), [[] for _ in connections], [b""] * len(connections)

    def take(number, data):
        now = time.monotonic_ns()
        *lines, rest[number] = (rest[number] + data).split(b"\n")
        found[number] += [(now - int(line[6:])) / 1e9 for line in lines if line.startswith(b"data: ")]

    for number, connection in enumerate(connections):
        selector.register(connection.socket, selectors.EVENT_READ, number)
        take(number, connection.buffer)  # What came together with the head.
    while any(len(each) < count for each in found):
        ready = selector.select(10)
        assert ready, f"nothing came for 10 s after {[len(each) for each in found]} events"
        for key, _ in ready:
            data = key.fileobj.recv(65536)
            assert data, "a stream ended early"
            take(key.data, data)
    return found


def added(mesh, agent):
    """How much later than direct each of 100 events came through the mesh."""
    rest = f"/sse?count={EVENTS}&every_ms=20"
    direct, through = open_stream(agent, rest, "POST"), open_stream(mesh.http, path("default", "sse", rest), "POST")
    direct_times, through_times = latencies([direct, through], EVENTS)
    direct.close()
    through.close()
    usual = statistics.median(direct_times)
    assert len(through_times) == EVENTS
    return [each - usual for each in through_times]


def test_each_of_100_events_arrives_within_5_ms_of_direct(mesh):
    mesh.apply("sse", mode="always-on", maxReplicas=1)
    (endpoint,) = mesh.wait_replicas("sse", 1)
    agent, best, runs = mesh.sidecar_flag(endpoint["instance"], "agent-address"), [float("inf")] * EVENTS, []

    def in_time():
        # Whatever else runs on the machine can only add, and to other events each time. What the mesh holds
        # back it holds back in each run: an event is late that never came in time.
        seen = added(mesh, agent)
        runs.append(max(seen))
        best[:] = map(min, best, seen)
        return max(best) < LIMIT

    eventually(in_time, 25 * SLOW, lambda: f"each of {EVENTS} events in time; the latest: {max(best)}, of the runs: {runs}")
    print(f"the latest event: {max(best):.4f} s; of each run: {runs}")

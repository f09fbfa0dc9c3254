"""Events keep their pace through gateway and sidecar. Alone on the machine: it measures milliseconds."""

import selectors
import statistics
import time

from harness.http import open_stream, path
from harness.processes import SLOW

MESH = {"control_plane": False}


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


def test_each_of_100_events_arrives_within_5_ms_of_direct(mesh):
    mesh.apply("sse", mode="always-on", maxReplicas=1)
    (endpoint,) = mesh.wait_replicas("sse", 1)
    rest = "/sse?count=100&every_ms=20"
    agent = mesh.sidecar_flag(endpoint["instance"], "agent-address")
    direct, through = open_stream(agent, rest, "POST"), open_stream(mesh.http, path("default", "sse", rest), "POST")
    direct_times, through_times = latencies([direct, through], 100)
    added = sorted(value - statistics.median(direct_times) for value in through_times)
    assert len(added) == 100 and added[-1] < 0.005 * SLOW, f"the latest came {added[-5:]} s later"
    direct.close()
    through.close()

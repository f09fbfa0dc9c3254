"""10,000 connections that send half a request each: bounded memory, nobody else waits, each ends with 408."""

import resource
import selectors
import socket
import time

import pytest
from harness import http
from harness.processes import SLOW
from harness.waiting import eventually

STRANGERS = 10_000
HALF = b"GET /v1/agents/default/quiet HTTP/1.1\r\nHost: mesh\r\nX-Half: "
HEADER_TIMEOUT = 15.0 * SLOW
# A connection, its request's state, and what came of the head (README of common/http: 1.4 KiB idle).
MAX_BYTES_EACH = 4096
NEEDED_FILES = STRANGERS + 500


def resident_kib(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() // 1024


def strangers(address, count):
    """That many connections, each with half a request sent."""
    opened, (host, port) = [], address.rsplit(":", 1)
    for _ in range(count):
        connection = socket.create_connection((host, int(port)), timeout=30)
        connection.sendall(HALF)
        opened.append(connection)
    return opened


def answers(connections, timeout):
    """What each was sent until it ended; None for those that did not end in time."""
    found = [b""] * len(connections)
    selector = selectors.EpollSelector()
    for number, connection in enumerate(connections):
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, number)
    end = time.monotonic() + timeout
    left = len(connections)
    while left and time.monotonic() < end:
        for key, _ in selector.select(1):
            piece = key.fileobj.recv(65536)
            if piece:
                found[key.data] += piece
            else:
                selector.unregister(key.fileobj)
                left -= 1
    for key in list(selector.get_map().values()):
        found[key.data] = None
    selector.close()
    return found


def latencies(mesh, count):
    taken = []
    for _ in range(count):
        began = time.monotonic()
        assert mesh.call("quiet", "/pid").status == 200
        taken.append(time.monotonic() - began)
    return sorted(taken)


def test_half_requests_cost_little_and_end(new_mesh):
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < NEEDED_FILES:
        pytest.skip(f"{NEEDED_FILES} open files are not allowed here (ulimit -n): not tested")
    mesh = new_mesh(control_plane=False, gateway=["--header-timeout", f"{HEADER_TIMEOUT}s"])
    mesh.apply("quiet", mode="always-on", maxReplicas=1)
    mesh.wait_replicas("quiet", 1)
    gateway = mesh.components["gateway"].pid
    for connection in strangers(mesh.http, 8):  # What is mapped once.
        connection.close()
    alone = latencies(mesh, 100)
    before = resident_kib(gateway)

    began = time.monotonic()
    half = strangers(mesh.http, STRANGERS)
    # All are in, and their bytes too, once a call that came later is answered.
    beside = latencies(mesh, 100)
    grown = (resident_kib(gateway) - before) * 1024 / STRANGERS
    assert time.monotonic() - began < HEADER_TIMEOUT, "this machine is too slow for this test"
    # The median: half requests cost calls nothing. The worst: nobody waits for them.
    assert beside[50] < 2 * alone[50] + 0.002 * SLOW, (alone[50], beside[50])
    assert beside[-2] < 0.25 * SLOW, beside[-5:]
    if SLOW == 1:  # A sanitizer keeps what was freed, and has its own words around each piece.
        assert grown < MAX_BYTES_EACH, f"{grown:.0f} bytes each"

    ended = answers(half, HEADER_TIMEOUT + 10 * SLOW)
    wrong = [answer for answer in ended
             if answer is None or not answer.startswith(b"HTTP/1.1 408 ") or b"request_timeout" not in answer]
    assert not wrong, f"{len(wrong)} of {STRANGERS}: {wrong[:3]}"
    eventually(lambda: mesh.call("quiet", "/pid").status == 200, 5 * SLOW)
    for connection in half:
        connection.close()
    eventually(lambda: http.call(mesh.http, target="/v1/models").status == 200, 5 * SLOW)

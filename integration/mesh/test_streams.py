"""What stays open: event streams, WebSockets, tunnels; and what frees its place when it goes."""

import time

import pytest
from harness.http import Answer, Connection, open_stream, path, request
from harness.mesh import env
from harness.processes import SLOW
from harness.waiting import always, eventually
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

MESH = {"control_plane": False, "manager": ["--scaler-interval", "200ms"]}


def websocket(mesh, name):
    return connect(f"ws://{mesh.http}{path('default', name, '/ws')}", max_size=None)


def test_ten_standing_streams_on_concurrency_8(mesh):
    """A call still goes through, and the agent sleeps when they are silent."""
    mesh.apply("stand", concurrency=8, maxReplicas=1, scaleToZeroAfter="1s")
    streams = [open_stream(mesh.http, path("default", "stand", "/standing")) for _ in range(10)]
    assert mesh.call("stand", "/pid").status == 200
    eventually(lambda: mesh.route("stand")["inFlight"] == 0, 5 * SLOW, "streams are no requests")
    assert sum(e["streams"] for e in mesh.route("stand")["endpoints"]) == 10
    mesh.wait_replicas("stand", 0)
    for stream in streams:
        assert b"".join(stream.chunks(Answer(200))) == b": open\n\n"  # Ended whole, by its protocol.
        stream.close()
    mesh.delete("stand")


def test_a_stream_in_which_bytes_flow_keeps_its_agent_awake(mesh):
    mesh.apply("flow", maxReplicas=1, scaleToZeroAfter="2500ms")
    stream = open_stream(mesh.http, path("default", "flow", "/standing?every_ms=200"))
    always(lambda: len(mesh.endpoints("flow")) == 1, 5, "awake while bytes flow", every=0.1)
    stream.close()
    mesh.wait_replicas("flow", 0)
    mesh.delete("flow")


def test_streams_have_a_bound_of_their_own(mesh):
    patience = f"{2 * SLOW}s"  # A slow machine starts an agent slowly.
    mesh.apply("bound", mode="always-on", maxReplicas=1, maxStreams=3, timeout=patience, startupTimeout=patience)
    mesh.wait_replicas("bound", 1)
    streams = [open_stream(mesh.http, path("default", "bound", "/standing")) for _ in range(3)]
    more = mesh.call("bound", "/standing")
    assert more.status in (503, 504) and more.error, more
    assert mesh.call("bound", "/pid").status == 200
    streams.pop().close()
    eventually(lambda: sum(e["streams"] for e in mesh.route("bound")["endpoints"]) == 2, 5 * SLOW)
    streams.append(open_stream(mesh.http, path("default", "bound", "/standing")))
    for stream in streams:
        stream.close()
    mesh.delete("bound")


def test_websocket_echoes_large_messages(mesh):
    mesh.apply("ws", mode="always-on", maxReplicas=1)
    mesh.wait_replicas("ws", 1)
    with websocket(mesh, "ws") as socket:
        for message in ("text", b"bytes", b"x" * (1 << 20), ""):
            socket.send(message)
            assert socket.recv() == message
        assert socket.ping().wait(5)


def test_websocket_wakes_an_agent_from_zero(mesh):
    mesh.apply("wake", maxReplicas=1, scaleToZeroAfter="1s")
    with websocket(mesh, "wake") as socket:
        socket.send("pid")
        assert int(socket.recv()) in mesh.agents()
    mesh.wait_replicas("wake", 0)
    mesh.delete("wake")


def test_websocket_across_the_timeout_and_across_a_drain(mesh):
    mesh.apply("long", mode="always-on", maxReplicas=1, timeout="1s")
    mesh.wait_replicas("long", 1)
    with websocket(mesh, "long") as socket:
        socket.send("pid")
        first = socket.recv()
        with pytest.raises(TimeoutError):
            socket.recv(timeout=2)  # Silent for twice the agent's timeout: still open.
        socket.send("still")
        assert socket.recv() == "still"
        mesh.apply("long", mode="always-on", maxReplicas=1, timeout="1s", env=env(NEW=1))  # Rolls.
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=30 * SLOW)
        assert closed.value.rcvd and closed.value.rcvd.code == 1001, closed.value
    with websocket(mesh, "long") as socket:
        socket.send("pid")
        assert socket.recv() != first
    mesh.delete("long")


def test_a_refused_upgrade_is_an_ordinary_answer(mesh):
    headers = {"connection": "upgrade", "upgrade": "nothing"}
    answer = mesh.call("ws", "/status?code=426", headers=headers)
    assert answer.status == 426 and answer.body == b"as asked"
    assert mesh.call("ws", "/pid", headers={**headers, "upgrade": "h2c"}).status == 200


def test_bytes_sent_early_are_held_until_the_switch(mesh):
    with Connection(mesh.http) as connection:
        connection.send(request("GET", path("default", "ws", "/tunnel"), {
            "connection": "upgrade", "upgrade": "echo"}, host=mesh.http) + b"early")
        assert connection.read_head().status == 101
        assert connection.take(5) == b"early"
        connection.send(b"later")
        assert connection.take(5) == b"later"


def test_a_client_that_leaves_a_stream_is_seen_by_the_agent(mesh):
    mesh.apply("gone", mode="always-on", maxReplicas=1)
    mesh.wait_replicas("gone", 1)
    stream = open_stream(mesh.http, path("default", "gone", "/standing"))
    stream.close()
    eventually(lambda: " gone=1" in mesh.call("gone", "/counters").text, 3 * SLOW, "the stream")
    hold = Connection(mesh.http)
    hold.send(request("POST", path("default", "gone", "/hold"), body=b"x", host=mesh.http))
    eventually(lambda: " in_flight=2 " in mesh.call("gone", "/counters").text, 5 * SLOW,
               "the agent has the call")
    hold.close()
    eventually(lambda: " gone=2" in mesh.call("gone", "/counters").text, 3 * SLOW, "both are seen to go")
    mesh.delete("gone")


def test_an_answer_to_post_that_streams_holds_its_slot(mesh):
    mesh.apply("slot", mode="always-on", maxReplicas=1, concurrency=1)
    mesh.wait_replicas("slot", 1)
    stream = open_stream(mesh.http, path("default", "slot", "/sse?count=20&every_ms=20"), "POST")
    began = time.monotonic()
    assert mesh.call("slot", "/pid").status == 200
    assert time.monotonic() - began > 0.2
    stream.close()
    mesh.delete("slot")


def test_a_stream_may_last_longer_than_the_timeout_and_a_call_may_not(mesh):
    mesh.apply("time", mode="always-on", maxReplicas=1, timeout="500ms")
    mesh.wait_replicas("time", 1)
    answer = mesh.call("time", "/sse?count=50&every_ms=20")
    assert answer.complete and answer.body.count(b"data: ") == 50
    began = time.monotonic()
    late = mesh.call("time", "/hold")
    assert (late.status, late.error) == (504, "agent_timeout") and time.monotonic() - began < 1.5 * SLOW
    # An event stream that answers a POST is a call: cut off, and not finished as if it were whole.
    assert not mesh.call("time", "/sse?count=50&every_ms=20", method="POST", body=b"").complete
    eventually(lambda: "gone=2" in mesh.call("time", "/counters").text, 5 * SLOW, "the agent is told")
    mesh.delete("time")


def test_an_agent_that_calls_itself_ends_as_loop_detected(mesh):
    mesh.apply("loop", concurrency=64, maxReplicas=1)
    answer = mesh.call("loop", "/again")
    assert answer.status == 508, answer
    assert answer.header("x-inner-error") == "loop_detected"
    mesh.delete("loop")


def test_a_session_stays_with_its_replica(mesh):
    """`mcp-session-id` as answered, and the header that the spec names."""
    mesh.apply("session", mode="always-on", minReplicas=3, maxReplicas=3,
               affinity={"header": "x-session"})
    mesh.wait_replicas("session", 3)
    for header in ("mcp-session-id", "x-session"):
        answer = (f"HTTP/1.1 200 OK\r\n{header}: s-1\r\ncontent-length: 0\r\nx-from: here\r\n\r\n").encode()
        first = mesh.call("session", "/raw", method="POST", body=answer)
        assert first.header(header) == "s-1"
        pids = {mesh.call("session", "/pid", headers={header: "s-1"}).text for _ in range(20)}
        assert len(pids) == 1, f"{header}: {pids}"
    assert len({mesh.call("session", "/pid").text for _ in range(60)}) == 3
    mesh.delete("session")

"""Whatever arrives on any port, the process lives and answers as the tables say."""

import json
import os
import random
import re

import pytest
from harness import http
from harness.processes import SLOW
from harness.waiting import eventually

MESH = {"gateway": ["--trusted-proxies", "192.0.2.0/24"]}
GOOD = b"GET /v1/agents/default/probe/x HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /v1/agents/default/probe/x HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(scope="module", autouse=True)
def agent(mesh):
    mesh.apply("probe", mode="always-on", maxReplicas=1, minReplicas=1)
    mesh.wait_replicas("probe", 1)


@pytest.fixture(autouse=True)
def everything_lives(mesh):
    before = {name: process.pid for name, process in mesh.components.items()}
    sidecars = [pid for pid, _ in mesh.sidecars()]
    yield
    for name, process in mesh.components.items():
        assert process.alive() and process.pid == before[name], f"{name} died:\n{process.tail()}"
    assert [pid for pid, _ in mesh.sidecars()] == sidecars
    assert mesh.call("probe", "/pid").status == 200


def ports(mesh):
    """Every open port of the mesh, those of the sidecar too, by name."""
    (endpoint,) = mesh.endpoints("probe")
    return {**mesh.addresses, "sidecar.http": endpoint["address"],
            "sidecar.ops": mesh.sidecar_ops(endpoint["instance"])}


GARBAGE = {
    "nothing": b"",
    "zeros": b"\0" * 4096,
    "line": b"hello\r\n\r\n",
    "tls": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\x04\x08\0\0\0\0\0\xff\xff\xff\xff" * 3,
    "http2-frames": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" + b"\xff" * 9000,
    "redis": b"*1\r\n$4\r\nPING\r\n",
    "random": random.Random(7).randbytes(65536),
    "random-lines": b"\r\n".join(random.Random(n).randbytes(40) for n in range(300)),
    "half-a-request": b"GET / HT",
    "no-version": b"GET /\r\n\r\n",
    "http-0.9": b"GET /\n",
    "endless-target": b"GET /" + b"a" * 300_000,
    "response": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_on_every_port(mesh, name):
    for port, address in ports(mesh).items():
        answer = http.exchange(address, GARBAGE[name], timeout=3 * SLOW, end=True)
        if answer.startswith(b"HTTP/1.1"):
            assert 400 <= int(answer.split(b" ")[1]) < 600, f"{port}: {answer[:200]!r}"
        assert b"exception" not in answer.lower(), f"{port}: {answer[:300]!r}"


def refused(answer, closes=True):
    """The status of the one answer in these bytes, which `closes` the connection."""
    assert answer.startswith(b"HTTP/1."), answer[:200]
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1])
    if status >= 400:
        assert len(re.findall(rb"HTTP/1\.1 \d\d\d ", answer)) == 1, answer
        code = json.loads(body)["error"]["code"]
        assert b"krypton-error: " + code.encode() in head.lower()
        assert not closes or b"connection: close" in head.lower()
    return status


# Name → (bytes, statuses). Each is one request that must be refused, or 200 where it is a matter of taste.
FRAMING = {
    "te-and-cl": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    "cl-differ": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", {400}),
    "cl-twice": (POST + b"Content-Length: 5, 5\r\n\r\nhello", {400}),
    "cl-plus": (POST + b"Content-Length: +5\r\n\r\nhello", {400}),
    "cl-minus": (POST + b"Content-Length: -5\r\n\r\nhello", {400}),
    "cl-hex": (POST + b"Content-Length: 0x5\r\n\r\nhello", {400}),
    "cl-two-numbers": (POST + b"Content-Length:  5 6\r\n\r\nhello", {400}),
    "cl-overflow": (POST + b"Content-Length: 18446744073709551621\r\n\r\nhello", {400, 413}),
    "cl-empty": (POST + b"Content-Length: \r\n\r\nhello", {400}),
    "te-gzip": (POST + b"Transfer-Encoding: gzip\r\n\r\nhello", {400, 501}),
    "te-gzip-chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", {400, 501}),
    "te-chunked-gzip": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", {400, 501}),
    "te-xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", {400, 501}),
    "te-twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400, 501}),
    "te-vertical-tab": (POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", {400, 501}),
    "te-space-before-colon": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", {400}),
    "te-in-http-1.0": (POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    "obs-fold": (GOOD + b"X-A: 1\r\n 2\r\n\r\n", {400}),
    "obs-fold-tab": (GOOD + b"X-A: 1\r\n\tTransfer-Encoding: chunked\r\n\r\n", {400}),
    "space-before-colon": (GOOD + b"X-A : 1\r\n\r\n", {400}),
    "no-colon": (GOOD + b"X-A\r\n\r\n", {400}),
    "empty-name": (GOOD + b": 1\r\n\r\n", {400}),
    "name-with-space": (GOOD + b"X A: 1\r\n\r\n", {400}),
    "nul-in-value": (GOOD + b"X-A: a\0b\r\n\r\n", {400}),
    "bare-cr-in-value": (GOOD + b"X-A: a\rb\r\n\r\n", {400}),
    "control-in-value": (GOOD + b"X-A: a\x01b\r\n\r\n", {400}),
    "bare-lf-lines": (GOOD.replace(b"\r\n", b"\n") + b"\n", {400}),
    "bare-lf-at-the-end": (GOOD[:-2] + b"\n\n", {400}),
    "no-host": (b"GET /v1/agents/default/probe/x HTTP/1.1\r\n\r\n", {400}),
    "two-hosts": (GOOD + b"Host: b\r\n\r\n", {400}),
    "host-with-blank": (b"GET /v1/agents/default/probe/x HTTP/1.1\r\nHost: a b\r\n\r\n", {400}),
    "host-with-path": (b"GET /v1/agents/default/probe/x HTTP/1.1\r\nHost: a/b\r\n\r\n", {400}),
    "host-with-userinfo": (b"GET /v1/agents/default/probe/x HTTP/1.1\r\nHost: u@a\r\n\r\n", {400}),
    "two-spaces": (GOOD.replace(b" HTTP", b"  HTTP") + b"\r\n", {400}),
    "tab-for-space": (GOOD.replace(b" HTTP", b"\tHTTP") + b"\r\n", {400}),
    "non-ascii-target": (GOOD.replace(b"/x", b"/\xc3\xa4") + b"\r\n", {400}),
    "control-in-target": (GOOD.replace(b"/x", b"/\x01") + b"\r\n", {400}),
    "fragment": (GOOD.replace(b"/x", b"/x#y") + b"\r\n", {400}),
    "userinfo": (GOOD.replace(b"/v1", b"http://u:p@a/v1") + b"\r\n", {400}),
    "encoded-slash-in-name": (GOOD.replace(b"default/probe", b"default%2Fprobe") + b"\r\n", {400, 404}),
    "dots-in-name": (GOOD.replace(b"default", b"default/..") + b"\r\n", {400, 404}),
    "http-2.0": (GOOD.replace(b"1.1", b"2.0") + b"\r\n", {400, 505}),
    "http-1.2": (GOOD.replace(b"1.1", b"1.2") + b"\r\n", {200, 400, 505}),
    "lower-case-http": (GOOD.replace(b"HTTP", b"http") + b"\r\n", {400}),
    "connect": (b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", {400, 404, 405, 501}),
    "asterisk": (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", {400, 404}),
    "chunk-size-minus": (POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", {400}),
    "chunk-size-0x": (POST + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", {400}),
    "chunk-size-huge": (POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"F" * 17 + b"\r\n", {400}),
    "chunk-size-letters": (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", {400}),
    "chunk-without-end": (POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n", {400}),
    "chunk-bare-lf": (POST + b"Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n", {400}),
    "headers-too-large": (GOOD + b"X-A: " + b"a" * 100_000 + b"\r\n\r\n", {431}),
    "headers-too-many": (GOOD + b"".join(b"X-%d: 1\r\n" % n for n in range(20_000)) + b"\r\n", {431}),
    "target-too-long": (GOOD.replace(b"/x", b"/" + b"a" * 70_000) + b"\r\n", {414, 431}),
}


@pytest.mark.parametrize("name", FRAMING)
def test_framing(mesh, name):
    data, statuses = FRAMING[name]
    for port in ("gateway.http", "sidecar.http"):
        address = ports(mesh)[port]
        if port == "sidecar.http" and name in ("encoded-slash-in-name", "dots-in-name", "asterisk"):
            continue  # The sidecar passes every path.
        mine = data if port.startswith("gateway") else data.replace(b"/v1/agents/default/probe/x", b"/x")
        well_framed = name in ("encoded-slash-in-name", "dots-in-name")
        status = refused(http.exchange(address, mine, timeout=SLOW if well_framed else 5 * SLOW), not well_framed)
        assert status in statuses, f"{port}: {status}"


@pytest.mark.parametrize("name", [n for n in FRAMING if n not in (
    "encoded-slash-in-name", "dots-in-name", "connect", "http-1.2")])
def test_framing_on_the_ops_and_rest_ports(mesh, name):
    data = FRAMING[name][0].replace(b"/v1/agents/default/probe/x", b"/v1/agents/default/probe")
    for port, address in ports(mesh).items():
        if port.endswith(".ops") or port == "control_plane.http":
            answer = http.exchange(address, data, timeout=5 * SLOW)
            assert answer.startswith(b"HTTP/1.1 "), f"{port}: {answer[:200]!r}"
            assert 400 <= int(answer.split(b" ")[1]) < 600, f"{port}: {answer[:200]!r}"


def test_a_smuggled_second_request_is_never_seen(mesh):
    """Whatever is refused, no agent sees bytes after it as a request."""
    second = b"GET /v1/agents/default/probe/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    for name in ("te-and-cl", "cl-differ", "te-xchunked", "obs-fold-tab", "chunk-without-end"):
        answer = http.exchange(mesh.http, FRAMING[name][0] + second, timeout=3 * SLOW)
        assert b"smuggled" not in answer, name


def test_a_body_that_stops_is_408_or_an_end(mesh, new_mesh):
    other = new_mesh(control_plane=False, gateway=["--body-timeout", "300ms", "--header-timeout", "300ms"])
    other.apply("probe", mode="always-on", maxReplicas=1)
    other.wait_replicas("probe", 1)
    with http.Connection(other.http, 10 * SLOW) as connection:
        connection.send(POST + b"Content-Length: 100\r\n\r\nabc")
        answer = connection.read()
        assert (answer.status, answer.error) == (408, "request_timeout"), answer
    with http.Connection(other.http, 10 * SLOW) as connection:
        connection.send(GOOD + b"X-A: 1\r\n")  # A head without its end.
        answer = connection.read()
        assert (answer.status, answer.error) == (408, "request_timeout"), answer
        assert connection.ended()


def test_a_client_that_stops_in_its_body_frees_its_place(mesh):
    for _ in range(20):
        with http.Connection(mesh.http) as connection:
            connection.send(POST + b"Content-Length: 100\r\n\r\nabc")
    eventually(lambda: mesh.route("probe")["inFlight"] == 0, 10 * SLOW, "nothing is in flight")


def test_connection_cannot_strip_what_matters(mesh):
    answer = mesh.call("probe", "/x", headers={
        "connection": "close, host, content-length, authorization, x-forwarded-for, via",
        "authorization": "Bearer x"}, method="POST", body=b"abc")
    seen = answer.text.lower()
    assert "\r\nhost: " in seen and "x-forwarded-for: " in seen and seen.endswith("abc")


def test_forwarded_fields_of_strangers_are_overwritten(mesh):
    seen = mesh.call("probe", "/x", headers={
        "x-forwarded-for": "6.6.6.6", "x-forwarded-host": "evil", "x-forwarded-proto": "gopher",
        "x-forwarded-prefix": "/evil", "forwarded": "for=6.6.6.6", "krypton-load": "9",
        "krypton-wait": "99999"}).text.lower()
    assert "6.6.6.6" not in seen and "evil" not in seen and "gopher" not in seen
    assert "99999" not in seen


BAD_ANSWERS = {
    "nothing": b"",
    "garbage": b"\0\1\2\3 not http\r\n\r\n",
    "te-and-cl": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "cl-differ": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "cl-bad": b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
    "te-unknown": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
    "status-bad": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "nul-in-value": b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n",
    "head-too-large": b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 300_000 + b"\r\n\r\n",
    "half-a-head": b"HTTP/1.1 200 OK\r\nX-A: a",
    "unasked-101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello",
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_an_agent_that_answers_badly_is_502(mesh, name):
    answer = mesh.call("probe", "/raw", method="POST", body=BAD_ANSWERS[name], timeout=20 * SLOW)
    assert (answer.status, answer.error) == (502, "agent_unreachable"), answer


def test_an_answer_that_is_cut_off_ends_cut_off(mesh):
    answer = mesh.call("probe", "/cut?sent=500")
    assert answer.status == 200 and not answer.complete
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    answer = mesh.call("probe", "/raw", method="POST", body=chunked)
    assert answer.status == 200 and not answer.complete


REST = [
    ("GET", "/v1/agents/default/nothing", None, 404, 5),
    ("GET", "/v1/nothing", None, 404, 5),
    ("POST", "/v1/agents/default/probe", b"{}", 501, 12),
    ("DELETE", "/v1/agents", None, 501, 12),
    ("GET", "/v1/agents?page=x", None, 400, 3),
    ("GET", "/v1/agents?page=1&page=2", None, 400, 3),
    ("GET", "/v1/agents?page_size=-1", None, 400, 3),
    ("GET", "/v1/agents?page=-1", None, 400, 3),
    ("GET", "/v1/agents?sort=nonsense", None, 400, 3),
    ("GET", "/v1/agents?order=nonsense", None, 400, 3),
    ("GET", "/v1/agents?protocol=nonsense", None, 400, 3),
    ("GET", "/v1/agents/%zz", None, 400, 3),
]


@pytest.mark.parametrize("method, target, body, status, code", REST)
def test_rest_follows_grpc_gateway(mesh, method, target, body, status, code):
    for prefix in ("", "/api"):
        answer = http.call(mesh.address("control_plane", "http"), method, prefix + target, body=body)
        assert answer.status == status, answer
        found = json.loads(answer.body)
        assert found["code"] == code and found["message"]
        assert isinstance(found["details"], list) and set(found) == {"code", "message", "details"}


def test_an_ops_port_shows_and_never_acts(mesh):
    """Invoke has the traffic port and gRPC; only what reads has a route here."""
    for prefix in ("", "/api"):
        answer = http.call(mesh.address("gateway", "ops"), "POST", f"{prefix}/v1/agents/default/probe:invoke",
                           body=b'{"path":"/"}')
        assert answer.status == 404 and json.loads(answer.body)["code"] == 5, answer
    answer = http.call(mesh.address("gateway", "ops"), "POST", "/v1/routes", body=b"{}")
    assert answer.status == 501 and json.loads(answer.body)["code"] == 12, answer


def test_encoded_bodies_are_refused_on_the_ops_port(mesh):
    answer = http.call(mesh.address("gateway", "ops"), "POST", "/v1/routes",
                       {"content-encoding": "gzip"}, os.urandom(200))
    assert 400 <= answer.status < 500, answer


def test_long_fields_are_431_on_the_ops_and_rest_ports(mesh):
    for port, address in ports(mesh).items():
        if port.endswith(".ops") or port == "control_plane.http":
            answer = http.call(address, target="/healthz", headers={"x-long": "x" * 9000}, timeout=5 * SLOW)
            assert (answer.status, answer.error) == (431, "headers_too_large"), f"{port}: {answer}"


def test_slow_heads_do_not_starve_an_ops_port(mesh):
    """Connections that drip bytes do not keep others from being answered."""
    for component in ("gateway", "manager", "control_plane"):
        address = mesh.address(component, "ops")
        slow = [http.Connection(address) for _ in range(64)]
        try:
            for connection in slow:
                connection.send(b"GET /metr")
            assert http.call(address, target="/healthz", timeout=5 * SLOW).status == 200
        finally:
            for connection in slow:
                connection.close()

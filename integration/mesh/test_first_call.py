"""An agent that sleeps is called: what wakes, what arrives, what comes back, and what the mesh says itself."""

import hashlib
import json
import re
from urllib.parse import urljoin

import pytest
from harness import http
from harness.mesh import SOURCE, env
from harness.processes import SLOW
from harness.waiting import always, eventually

MESH = {"control_plane": False}


@pytest.fixture(scope="module", autouse=True)
def agents(mesh):
    mesh.apply("probe", wait=False, scaleToZeroAfter="5m", maxReplicas=1)
    mesh.apply("plain", wait=False, scaleToZeroAfter="1s", invocationPath="/sleep?ms=1")
    mesh.apply("host", wait=False, hostHeader="agent", maxReplicas=1)
    mesh.wait_known("probe", "plain", "host")


def arrived(answer):
    """The request as the agent saw it: (request line, headers, body)."""
    head, _, body = answer.text.partition("\r\n\r\n")
    line, *fields = head.split("\r\n")
    return line, [tuple(field.split(": ", 1)) for field in fields], body


def test_an_agent_that_had_no_process_answers(mesh):
    assert mesh.agents() == [] and mesh.sidecars() == []
    answer = mesh.call("plain")
    assert answer.status == 200 and answer.error is None, answer
    assert len(mesh.sidecars()) == 1 and [int(answer.text)] == mesh.agents()
    mesh.wait_replicas("plain", 0)
    eventually(lambda: not mesh.agents() and not mesh.sidecars(), 10 * SLOW, "its processes are gone")


def test_the_wait_is_told_by_server_timing(mesh):
    mesh.wait_replicas("plain", 0)
    answer = mesh.call("plain")
    timing = answer.header("server-timing", "")
    stages = dict(re.findall(r"(\w+);dur=([0-9.]+)", timing))
    assert {"decide", "start", "ready", "first_byte"} <= set(stages), timing
    assert all(float(value) >= 0 for value in stages.values())
    assert mesh.call("plain").header("server-timing") is None  # This one did not wait.


def test_the_prefix_is_stripped_and_told(mesh):
    answer = mesh.call("probe", "/a%20b/../c//d?x=1&y=%2F", method="POST", body=b"hello",
                       headers={"x-own": "1", "content-type": "text/plain"})
    line, headers, body = arrived(answer)
    fields = {name.lower(): value for name, value in headers}
    assert line == "POST /a%20b/../c//d?x=1&y=%2F HTTP/1.1"  # As received: not decoded, not merged.
    assert body == "hello" and fields["x-own"] == "1"
    assert fields["host"] == mesh.http and fields["x-forwarded-host"] == mesh.http
    assert fields["x-forwarded-prefix"] == "/v1/agents/default/probe"
    assert fields["x-forwarded-proto"] == "http" and fields["x-forwarded-for"] == "127.0.0.1"
    assert fields["via"].startswith("1.1 ")
    assert fields["x-request-id"] == answer.header("x-request-id")
    assert not [name for name in fields if name.startswith("krypton-")], fields


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "REPORT"])
def test_every_method_passes(mesh, method):
    assert arrived(mesh.call("probe", "/x", method=method))[0] == f"{method} /x HTTP/1.1"


def test_head_has_the_length_and_no_body(mesh):
    with http.Connection(mesh.http) as connection:
        head = connection.call("HEAD", http.path("default", "probe", "/large?bytes=4096"), host=mesh.http)
        assert head.header("content-length") == "4096" and head.body == b""
        assert connection.call("GET", http.path("default", "probe", "/pid")).status == 200


def test_the_host_is_the_agents_own_where_the_spec_says_so(mesh):
    fields = {name.lower(): value for name, value in arrived(mesh.call("host", "/x"))[1]}
    assert re.fullmatch(r"localhost:\d+", fields["host"]) and fields["x-forwarded-host"] == mesh.http


@pytest.mark.parametrize("to, comes", [
    ("/there", "http://HOST/v1/agents/default/probe/there"),
    ("http://HOST/there?x=1", "http://HOST/v1/agents/default/probe/there?x=1"),
    ("https://elsewhere.example/there", "https://elsewhere.example/there"),
    ("there", "http://HOST/v1/agents/default/probe/there"),
])
def test_location_comes_back_under_the_prefix(mesh, to, comes):
    answer = mesh.call("probe", f"/redirect?to={to}")
    reached = urljoin(f"{mesh.url}{http.path('default', 'probe', '/redirect')}", answer.header("location"))
    assert reached == comes.replace("HOST", mesh.http), answer


def test_hop_by_hop_fields_stay_behind(mesh):
    answer = mesh.call("probe", "/x", headers={
        "connection": "x-hop", "x-hop": "1", "keep-alive": "5", "proxy-connection": "x", "x-end": "1"})
    names = {name.lower() for name, _ in arrived(answer)[1]}
    assert "x-end" in names and not names & {"x-hop", "keep-alive", "proxy-connection"}


def test_chunked_bodies_and_trailers_pass_both_ways(mesh):
    with http.Connection(mesh.http) as connection:
        target = http.path("default", "probe", "/x")
        connection.send(http.request("POST", target, {
            "transfer-encoding": "chunked", "trailer": "x-sum"}, host=mesh.http)
            + b"3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nx-sum: 5\r\n\r\n")
        assert arrived(connection.read())[2] == "abcde\r\ntrailer x-sum: 5"
        answer = connection.call("GET", http.path("default", "probe", "/trailers"), {"te": "trailers"})
        assert answer.body == b"abcde" and answer.trailers == ["x-sum: 5"], answer


def test_large_bodies_pass_both_ways(mesh):
    body = b"0123456789abcdef" * (1 << 18)
    answer = mesh.call("probe", "/x", method="POST", body=body)
    assert answer.text.endswith(f"\r\n\r\n{len(body)} {hashlib.sha256(body).hexdigest()}")
    assert mesh.call("probe", f"/large?bytes={8 << 20}").body == b"0123456789abcdef" * (8 << 20 >> 4)


def test_expect_continue_waits_for_the_agent(mesh):
    with http.Connection(mesh.http) as connection:
        connection.send(http.request("POST", http.path("default", "probe", "/x"), {
            "expect": "100-continue", "content-length": 3}, host=mesh.http))
        assert connection.read_head(interim=True).status == 100
        connection.send(b"abc")
        assert connection.read().body.endswith(b"abc")


def test_a_final_answer_may_come_before_the_body(mesh):
    with http.Connection(mesh.http) as connection:
        connection.send(http.request("POST", http.path("default", "probe", "/early"), {
            "expect": "100-continue", "content-length": 1 << 20}, host=mesh.http))
        assert connection.read().status == 401


@pytest.mark.parametrize("target, code", [
    ("/v1/agents/default/unknown", "agent_not_found"),
    ("/v1/agents/unknown/probe", "agent_not_found"),
    ("/v1/agents/default/PROBE", "agent_not_found"),
    ("/v1/chat/completions/of/nothing", None),
    ("/nothing/here", None),
    ("/", None),
])
def test_what_is_not_there_is_404_in_the_shape_of_the_table(mesh, target, code):
    answer = http.call(mesh.http, target=target, host=mesh.http)
    assert answer.status == 404 and answer.header("content-type").startswith("application/json")
    error = json.loads(answer.body)["error"]
    assert set(error) == {"code", "message", "type", "param"} and error["code"] == answer.error
    assert error["message"] and (code is None or error["code"] == code)


def test_the_agents_own_errors_are_its_own(mesh):
    for code in (400, 404, 500, 502, 503, 504):
        answer = mesh.call("probe", f"/status?code={code}")
        assert (answer.status, answer.body, answer.error) == (code, b"as asked", None)


def test_a_card_does_not_wake_the_agent(mesh):
    mesh.apply("echo", command=f"exec python3 {SOURCE}/examples/echo.py", protocol="a2a",
               scaleToZeroAfter="1s")
    card = "/.well-known/agent-card.json"
    awake = mesh.call("echo", card)  # Nobody has seen it yet: this one wakes.
    public = f"{mesh.url}/v1/agents/default/echo"
    assert awake.status == 200 and json.loads(awake.body)["url"] == public
    assert [i["url"] for i in json.loads(awake.body)["supportedInterfaces"]] == [public, public]
    mesh.wait_replicas("echo", 0)
    asleep = mesh.call("echo", card)
    assert asleep.status == 200 and json.loads(asleep.body) == json.loads(awake.body)
    assert asleep.header("age") is not None
    always(lambda: mesh.endpoints("echo", state=None) == [], 0.5, "the card wakes nobody")


def test_a_late_port_is_found_within_milliseconds(mesh):
    mesh.apply("late", env=env(PROBE_DELAY_MS=300), maxReplicas=1, scaleToZeroAfter="5m")
    answer = mesh.call("late", "/pid")
    assert answer.status == 200
    mesh.delete("late")

"""The gRPC servers, as grpcurl and hand-made clients see them."""

import base64
import json
import random
import socket
import subprocess
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from harness.mesh import env
from harness.processes import SLOW
from harness.waiting import eventually

SERVICES = {
    "manager": ["krypton.v1.RegistryService", "krypton.v1.LoadService", "krypton.v1.ScalingService",
                "krypton.v1.ManagerService"],
    "gateway": ["krypton.v1.GatewayService"],
    "control_plane": ["krypton.v1.ControlPlaneService"],
}


@pytest.fixture(scope="module", autouse=True)
def agents(mesh):
    mesh.apply("probe", maxReplicas=2, scaleToZeroAfter="5m", labels={"team": "a"})
    mesh.apply("never", maxReplicas=1, startupTimeout="500ms", env=env(PROBE_NEVER=1))


@pytest.fixture
def curl(grpcurl, mesh):
    """Runs grpcurl against a component; its standard output, and the error when it fails."""
    def run(component, *arguments, data=None, check=True, flags=()):
        line = [grpcurl, "-plaintext", "-max-time", str(int(20 * SLOW)), *flags]
        if data is not None:
            line += ["-d", json.dumps(data)]
        done = subprocess.run([*line, mesh.address(component, "grpc"), *arguments],
                              capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stderr
        return done if not check else done.stdout
    return run


def objects(text):
    """Concatenated JSON values, as grpcurl prints a stream."""
    decoder, found, text = json.JSONDecoder(), [], text.strip()
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].lstrip()
    return found


@pytest.mark.parametrize("component", SERVICES)
def test_list_and_describe(curl, component):
    listed = curl(component, "list").split()
    assert {*SERVICES[component], "grpc.health.v1.Health"} <= set(listed)
    for service in SERVICES[component]:
        assert "rpc " in curl(component, "describe", service)


@pytest.mark.parametrize("component", SERVICES)
def test_health(curl, component):
    assert json.loads(curl(component, "grpc.health.v1.Health/Check"))["status"] == "SERVING"
    for service in SERVICES[component]:
        data = {"service": service}
        assert json.loads(curl(component, "grpc.health.v1.Health/Check", data=data))["status"] == "SERVING"
    wrong = curl(component, "grpc.health.v1.Health/Check", data={"service": "x"}, check=False)
    assert "NotFound" in wrong.stderr


def test_list_agents(curl):
    answer = json.loads(curl("control_plane", "krypton.v1.ControlPlaneService/ListAgents", data={"q": "DEFAULT/PROB"}))
    assert [item["metadata"]["name"] for item in answer["items"]] == ["probe"]
    assert answer["total"] == 1 and answer["page"] == 1
    wrong = curl("control_plane", "krypton.v1.ControlPlaneService/GetAgent", check=False,
                 data={"namespace": "default", "name": "nothing"})
    assert "NotFound" in wrong.stderr


def test_invoke_wakes_and_streams(curl):
    parts = objects(curl("gateway", "krypton.v1.GatewayService/Invoke", data={
        "namespace": "default", "name": "probe", "path": "/hello?x=1", "method": "POST",
        "headers": [{"name": "X-Own", "value": base64.b64encode(b"1").decode()}],
        "body": base64.b64encode(b"body").decode()}))
    assert parts[0]["head"]["status"] == 200
    data = b"".join(base64.b64decode(part["data"]) for part in parts if "data" in part)
    assert data.startswith(b"POST /hello?x=1 HTTP/1.1\r\n") and data.endswith(b"\r\n\r\nbody")
    assert b"x-own: 1" in data.lower()
    parts = objects(curl("gateway", "krypton.v1.GatewayService/Invoke", data={
        "namespace": "default", "name": "probe", "path": "/sse?count=5&every_ms=50"}))
    assert len([part for part in parts if "data" in part]) >= 5
    parts = objects(curl("gateway", "krypton.v1.GatewayService/Invoke", data={
        "namespace": "default", "name": "probe", "path": "/trailers"}))
    assert parts[-1]["trailers"]["headers"][0]["name"].lower() == "x-sum"


def test_invoke_says_the_meshs_errors_as_status(curl):
    wrong = curl("gateway", "krypton.v1.GatewayService/Invoke", check=False,
                 data={"namespace": "default", "name": "nothing"})
    assert "NotFound" in wrong.stderr and "AGENT_NOT_FOUND" in wrong.stderr
    wrong = curl("gateway", "krypton.v1.GatewayService/Invoke", check=False,
                 data={"namespace": "default", "name": "never"})
    assert "DeadlineExceeded" in wrong.stderr and "START_TIMEOUT" in wrong.stderr
    answer = objects(curl("gateway", "krypton.v1.GatewayService/Invoke", data={
        "namespace": "default", "name": "probe", "path": "/status?code=503"}))
    assert answer[0]["head"]["status"] == 503  # The agent's own errors are answers.


def test_invoke_takes_the_deadline_as_timeout_and_passes_a_cancellation_on(mesh):
    assert mesh.call("probe", "/pid").status == 200
    request = invoke_request(mesh, path="/hold")
    with grpc.insecure_channel(mesh.address("gateway", "grpc")) as channel:
        invoke = channel.unary_stream("/krypton.v1.GatewayService/Invoke")
        began = time.monotonic()
        with pytest.raises(grpc.RpcError) as late:
            list(invoke(request, timeout=0.5))
        assert late.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED and time.monotonic() - began < 1.5 * SLOW
        eventually(lambda: mesh.route("probe")["inFlight"] == 0, 5 * SLOW, "the slot is free")
        call = invoke(request)
        eventually(lambda: mesh.route("probe")["inFlight"] == 1, 5 * SLOW, "in flight")
        call.cancel()
        eventually(lambda: mesh.route("probe")["inFlight"] == 0, 5 * SLOW, "cancelled end to end")
    eventually(lambda: "gone=2" in mesh.call("probe", "/counters").text, 5 * SLOW, "the agent is told")


def field(number, text):
    """A length-delimited field of the protobuf wire format (below 128 bytes)."""
    return bytes([number << 3 | 2, len(text)]) + text.encode()


def invoke_request(mesh, path):
    return field(1, "default") + field(2, "probe") + field(3, "GET") + field(4, path)


METHODS = {
    "manager": ["RegistryService/Watch", "RegistryService/GetRegistry", "LoadService/Report",
                "ScalingService/PublishDecisions", "ManagerService/ListDecisions", "ManagerService/ReadLogs"],
    "gateway": ["GatewayService/Invoke", "GatewayService/ListRoutes", "GatewayService/GetRoute"],
    "control_plane": ["ControlPlaneService/ListAgents", "ControlPlaneService/GetAgent",
                      "ControlPlaneService/WatchAgents", "ControlPlaneService/ExplainAgent"],
}


def everything_serves(mesh):
    for component in SERVICES:
        assert mesh.components[component].alive(), mesh.components[component].tail()
        with grpc.insecure_channel(mesh.address(component, "grpc")) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            assert stub.Check(health_pb2.HealthCheckRequest(), timeout=10).status == 1


@pytest.mark.parametrize("component", METHODS)
def test_malformed_protobuf_is_a_status(mesh, component):
    dice = random.Random(5)
    messages = [b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x05ab", b"\x0a\x02\xff\xfe", b"\x00" * 50,
                *(dice.randbytes(dice.randint(1, 200)) for _ in range(20))]
    with grpc.insecure_channel(mesh.address(component, "grpc")) as channel:
        for method in METHODS[component]:
            for message in messages:
                try:
                    call = channel.stream_stream(f"/krypton.v1.{method}")(iter([message]), timeout=0.3)
                    for _ in call:
                        break
                    call.cancel()
                except grpc.RpcError as error:
                    assert error.code() is not None
        with pytest.raises(grpc.RpcError) as unknown:
            channel.unary_unary("/krypton.v1.Nothing/Nothing")(b"", timeout=5)
        assert unknown.value.code() == grpc.StatusCode.UNIMPLEMENTED
    everything_serves(mesh)


def test_messages_above_the_limit_are_refused(mesh):
    with grpc.insecure_channel(mesh.address("gateway", "grpc"), options=[
            ("grpc.max_send_message_length", -1)]) as channel:
        with pytest.raises(grpc.RpcError) as large:
            list(channel.unary_stream("/krypton.v1.GatewayService/Invoke")(
                field(1, "default") + field(2, "probe") + b"\x32\x80\x80\x80\x20" + b"x" * (64 << 20),
                timeout=20))
        assert large.value.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INVALID_ARGUMENT)
    everything_serves(mesh)


def test_invented_decisions_and_loads_change_nothing(mesh, curl):
    """Invariant 5: who reports for an agent that is not there, or decides with an older term, is refused."""
    before = mesh.get("manager", "/v1/registry")["entries"]
    key = {"kind": "RESOURCE_KIND_AGENT", "namespace": "default", "name": "probe"}
    done = curl("manager", "krypton.v1.ScalingService/PublishDecisions", check=False, data={
        "scaler": "stranger", "term": "0", "decisions": [{"key": key, "sequence": "1", "desired": 9}]})
    assert "refus" in (done.stdout + done.stderr).lower()
    curl("manager", "krypton.v1.LoadService/Report", check=False, data={
        "reporter": {"kind": "REPORTER_KIND_SIDECAR", "instance": "invented"}, "sequence": "1",
        "replicas": [{"key": {**key, "name": "invented"}, "instance": "invented", "inFlight": 1e9,
                      "state": "ENDPOINT_STATE_READY", "port": 1}]})
    names = {entry["key"]["name"] for entry in mesh.get("manager", "/v1/registry")["entries"]}
    assert names == {entry["key"]["name"] for entry in before}
    assert all(e["endpoint"]["instance"] != "invented" for e in mesh.route("probe")["endpoints"])


def test_watch_gives_a_snapshot_then_changes(curl, mesh):
    text = curl("control_plane", "krypton.v1.ControlPlaneService/WatchAgents",
                data={"namespace": "default", "name": "probe"}, check=False,
                flags=["-max-time", "2"]).stdout
    types = [change["type"] for change in objects(text)]
    assert types[:2] == ["CHANGE_TYPE_ADDED", "CHANGE_TYPE_SYNCED"]


def test_raw_bytes_on_a_grpc_port(mesh):
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    for component in SERVICES:
        host, _, port = mesh.address(component, "grpc").rpartition(":")
        for data in (b"\0" * 100, preface + b"\xff" * 100, preface + bytes(9) * 50, b"GET / HTTP/1.1\r\n\r\n"):
            with socket.create_connection((host, int(port)), 5) as connection:
                connection.sendall(data)
    everything_serves(mesh)

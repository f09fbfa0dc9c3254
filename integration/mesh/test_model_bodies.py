"""What crosses the gateway on its way to a model: every byte, in little memory. The stand-in is the tests'
agent, which answers with what it got; the real model server is in the other tests of models."""

import hashlib
import json
import re
import threading
from pathlib import Path

import pytest
from harness import http
from harness.http import Connection
from harness.mesh import PROBE
from harness.processes import SLOW
from harness.waiting import eventually

MESH = {}
MIB = 1 << 20
FILL = len(',"stream_options":{"include_usage":true}')  # Spaces behind a long body that may have to ask for usage.


def model(name, **spec):
    return json.dumps({"apiVersion": "krypton.ai/v1alpha1", "kind": "Model",
                       "metadata": {"name": name, "annotations": {
                           "krypton.ai/local-command": f"exec python3 -S {PROBE}"}},
                       "spec": {"source": {"huggingface": "example/none", "file": "none.gguf"}, **spec}})


def chat(mesh, body, **options):
    return http.call(mesh.http, "POST", "/v1/chat/completions", body=body, **options)


@pytest.fixture(scope="module", autouse=True)
def models(mesh):
    mesh.write("echo.yaml", model("echo"))
    mesh.write("asking.yaml", model("asking", usage="always"))
    for name in ("echo", "asking"):
        body = json.dumps({"model": name}).encode()
        eventually(lambda: chat(mesh, body).status == 200, 30 * SLOW, f"{name} answers")


def peak(process, begin=False):
    """The most memory that a process has had since `begin`, in bytes."""
    if begin:
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024


@pytest.mark.parametrize("name", ["echo", "asking"])
def test_a_body_of_50_mib_costs_no_50_mib(mesh, name):
    body = json.dumps({"model": name, "image": "x" * (50 * MIB)}).encode()
    before = peak(mesh.components["gateway"], begin=True)
    answer = chat(mesh, body, timeout=120)
    assert answer.status == 200 and answer.complete
    filled = body + b" " * FILL if name == "asking" else body
    assert answer.text.endswith(f"{len(filled)} {hashlib.sha256(filled).hexdigest()}")
    assert peak(mesh.components["gateway"]) - before < 8 * MIB


def test_a_body_of_50_mib_that_nobody_takes_yet_stays_with_its_client(mesh):
    """The replica's slots are taken: what waits in the queue is a request, not its body."""
    body = json.dumps({"model": "echo", "image": "x" * (50 * MIB)}).encode()
    concurrency = 4
    holders = [Connection(mesh.http) for _ in range(concurrency)]
    try:
        for holder in holders:
            holder.send(http.request("POST", "/v1/chat/completions", {"content-length": str(MIB)}))
            holder.send(b'{"model":"echo","x":"')
        eventually(lambda: mesh.route("echo")["inFlight"] == concurrency, 10 * SLOW, "all slots are taken")
        before = peak(mesh.components["gateway"], begin=True)
        with Connection(mesh.http, timeout=120) as waiting:
            sender = threading.Thread(target=waiting.send, args=[
                http.request("POST", "/v1/chat/completions", body=body)])
            sender.start()
            eventually(lambda: mesh.route("echo")["queued"] == 1, 10 * SLOW, "the request waits")
            assert peak(mesh.components["gateway"]) - before < 8 * MIB
            for holder in holders:
                holder.socket.close()
            assert waiting.read("POST").text.endswith(hashlib.sha256(body).hexdigest())
            sender.join()
    finally:
        for holder in holders:
            holder.socket.close()


@pytest.mark.parametrize("body", [
    b' {\r\n\t"a" : [1.0e5, -0, "\\u0041\\ud83d\\ude00 \xc3\xa9"], "model" : "echo" , "b":{}\t}\n ',
    b'{"a":{"model":"no"},"m\\u006fdel":"default/ech\\u006f","model ":1}',
    b'{"model":"echo","seed":12345678901234567890,"x":1.10}',
])
def test_the_bytes_that_arrive_are_the_clients(mesh, body):
    answer = chat(mesh, body)
    assert answer.status == 200 and answer.body.endswith(b"\r\n\r\n" + body)
    chunks = b"".join(b"1\r\n" + bytes([byte]) + b"\r\n" for byte in body) + b"0\r\n\r\n"
    with Connection(mesh.http) as connection:
        connection.send(http.request("POST", "/v1/chat/completions", {"transfer-encoding": "chunked"}) + chunks)
        answer = connection.read("POST")
    assert answer.status == 200 and answer.body.endswith(b"\r\n\r\n" + body)

"""`krypton` on models: get, invoke, chat, why, logs; and what the control plane says of them over REST."""

import json
import os
import pty
import signal
import subprocess
import uuid

import pytest
from harness import http
from harness.mesh import BINARIES
from harness.models import (STAND_IN, apply_model, busy_slots, delete_model, exchanges, recorded_command, servers_of,
                            status_of)
from harness.processes import SLOW
from harness.waiting import eventually

if not os.environ.get("KRYPTON_TEST_PYTHON_MODELS"):
    pytest.skip("KRYPTON_TEST_PYTHON_MODELS is not set; ./dev test sets it", allow_module_level=True)


@pytest.fixture(scope="module", autouse=True)
def models(mesh):
    apply_model(mesh, "tiny", command=recorded_command(mesh.root / "records"),
                args=["--ctx-size", "2048"], concurrency=2)
    apply_model(mesh, "endless", args=["--ctx-size", "1024", "--context-shift", "--ignore-eos"], concurrency=1)
    apply_model(mesh, "asleep", mode="serverless", namespace="other")
    apply_model(mesh, "broken", command="echo no such weights; exit 3")
    apply_model(mesh, "cut", command=f"exec python3 -S {STAND_IN}")
    for name in ("tiny", "endless", "cut"):
        eventually(lambda: (status_of(mesh, name) or {}).get("phase") == "Ready", 30 * SLOW, f"{name} is ready")
    eventually(lambda: mesh.get("control_plane", "/v1/models", "http")["total"] == 5, 10 * SLOW, "all are listed")
    eventually(lambda: http.call(mesh.http, target="/v1/models/cut", host=mesh.http).status == 200, 10 * SLOW)


def environment(mesh):
    return {**os.environ, "KRYPTON_CONTROL_PLANE": mesh.address("control_plane", "grpc"),
            "KRYPTON_GATEWAY": mesh.http}


def krypton(mesh, *arguments, data=None, check=True):
    done = subprocess.run([BINARIES / "krypton", *map(str, arguments)], capture_output=True, text=True, input=data,
                          timeout=60 * SLOW, env=environment(mesh), errors="replace")
    assert not check or done.returncode == 0, done
    return done


def asked(mesh, marker):
    """The requests with `marker` that reached the model, as JSON."""
    found = []
    for request, _ in exchanges(mesh.root / "records", marker.encode()):
        for part in request.split(b"\r\n\r\n")[1:]:
            if marker.encode() in part:
                found.append(json.loads(part[:part.rindex(b"}") + 1]))
    return found


def test_get_models_says_what_runs_and_why_not(mesh):
    eventually(lambda: status_of(mesh, "broken")["phase"] == "Failed", 10 * SLOW, "the broken one has failed")
    done = krypton(mesh, "get", "models")
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["NAMESPACE", "NAME", "SOURCE", "MODE", "REPLICAS", "PHASE", "AGE", "URL"]
    rows = {row.split()[1]: row.split() for row in rows}
    assert rows["tiny"][2:6] == ["tiny.gguf", "always-on", "1/1", "Ready"]
    assert rows["asleep"][:6] == ["other", "asleep", "tiny.gguf", "serverless", "0/0", "Ready"]
    assert rows["broken"][5] == "Failed"
    assert "default/broken: " in done.stderr and "no such weights" in done.stderr, done.stderr
    documents = json.loads(krypton(mesh, "get", "models", "-o", "json").stdout)["items"]
    assert {item["metadata"]["name"] for item in documents} == {"tiny", "endless", "asleep", "broken", "cut"}
    assert krypton(mesh, "get", "model", "other/asleep").stdout.count("\n") == 2


def test_the_control_plane_lists_models_by_page_name_and_source(mesh):
    def listed(query):
        answer = mesh.get("control_plane", f"/v1/models?{query}", "http")
        return [item["metadata"]["name"] for item in answer.get("items", [])], answer["total"]
    assert listed("") == (["asleep", "broken", "cut", "endless", "tiny"], 5)
    assert listed("sort=name&order=desc&page_size=3") == (["tiny", "endless", "cut"], 5)
    assert listed("sort=name&page_size=3&page=2") == (["endless", "tiny"], 5)
    assert listed("q=OTHER") == (["asleep"], 1)
    assert listed("q=tiny.gguf&namespace=other") == (["asleep"], 1)
    for sort in ("name", "namespace", "created", "phase", "replicas"):
        assert listed(f"sort={sort}")[1] == 5
    wrong = http.call(mesh.address("control_plane", "http"), target="/v1/models?sort=weight")
    assert wrong.status == 400 and b"weight" in wrong.body
    model = mesh.get("control_plane", "/v1/models/default/tiny", "http")
    assert model["spec"]["source"] == {"path": "tiny.gguf"} or model["spec"]["source"]["path"] == "tiny.gguf"
    status = mesh.get("control_plane", "/api/v1/models/default/tiny/status", "http")
    assert {"phase", "replicas", "readyReplicas", "url", "observedGeneration", "conditions"} <= set(status)
    assert http.call(mesh.address("control_plane", "http"), target="/v1/models/default/nobody").status == 404


def test_changes_of_models_are_watched(mesh):
    with http.Connection(mesh.address("control_plane", "http"), 30 * SLOW) as watch:
        watch.send(http.request("GET", "/v1/models:watch?namespace=seen"))
        assert watch.read_head().status == 200
        apply_model(mesh, "new", namespace="seen", mode="serverless")
        eventually(lambda: watch.receive() and b"CHANGE_TYPE_ADDED" in watch.buffer, 10 * SLOW)
        delete_model(mesh, "new", namespace="seen")
        eventually(lambda: watch.receive() and b"CHANGE_TYPE_DELETED" in watch.buffer, 10 * SLOW)


def test_invoke_says_a_word_or_sends_a_request(mesh):
    marker = uuid.uuid4().hex
    answer = json.loads(krypton(mesh, "invoke", "default/tiny", "--data", f"Hello {marker}",
                                "-H", "x-more: 1").stdout)
    assert answer["object"] == "chat.completion"
    assert asked(mesh, marker)[0]["messages"] == [{"role": "user", "content": f"Hello {marker}"}]
    answer = json.loads(krypton(mesh, "invoke", "tiny", "--data", '{"prompt": "x", "max_tokens": 2}').stdout)
    assert answer["object"] == "text_completion" and answer["usage"]["completion_tokens"] <= 2
    stream = krypton(mesh, "invoke", "tiny", "--data", json.dumps(
        {"messages": [{"role": "user", "content": "x"}], "stream": True, "max_tokens": 2})).stdout
    assert stream.endswith("data: [DONE]\n\n")
    silent = krypton(mesh, "invoke", "tiny", check=False)
    assert silent.returncode == 2 and "--data" in silent.stderr
    nobody = krypton(mesh, "invoke", "nobody", "--data", "x", check=False)
    assert nobody.returncode == 1 and "nobody" in nobody.stderr and not nobody.stdout


def test_why_and_logs(mesh):
    why = krypton(mesh, "why", "default/tiny").stdout
    assert why.startswith('model "default/tiny" has 1 replica, 1 ready.')
    assert "Available: Ready" not in why  # The summary has said it.
    assert "no such weights" in krypton(mesh, "why", "default/broken").stdout
    explanation = json.loads(krypton(mesh, "why", "default/tiny", "-o", "json").stdout)
    assert explanation["summary"] and explanation["model"]["status"]["readyReplicas"] == 1
    by_rest = mesh.get("control_plane", "/v1/models/default/tiny:explain?limit=5", "http")
    assert by_rest["model"]["metadata"]["name"] == "tiny" and 'model "default/tiny"' in by_rest["summary"]
    assert http.call(mesh.address("control_plane", "http"),
                     target="/api/v1/models/default/nobody:explain").status == 404
    nobody = krypton(mesh, "why", "default/nobody", check=False)
    assert nobody.returncode == 1 and "default/nobody" in nobody.stderr
    assert "model loaded" in krypton(mesh, "logs", "default/tiny").stdout
    assert "no such weights" in krypton(mesh, "logs", "default/broken").stdout


def test_a_chat_through_pipes_keeps_its_history(mesh):
    marker = uuid.uuid4().hex
    done = krypton(mesh, "chat", "tiny", "--system", "Be kind.", "--max-tokens", "5",
                   data=f"First {marker}\n\nSecond {marker}")
    first, second = asked(mesh, marker)
    assert first["stream"] is True and first["model"] == "tiny" and first["max_tokens"] == 5
    assert first["messages"] == [{"role": "system", "content": "Be kind."},
                                 {"role": "user", "content": f"First {marker}"}]
    assert second["messages"][:2] == first["messages"]
    assert second["messages"][2]["role"] == "assistant"
    assert second["messages"][3] == {"role": "user", "content": f"Second {marker}"}
    assert not done.stderr and "> " not in done.stdout.splitlines()[0]


def test_what_goes_wrong_in_a_chat_is_said_in_words(mesh):
    for said in ("Hello\nAgain\n", ""):  # Nothing said is no reason to be silent.
        nobody = krypton(mesh, "chat", "nobody", data=said, check=False)
        assert nobody.returncode == 1 and not nobody.stdout and nobody.stderr.count("krypton:") == 1
        assert f'no model "nobody" at the gateway {mesh.http}; there are: ' in nobody.stderr, nobody
        assert "tiny" in nobody.stderr, nobody
    away = subprocess.run([BINARIES / "krypton", "chat", "tiny", "--gateway", "127.0.0.1:1"], input="x\n", text=True,
                          capture_output=True, timeout=30 * SLOW)
    assert away.returncode == 1 and "cannot reach the gateway at 127.0.0.1:1" in away.stderr


class Chat:
    """A `krypton chat` at pipes, or at a terminal of its own."""

    def __init__(self, mesh, *arguments, terminal=False):
        if terminal:
            self.input, end = pty.openpty()
            self.output = self.input
            ends = dict(stdin=end, stdout=end, stderr=end)
        else:
            in_read, self.input = os.pipe()
            self.output, out_write = os.pipe()
            ends = dict(stdin=in_read, stdout=out_write, stderr=out_write)
        self.process = subprocess.Popen([BINARIES / "krypton", "chat", *arguments], env=environment(mesh),
                                        start_new_session=True, **ends)
        for fd in set(ends.values()):
            os.close(fd)
        os.set_blocking(self.output, False)
        self.text = b""

    def say(self, line):
        os.write(self.input, line.encode() + b"\n")

    def wait(self, condition, what):
        def look():
            try:
                self.text += os.read(self.output, 65536)
            except (BlockingIOError, OSError):
                pass
            return condition(self.text)
        eventually(look, 20 * SLOW, lambda: f"{what}: {self.text[-500:]!r}")

    def end(self):
        status = self.process.wait(20 * SLOW)
        for fd in {self.input, self.output}:
            os.close(fd)
        return status


@pytest.mark.parametrize("terminal", [False, True])
def test_ctrl_c_stops_an_answer_and_a_second_one_leaves(mesh, terminal):
    (_, port), = servers_of(mesh, "endless")
    chat = Chat(mesh, "endless", "--max-tokens", "10000000", terminal=terminal)
    try:
        if terminal:
            chat.wait(lambda text: text.startswith(b"> "), "it asks")
        size = len(chat.text)
        chat.say("Tell me everything")
        chat.wait(lambda text: len(text) > size + 200, "it answers")
        chat.process.send_signal(signal.SIGINT)
        eventually(lambda: busy_slots(port) == 0, 10 * SLOW, "the answer is stopped")
        chat.say("And more")
        size = len(chat.text)
        chat.wait(lambda text: len(text) > size + 200, "it goes on")
        chat.process.send_signal(signal.SIGINT)
        eventually(lambda: busy_slots(port) == 0, 10 * SLOW, "this one too")
        chat.process.send_signal(signal.SIGINT)
        eventually(lambda: chat.process.poll() is not None, 20 * SLOW, "it leaves")
    finally:
        if chat.process.poll() is None:
            chat.process.kill()
        assert chat.end() == 0, chat.text[-500:]


def test_a_terminal_goes_on_after_an_error(mesh):
    chat = Chat(mesh, "cut", terminal=True)
    chat.say("Hello")
    chat.wait(lambda text: b"broke off" in text and text.rstrip(b"\r\n").endswith(b"> "), "it asks again")
    os.write(chat.input, b"\x04")  # Ctrl-D
    assert chat.end() == 0

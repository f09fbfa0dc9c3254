"""Models that fail while they answer: what OpenAI's SDK makes of it, and how often it asks."""

import json
import os
import signal
import uuid
from pathlib import Path

import openai
import pytest
from harness import http
from harness.models import STAND_IN, apply_model, servers_of, status_of
from harness.processes import SLOW, processes_of
from harness.waiting import eventually

if not os.environ.get("KRYPTON_TEST_PYTHON_MODELS"):
    pytest.skip("KRYPTON_TEST_PYTHON_MODELS is not set; ./dev test sets it", allow_module_level=True)

HELLO = [{"role": "user", "content": "Hello"}]
CHAT = "/v1/chat/completions"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module", autouse=True)
def models(mesh):
    apply_model(mesh, "stand-in", command=f"exec python3 -S {STAND_IN}", timeout="1s")
    apply_model(mesh, "real", args=["--ctx-size", "1024", "--context-shift"])
    for name in ("stand-in", "real"):
        eventually(lambda: (status_of(mesh, name) or {}).get("phase") == "Ready", 30 * SLOW, f"{name} is ready")
        eventually(lambda: http.call(mesh.http, target=f"/v1/models/{name}", host=mesh.http).status == 200, 10 * SLOW)


@pytest.fixture(scope="module")
def client(mesh, models):
    with openai.OpenAI(base_url=f"{mesh.url}/v1", api_key="none", max_retries=0, timeout=60) as found:
        yield found


def test_a_model_that_takes_too_long_is_an_internal_server_error(mesh, client):
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="stand-in", messages=HELLO, extra_body={"behave": "slow"})
    assert caught.value.status_code == 504 and caught.value.code == "agent_timeout"
    assert caught.value.response.headers["x-should-retry"] == "false"


def test_a_stream_that_breaks_ends_with_an_error_at_an_event_boundary(mesh, client):
    stream = client.chat.completions.create(model="stand-in", messages=HELLO, stream=True,
                                            extra_body={"behave": "break"})
    words = []
    with pytest.raises(openai.APIError):
        for chunk in stream:
            words.append(chunk.choices[0].delta.content)
    assert words == ["word ", "word "]
    raw = http.call(mesh.http, "POST", CHAT, JSON, json.dumps(
        {"model": "stand-in", "stream": True, "messages": HELLO, "behave": "break"}).encode(), host=mesh.http)
    events = raw.body.split(b"\n\n")
    assert b"[DONE]" not in raw.body and events[-1] == b""
    assert "error" in json.loads(events[-2].removeprefix(b"data: "))


def deliveries(mesh, user):
    (pid, _), = [p for p in processes_of(mesh.root) if "model_stand_in" in p[1] and "/bin/sh" not in p[1]]
    environment = dict(v.split("=", 1) for v in Path(f"/proc/{pid}/environ").read_text().split("\0") if "=" in v)
    answer = http.call(f"127.0.0.1:{environment['PORT']}", target="/deliveries")
    return json.loads(answer.body).get(user, 0)


@pytest.mark.parametrize("behave, error, expected", [
    ("", None, 1),
    ("503", openai.InternalServerError, 3),  # The SDK's own: once, and two more.
    ("slow", openai.InternalServerError, 1),  # Told not to: the model has had the request.
])
def test_each_try_of_the_sdk_is_one_delivery(mesh, behave, error, expected):
    user = uuid.uuid4().hex
    with openai.OpenAI(base_url=f"{mesh.url}/v1", api_key="none", timeout=30) as client:
        def ask():
            client.chat.completions.create(model="stand-in", messages=HELLO, user=user,
                                           extra_body={"behave": behave})
        if error:
            with pytest.raises(error):
                ask()
        else:
            ask()
    assert deliveries(mesh, user) == expected


def test_a_model_that_is_killed_in_the_middle_of_a_stream_ends_it_with_an_error_event(mesh):
    endless = json.dumps({"model": "real", "messages": HELLO, "stream": True, "max_tokens": 10_000_000,
                          "ignore_eos": True}).encode()
    with http.Connection(mesh.http, 60 * SLOW) as connection:
        connection.send(http.request("POST", CHAT, JSON, endless, mesh.http))
        answer, body, killed = connection.read_head(), b"", False
        for data in connection.chunks(answer):
            body += data
            if body.count(b"data: ") > 3 and not killed:
                killed = True
                (pid, _), = servers_of(mesh, "real")
                os.kill(pid, signal.SIGKILL)
    *events, last, rest = body.split(b"\n\n")
    assert killed and rest == b"" and b"[DONE]" not in body
    for event in events:
        assert json.loads(event.removeprefix(b"data: "))["object"] == "chat.completion.chunk"
    assert set(json.loads(last.removeprefix(b"data: "))["error"]) == {"message", "type", "param", "code"}

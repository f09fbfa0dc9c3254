"""Models through the gateway as users of OpenAI's SDKs call them, served by the real llama.cpp."""

import asyncio
import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path

import openai
import pytest
from harness import http
from harness.models import STAND_IN, apply_model, delete_model, exchanges, recorded_command, status_of
from harness.processes import SLOW, processes_of
from harness.waiting import eventually

if not os.environ.get("KRYPTON_TEST_PYTHON_MODELS"):
    pytest.skip("KRYPTON_TEST_PYTHON_MODELS is not set; ./dev test sets it", allow_module_level=True)

HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def records(mesh):
    return mesh.root / "records"


@pytest.fixture(scope="module", autouse=True)
def models(mesh, records):
    apply_model(mesh, "tiny", command=recorded_command(records), args=["--ctx-size", "4096"])
    apply_model(mesh, "embed", command=recorded_command(records),
                args=["--embeddings", "--ctx-size", "1024"], concurrency=2)
    apply_model(mesh, "counted", command=recorded_command(records), args=["--ctx-size", "1024"], usage="always",
                concurrency=1)
    apply_model(mesh, "stand-in", command=f"exec python3 -S {STAND_IN}", timeout="1s")
    for name in ("tiny", "embed", "counted", "stand-in"):
        eventually(lambda: (status_of(mesh, name) or {}).get("phase") == "Ready", 30 * SLOW, f"{name} is ready")


@pytest.fixture(scope="module")
def client(mesh, models):
    with openai.OpenAI(base_url=f"{mesh.url}/v1", api_key="none", max_retries=0, timeout=60) as found:
        eventually(lambda: found.models.retrieve("stand-in"), 10 * SLOW, "the gateway knows the models")
        yield found


# What the SDK can do.


@pytest.mark.parametrize("model", ["tiny", "default/tiny"])
def test_chat(client, model):
    answer = client.chat.completions.create(model=model, messages=HELLO, max_tokens=8)
    assert answer.object == "chat.completion" and answer.model == "tiny"
    assert answer.choices[0].message.role == "assistant" and answer.choices[0].message.content is not None
    assert answer.usage.completion_tokens <= 8 and answer.usage.prompt_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_completions(client):
    answer = client.completions.create(model="tiny", prompt="Once", max_tokens=4)
    assert answer.object == "text_completion" and answer.usage.completion_tokens <= 4


def test_responses(client):
    answer = client.responses.create(model="tiny", input="Once", max_output_tokens=4)
    assert answer.object == "response" and answer.usage.output_tokens <= 4


def test_embeddings(client):
    answer = client.embeddings.create(model="embed", input=["one", "two"])
    assert [len(item.embedding) for item in answer.data] == [64, 64]
    assert answer.data[0].embedding != answer.data[1].embedding and answer.usage.prompt_tokens > 0


@pytest.mark.parametrize("usage", [True, False, None])
@pytest.mark.parametrize("api", ["chat", "completions"])
def test_streams(client, api, usage):
    options = {} if usage is None else {"stream_options": {"include_usage": usage}}
    if api == "chat":
        stream = client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=6, stream=True,
                                                extra_body={"ignore_eos": True}, **options)
    else:
        stream = client.completions.create(model="tiny", prompt="Once", max_tokens=6, stream=True,
                                           extra_body={"ignore_eos": True}, **options)
    chunks = list(stream)
    assert len({chunk.id for chunk in chunks}) == 1 and chunks[0].model == "tiny"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    counted = [chunk.usage for chunk in chunks if chunk.usage]
    if usage:
        assert counted[-1].completion_tokens == 6 and chunks[-1].usage == counted[-1]
    if usage and api == "chat":
        assert chunks[-1].choices == []
    if not usage:
        assert not [chunk for chunk in chunks if not chunk.choices]


def test_the_async_client_too(mesh):
    async def talk():
        async with openai.AsyncOpenAI(base_url=f"{mesh.url}/v1", api_key="none") as client:
            stream = await client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=4, stream=True)
            return [chunk async for chunk in stream]
    assert len(asyncio.run(talk())) >= 2


def test_models_are_listed_and_described(client):
    listed = {model.id: model for model in client.models.list()}
    assert {"tiny", "embed", "stand-in"} <= set(listed)
    for name in ("tiny", "default/tiny"):
        model = client.models.retrieve(name)
        assert model.id in ("tiny", name) and model.object == "model" and model.created > 1_700_000_000
        assert model.owned_by
    assert listed["tiny"].namespace == "default" and "source" in listed["tiny"].model_extra


# Untouched, both ways.


def post(mesh, path, body, headers=()):
    return http.call(mesh.http, "POST", path, {"content-type": "application/json", **dict(headers)},
                     body, host=mesh.http, timeout=30 * SLOW)


@pytest.mark.parametrize("path, model, rest", [
    ("/v1/chat/completions", "tiny", {"messages": HELLO, "stream": True, "max_tokens": 20}),
    ("/v1/chat/completions", "tiny", {"messages": HELLO, "stream": True, "max_tokens": 20,
                                      "stream_options": {"include_usage": True}}),
    ("/v1/chat/completions", "tiny", {"messages": HELLO, "max_tokens": 20}),
    ("/v1/completions", "tiny", {"prompt": "Once", "stream": True, "max_tokens": 20}),
    ("/v1/embeddings", "embed", {"input": "Once"}),
    ("/v1/responses", "tiny", {"input": "Once", "stream": True, "max_output_tokens": 8}),
])
def test_the_bytes_are_the_model_servers_own_and_the_clients_own(mesh, client, records, path, model, rest):
    marker = uuid.uuid4().hex
    # Any order of keys, any white space, escapes and unknown fields.
    body = (f'{{ "user":"{marker}",\t"x":{{"model":"nobody"}}, "y":"\\u00fc" ,\n'
            f'{json.dumps(rest)[1:-1]}, "model" : "{model}" }}').encode()
    answer = post(mesh, path, body)
    assert answer.status == 200 and answer.complete, answer
    (request, response), = eventually(lambda: exchanges(records, marker.encode()), 5 * SLOW, "it was recorded")
    assert request.endswith(b"\r\n\r\n" + body)
    direct = read_last(response, marker)
    assert direct.status == 200 and answer.body == direct.body
    assert answer.header("content-type") == direct.header("content-type")
    if rest.get("stream"):
        assert answer.body.count(b"\n\n") > 3


def read_last(recorded, marker):
    """The last answer of a recorded connection, parsed as a client would."""
    connection = http.Connection.__new__(http.Connection)
    connection.buffer = recorded
    connection.receive = lambda: False
    answer = None
    while connection.buffer:
        answer = connection.read()
    return answer


# Counted, whether the client asks for it or not.


def tokens(mesh, model):
    scrape = mesh.scrape("gateway")
    return tuple(scrape.value("krypton_model_tokens_total", model=model, type=kind) or 0
                 for kind in ("prompt", "completion"))


def test_tokens_are_what_the_answers_say(mesh, client):
    before, streams = tokens(mesh, "tiny"), mesh.scrape("gateway").total(
        "krypton_model_time_to_first_token_seconds_count", model="tiny")
    plain = client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=7).usage
    *_, last = client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=5, stream=True,
                                              stream_options={"include_usage": True})
    assert last.usage.completion_tokens <= 5
    expected = (before[0] + plain.prompt_tokens + last.usage.prompt_tokens,
                before[1] + plain.completion_tokens + last.usage.completion_tokens)
    eventually(lambda: tokens(mesh, "tiny") == expected, 5 * SLOW, lambda: f"{expected}: {tokens(mesh, 'tiny')}")
    assert mesh.scrape("gateway").total("krypton_model_time_to_first_token_seconds_count",
                                        model="tiny") == streams + 1


def test_usage_always_asks_for_the_client_and_takes_the_answer_out_again(mesh, client, records):
    marker, before = uuid.uuid4().hex, tokens(mesh, "counted")
    body = json.dumps({"model": "counted", "stream": True, "user": marker, "messages": HELLO, "max_tokens": 6,
                       "ignore_eos": True}).encode()
    answer = post(mesh, "/v1/chat/completions", body)
    assert answer.status == 200 and answer.body.endswith(b"data: [DONE]\n\n") and b'"usage"' not in answer.body
    (request, response), = eventually(lambda: exchanges(records, marker.encode()), 5 * SLOW, "it was recorded")
    assert json.loads(request.partition(b"\r\n\r\n")[2])["stream_options"] == {"include_usage": True}
    events = read_last(response, marker).body.split(b"\n\n")
    assert answer.body == b"\n\n".join(event for event in events if b'"usage"' not in event)
    eventually(lambda: tokens(mesh, "counted")[1] == before[1] + 6, 5 * SLOW, "its tokens are counted")
    # Who asks gets it.
    *_, last = client.chat.completions.create(model="counted", messages=HELLO, max_tokens=3, stream=True,
                                              stream_options={"include_usage": True})
    assert last.choices == [] and last.usage.completion_tokens <= 3


# What goes wrong is what the SDK expects.


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nobody", messages=HELLO)
    assert caught.value.code == "model_not_found" and caught.value.type == "invalid_request_error"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")


@pytest.mark.parametrize("body", [
    b"{}", b'{"messages":[]}', b'{"model":7}', b'{"model":null}', b'{"model":"tiny"', b"", b"[1]", b'"tiny"',
    b'{"model":["tiny"]}', b"nonsense", b'{"model":"tiny\xff"}'])
def test_what_names_no_model_is_a_bad_request(mesh, client, body):
    answer = post(mesh, "/v1/chat/completions", body)
    assert answer.status == 400, answer
    error = json.loads(answer.body)["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["type"] == "invalid_request_error"


def test_the_model_servers_own_refusals_are_its_own(client):
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="tiny", messages="no list")
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="tiny", prompt="long " * 4000)
    assert "exceed" in str(caught.value) or "context" in str(caught.value)
    with pytest.raises(openai.InternalServerError):
        client.embeddings.create(model="tiny", input="x")  # It was not started for that.


def test_npms_openai_too(mesh, client, tmp_path):
    modules = os.environ.get("KRYPTON_TEST_NODE_OPENAI")
    if not modules or not shutil.which("node"):
        pytest.skip("Node or npm's openai is not here")
    script = Path(__file__).parent / "clients" / "openai.mjs"
    done = subprocess.run(["node", script, f"{mesh.url}/v1", modules], capture_output=True, text=True,
                          timeout=60 * SLOW)
    assert done.returncode == 0, done
    assert json.loads(done.stdout) == {
        "chat": True, "stream": True, "usage": True, "embeddings": 64, "listed": True,
        "unknown": "NotFoundError model_not_found", "wrong": "BadRequestError",
        "unsupported": "InternalServerError"}


# Two resources of one name.


def test_an_agent_and_a_model_of_one_name_exclude_each_other(mesh, client):
    mesh.apply("twin", scaleToZeroAfter="5m")
    apply_model(mesh, "twin", command=f"exec python3 -S {STAND_IN}")
    conditions = eventually(lambda: conflict_of(status_of(mesh, "twin")), 10 * SLOW, "the later one is told")
    assert conditions["status"] == "CONDITION_STATUS_TRUE" and "agent" in conditions["message"]
    assert status_of(mesh, "twin")["phase"] == "Failed"
    assert mesh.call("twin", "/pid").status == 200  # The first goes on.
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="twin", messages=HELLO)
    assert not [line for _, line in processes_of(mesh.root) if "--kind=model" in line and "--name=twin" in line]
    mesh.delete("twin")  # And when it goes, the other takes its place.
    eventually(lambda: status_of(mesh, "twin")["phase"] == "Ready", 20 * SLOW, "the model runs")
    assert conflict_of(status_of(mesh, "twin")) is None
    answer = eventually(lambda: client.chat.completions.create(model="twin", messages=HELLO), 10 * SLOW)
    assert answer.choices[0].message.content == "yes"
    delete_model(mesh, "twin")


def conflict_of(status):
    return next((c for c in (status or {}).get("conditions", []) if c["type"] == "NameConflict"), None)

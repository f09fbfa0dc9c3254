"""Tokens: what llama.cpp says of them is what the gateway counts, and where the gateway asks for it, a client
that did not sees nothing of that."""

import os

import openai
import pytest
from harness.models import apply_model, exchanges, recorded_command, status_of
from harness.processes import SLOW
from harness.waiting import eventually

if not os.environ.get("KRYPTON_TEST_PYTHON_MODELS"):
    pytest.skip("KRYPTON_TEST_PYTHON_MODELS is not set; ./dev test sets it", allow_module_level=True)

HELLO = [{"role": "user", "content": "Hello"}]
TOKENS = 6


@pytest.fixture(scope="module")
def records(mesh):
    return mesh.root / "records"


@pytest.fixture(scope="module")
def client(mesh, records):
    apply_model(mesh, "observed", args=["--ctx-size", "1024"])
    apply_model(mesh, "metered", command=recorded_command(records), args=["--ctx-size", "1024"], usage="always")
    for name in ("observed", "metered"):
        eventually(lambda: (status_of(mesh, name) or {}).get("phase") == "Ready", 30 * SLOW, f"{name} is ready")
    with openai.OpenAI(base_url=f"{mesh.url}/v1", api_key="none", max_retries=0, timeout=60) as found:
        eventually(lambda: found.models.retrieve("metered"), 10 * SLOW, "the gateway knows the models")
        yield found


def counted(mesh, model):
    scrape = mesh.scrape("gateway")
    tokens = [scrape.value("krypton_model_tokens_total", model=model, type=kind)
              for kind in ("prompt", "completion")]
    return [*tokens, scrape.value("krypton_model_time_to_first_token_seconds_count", model=model),
            scrape.value("krypton_model_time_per_output_token_seconds_count", model=model)]


def stream(client, model, **options):
    return list(client.chat.completions.create(model=model, messages=HELLO, max_tokens=TOKENS, stream=True,
                                               extra_body={"ignore_eos": True}, **options))


def expect(mesh, model, before, *added):
    wanted = [old + new for old, new in zip(before, added)]
    eventually(lambda: counted(mesh, model) == wanted, 5 * SLOW, f"{model} counts {added} on top of {before}")


def test_a_plain_answer_and_a_stream_that_says_it_are_counted(mesh, client):
    before = counted(mesh, "observed")
    usage = client.chat.completions.create(model="observed", messages=HELLO, max_tokens=TOKENS,
                                           extra_body={"ignore_eos": True}).usage
    assert usage.completion_tokens == TOKENS
    expect(mesh, "observed", before, usage.prompt_tokens, TOKENS, 0, 0)
    before = counted(mesh, "observed")
    chunks = stream(client, "observed", stream_options={"include_usage": True})
    assert chunks[-1].usage.completion_tokens == TOKENS
    expect(mesh, "observed", before, usage.prompt_tokens, TOKENS, 1, 1)


def test_a_stream_that_says_nothing_is_timed(mesh, client):
    before = counted(mesh, "observed")
    assert not [chunk for chunk in stream(client, "observed") if chunk.usage]
    expect(mesh, "observed", before, 0, 0, 1, 1)


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": False}}])
def test_the_gateway_asks_and_hides_it(mesh, client, records, options):
    before = counted(mesh, "metered")
    chunks = stream(client, "metered", user=f"asks {options}", **options)
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "length"
    eventually(lambda: counted(mesh, "metered")[1] == before[1] + TOKENS, 5 * SLOW, "the tokens are counted")
    assert counted(mesh, "metered")[0] > before[0]
    ((request, response),) = exchanges(records, f"asks {options}".encode())
    assert b'"include_usage":true' in request.replace(b": ", b":") and b'"completion_tokens":6' in response


def test_who_asks_gets_it(mesh, client):
    before = counted(mesh, "metered")
    chunks = stream(client, "metered", stream_options={"include_usage": True})
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == TOKENS
    expect(mesh, "metered", before, chunks[-1].usage.prompt_tokens, TOKENS, 1, 1)

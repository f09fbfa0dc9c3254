"""A serverless model, served by llama.cpp: wakes, answers the OpenAI SDK, and sleeps."""

import openai
import pytest
from harness import http
from harness.waiting import eventually
from kube.agents import is_ready, model
from kube.api import ApiError


@pytest.fixture
def tiny(api, mesh, namespace):
    """A Model whose id is its own: `namespace/name` always is."""
    body = model(namespace, "tiny")
    api.apply(body)
    eventually(lambda: f'"{namespace}/tiny"' in listing(mesh) or '"tiny"' in listing(mesh), 30, lambda: listing(mesh))
    return body


def listing(mesh):
    return http.call(mesh.gateway, target="/v1/models").text


def pods(api, namespace, name):
    return api.list("pods", namespace, f"krypton.ai/model={name}")


def client(mesh):
    return openai.OpenAI(base_url=f"http://{mesh.gateway}/v1", api_key="none", timeout=90, max_retries=0)


def test_it_wakes_answers_the_sdk_and_sleeps(api, mesh, namespace, tiny):
    assert not pods(api, namespace, "tiny")
    asked = dict(model=f"{namespace}/tiny", messages=[{"role": "user", "content": "hi"}], max_tokens=8)
    answer = client(mesh).chat.completions.create(**asked)
    assert answer.choices[0].message.content is not None and answer.usage.completion_tokens > 0
    events = list(client(mesh).chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert len(events) > 2 and events[-1].usage.completion_tokens > 0
    status = eventually(lambda: (now := api.get("models", namespace, "tiny")["status"])["phase"] == "Ready" and now, 20)
    assert status["readyReplicas"] == 1
    # The sidecar's word comes before the kubelet's.
    assert eventually(lambda: len([pod for pod in pods(api, namespace, "tiny") if is_ready(pod)]) == 1, 30)
    eventually(lambda: not pods(api, namespace, "tiny"), 60, "it sleeps again")
    eventually(lambda: api.get("models", namespace, "tiny")["status"]["replicas"] == 0, 20)


def test_its_pod_is_ready_by_health_and_has_time_to_load(api, mesh, namespace, tiny):
    assert client(mesh).models.retrieve(f"{namespace}/tiny")
    client(mesh).completions.create(model=f"{namespace}/tiny", prompt="a", max_tokens=2)
    spec = pods(api, namespace, "tiny")[0]["spec"]
    container = next(each for each in spec["containers"] if each["image"].endswith("/llama:test"))
    assert container["startupProbe"]["httpGet"]["path"] == container["readinessProbe"]["httpGet"]["path"] == "/health"
    probe = container["startupProbe"]
    assert probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3) >= 60
    assert {"--hf-repo", "example/tiny-GGUF"} <= set(container["args"])
    cache = [volume for volume in spec["volumes"] if "emptyDir" in volume]
    assert cache and {each["name"] for each in cache} & {mount["name"] for mount in container["volumeMounts"]}


def test_a_bad_model_is_refused(api, mesh, namespace):
    with pytest.raises(ApiError) as refused:
        api.apply(model(namespace, "bad", source={}))
    assert refused.value.status == 422 and "source" in refused.value.message

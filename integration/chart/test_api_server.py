"""A real kube-apiserver and `krypton validate` say the same of the table and of thousands of generated manifests.

Needs the programs that `integration/kubernetes/cluster build` makes; skipped aloud where they are not.
"""

import concurrent.futures
import json
import os

import pytest
from generated import Source
from harness import validate
from harness.crds import define
from manifests import WORDLESS, manifest, table

ROWS = table()
GENERATED = int(os.environ.get("KRYPTON_TEST_GENERATED_MANIFESTS", "4000"))
SEED = os.environ.get("KRYPTON_TEST_SEED", "1")


@pytest.fixture(scope="module")
def defined(api_server):
    define(api_server)
    return api_server


def verdict(server, resource):
    """[(field, message)] that the server has against it."""
    path = f"/apis/krypton.ai/v1alpha1/namespaces/default/{resource['kind'].lower()}s?dryRun=All&fieldValidation=Strict"
    status, answer = server.request("POST", path, resource)
    if status == 201:
        return []
    assert status in (400, 422), (status, answer)
    causes = answer.get("details", {}).get("causes", [])
    return [(cause.get("field", ""), cause["message"]) for cause in causes] or [("", answer["message"])]


def verdicts(server, resources):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda each: verdict(server, each), resources))


@pytest.fixture(scope="module")
def said(defined):
    return verdicts(defined, [row[1] for row in ROWS])


@pytest.mark.parametrize("index", range(len(ROWS)), ids=[row[0] or "empty" for row in ROWS])
def test_the_api_server_says_what_the_table_says(said, index):
    text, _, field, words = ROWS[index]
    problems = said[index]
    assert bool(problems) == bool(field), (text, problems)
    if field and words is not WORDLESS:
        assert any(words in message for _, message in problems), (text, problems)


def test_generated_manifests_get_the_same_verdict(defined):
    source = Source(SEED)
    resources = [source.next() for _ in range(GENERATED)]
    here, there = validate.problems(resources), verdicts(defined, resources)
    differing = [(resource, mine, its) for resource, mine, its in zip(resources, here, there)
                 if bool(mine) != bool(its)]
    refused = sum(map(bool, here))
    assert not differing, f"{len(differing)} of {GENERATED}, the first: " + "\n".join(
        json.dumps(part, ensure_ascii=False)[:2000] for part in differing[0])
    # Neither nearly all right nor nearly all wrong: both ways are looked at.
    assert GENERATED * 0.2 < refused < GENERATED * 0.9, refused


def test_defaults_are_the_designs(defined):
    path = "/apis/krypton.ai/v1alpha1/namespaces/default/{}?dryRun=All"
    _, agent = defined.request("POST", path.format("agents"), manifest("Agent", "a", {"image": "i"}))
    assert agent["spec"] == {
        "image": "i", "imagePullPolicy": "IfNotPresent", "protocol": "a2a", "mode": "always-on", "maxReplicas": 10,
        "concurrency": 8, "port": 8080, "invocationPath": "/", "timeout": "60s", "startupTimeout": "30s",
        "hostHeader": "preserve", "maxStreams": 256, "scaler": "krypton", "replicas": 1, "service": True}
    _, model = defined.request("POST", path.format("models"),
                               manifest("Model", "m", {"source": {"huggingface": "a/b"}}))
    assert model["spec"] == {
        "source": {"huggingface": "a/b"}, "runtime": "llama.cpp", "image": "ghcr.io/ggml-org/llama.cpp:server",
        "imagePullPolicy": "IfNotPresent", "port": 8080, "mode": "always-on", "maxReplicas": 1, "concurrency": 4,
        "timeout": "600s", "startupTimeout": "600s", "usage": "observe", "scaler": "krypton", "replicas": 1,
        "service": True}


def test_nothing_of_a_full_manifest_is_pruned(defined):
    from generated import FULL_AGENT, FULL_MODEL
    for kind, spec in (("Agent", FULL_AGENT), ("Model", FULL_MODEL)):
        _, kept = defined.request("POST", f"/apis/krypton.ai/v1alpha1/namespaces/default/{kind.lower()}s?dryRun=All",
                                  manifest(kind, "full", spec))
        assert {key: kept["spec"].get(key) for key in spec} == spec

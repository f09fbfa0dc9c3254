"""How Agents and Models are at kubectl: columns, explain, typing errors, scale; and what is kept of a cluster."""

import importlib.util
import json
import os
from pathlib import Path

import pytest
import yaml
from harness.crds import define
from manifests import manifest

ROOT = Path(os.environ["KRYPTON_SOURCE_DIR"])


@pytest.fixture(scope="module")
def server(api_server):
    define(api_server)
    return api_server


def apply(server, resource, *arguments):
    return server.kubectl("apply", "-f", "-", *arguments, text=yaml.safe_dump(resource))


@pytest.fixture
def agent(server):
    """Declares an agent of some name and spec; gone after the test."""
    names = []

    def declare(name, **spec):
        done = apply(server, manifest("Agent", name, {"image": "i"} | spec))
        assert done.returncode == 0, done.stderr
        names.append(name)
    yield declare
    for name in names:
        server.kubectl("delete", "agent", name)


def test_get_shows_what_one_looks_for(server, agent):
    agent("seen", mode="serverless")
    status = {"phase": "Ready", "replicas": 2, "readyReplicas": 2, "desiredReplicas": 3, "url": "http://g/v1/x"}
    done = server.kubectl("patch", "agent", "seen", "--subresource=status", "--type=merge", "-p",
                          json.dumps({"status": status}))
    assert done.returncode == 0, done.stderr
    for words in (["get", "ag"], ["get", "agents"], ["get", "krypton"]):
        header, row = server.kubectl(*words).stdout.splitlines()[:2]
        assert header.split() == ["NAME", "MODE", "READY", "DESIRED", "PHASE", "URL", "AGE"]
        assert row.split()[1:6] == ["serverless", "2", "3", "Ready", "http://g/v1/x"]
    assert server.kubectl("get", "mdl").returncode == 0
    found = server.kubectl("api-resources", "--categories=krypton", "-o", "name").stdout.split()
    assert found == ["agents.krypton.ai", "models.krypton.ai"]


def test_explain_says_what_each_field_is(server):
    text = server.kubectl("explain", "agent.spec.maxStreams").stdout
    assert "standing event streams that one replica may have open" in " ".join(text.split())
    text = server.kubectl("explain", "agent.spec.volumes.emptyDir.sizeLimit").stdout
    assert "sizeLimit" in text and "FIELD" in text
    done = server.kubectl("explain", "model", "--recursive")
    assert done.returncode == 0 and "huggingface" in done.stdout


def test_a_typing_error_is_refused(server):
    done = apply(server, manifest("Agent", "typo", {"image": "i", "minReplica": 1}))
    assert done.returncode != 0 and 'unknown field "spec.minReplica"' in done.stderr
    done = apply(server, manifest("Agent", "typo", {"image": "i", "port": 70000}))
    assert "spec.port" in done.stderr and "70000 is not in 1..65535" in done.stderr


def test_spec_does_not_write_status_nor_status_spec(server, agent):
    agent("apart")
    server.kubectl("patch", "agent", "apart", "--type=merge", "-p", '{"status": {"replicas": 9}}')
    server.kubectl("patch", "agent", "apart", "--subresource=status", "--type=merge", "-p",
                   '{"spec": {"port": 9}, "status": {"replicas": 2}}')
    found = json.loads(server.kubectl("get", "agent", "apart", "-o", "json").stdout)
    assert found["status"]["replicas"] == 2 and found["spec"]["port"] == 8080
    assert found["metadata"]["generation"] == 1


def test_scale_is_refused_while_krypton_scales(server, agent):
    agent("own")
    done = server.kubectl("scale", "agent", "own", "--replicas=3")
    assert done.returncode != 0
    assert "3 contradicts spec.scaler krypton, which decides by load" in done.stderr, done.stderr


def test_scale_is_obeyed_where_others_scale(server, agent):
    agent("others", scaler="external", replicas=2)
    server.kubectl("patch", "agent", "others", "--subresource=status", "--type=merge", "-p",
                   '{"status": {"replicas": 2, "selector": "krypton.ai/agent=others"}}')
    done = server.kubectl("scale", "agent", "others", "--current-replicas=2", "--replicas=5")
    assert done.returncode == 0, done.stderr
    _, scale = server.request("GET", "/apis/krypton.ai/v1alpha1/namespaces/default/agents/others/scale")
    assert scale["spec"]["replicas"] == 5
    assert scale["status"] == {"replicas": 2, "selector": "krypton.ai/agent=others"}
    found = json.loads(server.kubectl("get", "agent", "others", "-o", "json").stdout)
    assert found["spec"]["replicas"] == 5 and found["metadata"]["generation"] == 2


def test_scale_to_zero_and_out_of_range(server, agent):
    agent("down", scaler="external")
    assert server.kubectl("scale", "agent", "down", "--replicas=0").returncode == 0
    assert "20000 is not in 0..10000" in server.kubectl("scale", "agent", "down", "--replicas=20000").stderr


def test_what_is_kept_of_a_cluster_is_what_it_says(server, monkeypatch, capsys):
    """core_types.json and schemas.json, against this API server; their version is its version."""
    _, description = server.request("GET", "/openapi/v2")

    def load(path):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    core = load(ROOT / "charts/crds/core_types.py").types_of(description["definitions"])
    assert core == json.loads((ROOT / "charts/crds/core_types.json").read_text())
    schemas = load(ROOT / "integration/chart/take_schemas.py").schemas_of(description["definitions"])
    assert schemas == json.loads((ROOT / "integration/chart/schemas.json").read_text())

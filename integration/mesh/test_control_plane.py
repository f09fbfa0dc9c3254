"""What runs, how it does, and why: the control plane over REST, as people and tools ask it."""

import json
import urllib.request

import pytest
from harness import http
from harness.http import Connection, path, request
from harness.load import burst
from harness.processes import SLOW
from harness.waiting import eventually
from openapi_spec_validator import validate

MESH = {"manager": ["--scaler-stable-window", "1s", "--scaler-interval", "200ms"],
        "gateway": ["--max-buffer-per-agent", "64"]}
NAMES = [f"a{n:02}" for n in range(25)]


@pytest.fixture(scope="module", autouse=True)
def agents(mesh):
    for name in NAMES:
        mesh.apply(name, namespace="list", wait=False, protocol="mcp" if name < "a05" else "http",
                   framework="langgraph" if name == "a07" else "none")
    mesh.apply("why", concurrency=1, maxReplicas=2, scaleToZeroAfter="1s")
    mesh.wait_known(*NAMES, namespace="list")


def get(mesh, target):
    return mesh.get("control_plane", target, "http")


def names(answer):
    return [item["metadata"]["name"] for item in answer["items"]]


def test_pages_of_20_unless_asked_otherwise_and_at_most_100(mesh):
    def listed():
        answer = get(mesh, "/v1/agents?namespace=list")
        return answer if answer["total"] == 25 else None
    answer = eventually(listed, 5 * SLOW, "all are listed")
    assert names(answer) == NAMES[:20]
    assert (answer["page"], answer["pageSize"], answer["total"]) == (1, 20, 25)
    assert names(get(mesh, "/v1/agents?namespace=list&page=2")) == NAMES[20:]
    assert names(get(mesh, "/v1/agents?namespace=list&page=3")) == []
    assert len(names(get(mesh, "/v1/agents?namespace=list&page_size=100"))) == 25
    assert get(mesh, "/v1/agents?namespace=list&page_size=1000")["pageSize"] == 100


def test_filters_and_order(mesh):
    assert names(get(mesh, "/v1/agents?namespace=list&protocol=mcp")) == NAMES[:5]
    assert names(get(mesh, "/v1/agents?q=A07")) == ["a07"]
    assert names(get(mesh, "/v1/agents?q=LangGraph")) == ["a07"]
    assert names(get(mesh, "/v1/agents?namespace=list&order=desc&page_size=3")) == NAMES[:-4:-1]
    assert names(get(mesh, "/v1/agents?namespace=nowhere")) == []
    for sort in ("name", "namespace", "created", "phase", "replicas", "last_invocation"):
        assert get(mesh, f"/v1/agents?namespace=list&sort={sort}&page_size=100")["total"] == 25


def test_one_agent_and_its_status(mesh):
    agent = get(mesh, "/v1/agents/default/why")
    assert agent["spec"]["concurrency"] == 1 and agent["spec"]["timeout"] == "60s"
    assert agent["status"]["url"] == f"{mesh.url}/v1/agents/default/why"
    mesh.apply("state", maxReplicas=1, scaleToZeroAfter="1s")

    def status():
        return get(mesh, "/v1/agents/default/state/status")

    def available():
        return next(c for c in status()["conditions"] if c["type"] == "Available")

    assert mesh.call("state", "/pid").status == 200
    eventually(lambda: status()["phase"] == "AGENT_PHASE_READY" and status()["readyReplicas"] == 1, 5 * SLOW)
    assert available()["status"] == "CONDITION_STATUS_TRUE" and available()["reason"] == "Ready"
    assert status()["desiredReplicas"] == 1
    mesh.wait_replicas("state", 0)
    eventually(lambda: available()["reason"] == "ScaledToZero", 5 * SLOW, "its status says that it sleeps")
    assert status()["lastInvocationAt"]


def test_the_same_under_api(mesh):
    assert get(mesh, "/api/v1/agents/default/why")["metadata"] == get(mesh, "/v1/agents/default/why")["metadata"]
    assert get(mesh, "/v1/models")["items"] == get(mesh, "/api/v1/models")["items"] == []


def test_a_watch_streams_each_change_on_a_line(mesh):
    with Connection(mesh.address("control_plane", "http")) as connection:
        connection.send(request("GET", "/v1/agents:watch?namespace=default"))
        answer = connection.read_head()
        assert answer.status == 200 and answer.header("content-type") == "application/json"
        assert answer.header("transfer-encoding") == "chunked"
        lines = (json.loads(line)["result"] for data in connection.chunks(answer)
                 for line in data.splitlines())
        types = [next(lines)["type"]]
        while types[-1] == "CHANGE_TYPE_ADDED":
            types.append(next(lines)["type"])
        assert len(types) > 1 and types[-1] == "CHANGE_TYPE_SYNCED", types
        mesh.apply("watched", wait=False)
        change = next(line for line in lines if line["agent"]["metadata"]["name"] == "watched")
        assert change["type"] == "CHANGE_TYPE_ADDED"
        mesh.delete("watched")
        change = next(line for line in lines if line["agent"]["metadata"]["name"] == "watched"
                      and line["type"] == "CHANGE_TYPE_DELETED")
        assert change


def test_the_openapi_document_passes_a_validator(mesh):
    answer = http.call(mesh.address("control_plane", "http"), target="/openapi.json")
    document = json.loads(answer.body)
    validate(document)
    for route in ("/v1/agents", "/v1/agents/{namespace}/{name}", "/v1/agents/{namespace}/{name}/status",
                  "/v1/models", "/v1/agents:watch"):
        assert "get" in document["paths"][route], route


def test_why_it_has_what_it_has(mesh):
    mesh.wait_replicas("why", 0)
    results = burst(mesh.http, path("default", "why", "/sleep?ms=300"), 12)
    assert all(r.status == 200 for r in results)
    mesh.wait_replicas("why", 0)
    answer = get(mesh, "/v1/agents/default/why:explain")
    assert answer["summary"]
    decisions = [record["decision"] for record in answer["decisions"]]
    rules = [decision["rule"] for decision in decisions]
    assert "SCALING_RULE_IDLE" in rules and "SCALING_RULE_WAKE" in rules, rules
    moves = [(d["previous"], d["desired"]) for d in reversed(decisions)]
    assert all(previous != desired for previous, desired in moves), "only what changed something"
    assert all(a[1] == b[0] for a, b in zip(moves, moves[1:])), moves
    woken = next(d for d in decisions if d["rule"] == "SCALING_RULE_WAKE")
    assert woken["waiting"] >= 1 and woken["concurrency"] == 1 and woken["reason"]
    highest = max(decisions, key=lambda d: d["desired"])
    assert highest["desired"] == 2 and highest["demand"] >= 1
    assert len(get(mesh, "/v1/agents/default/why:explain?limit=2")["decisions"]) == 2


def test_explanations_have_a_bound(mesh):
    """Invariant 4, for this memory: 100 at most, however often it scales."""
    for _ in range(3):
        assert mesh.call("why", "/pid").status == 200
        mesh.wait_replicas("why", 0)
    assert len(get(mesh, "/v1/agents/default/why:explain?limit=100")["decisions"]) <= 100
    assert len(get(mesh, "/v1/agents/default/why:explain?limit=1000000")["decisions"]) <= 100
    answer = http.call(mesh.address("control_plane", "http"), target="/v1/agents/default/why:explain?limit=-1")
    assert answer.status == 400


def test_endpoints_and_logs(mesh):
    assert mesh.call("why", "/pid").status == 200
    # The gateway may have heard of it a moment before.
    eventually(lambda: ("why", "ENDPOINT_STATE_READY") in [
        (item["key"]["name"], item["endpoint"]["state"])
        for item in get(mesh, "/v1/endpoints?namespace=default&name=why")["items"]],
               5 * SLOW, "an endpoint that is ready")
    with urllib.request.urlopen(
            f"http://{mesh.address('control_plane', 'http')}/v1/agents/default/why/logs") as answer:
        lines = [line for part in answer for line in json.loads(part)["result"]["lines"]]
    assert any("starts on" in line for line in lines), lines


def test_it_answers_without_its_manager_and_hears_of_the_next(new_mesh):
    mesh = new_mesh()
    mesh.apply("known")
    eventually(lambda: get(mesh, "/v1/agents")["total"] == 1, 5 * SLOW)
    mesh.components["manager"].kill()
    assert names(get(mesh, "/v1/agents")) == ["known"]
    mesh.start_manager()
    mesh.apply("later", wait=False)
    eventually(lambda: names(get(mesh, "/v1/agents")) == ["known", "later"], 15 * SLOW, "it has caught up")

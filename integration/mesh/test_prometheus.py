"""A real Prometheus over a mesh: every query of dashboards and rules has an answer, and the counts are the client's."""

import json
import os
import time

import pytest
from harness import http, load
from harness.counts import Counts
from harness.mesh import Mesh
from harness.metrics_page import documented
from harness.models import STAND_IN, apply_model, status_of
from harness.prometheus import BINARIES, Prometheus
from harness.processes import SLOW
from harness.queries import NAMES, named_in, queries, recipes, rules
from harness.waiting import eventually

NAMESPACES = ("default", "team")
MODELS = "KRYPTON_TEST_PYTHON_MODELS" in os.environ
TRACE = os.urandom(16).hex()


class Client:
    """Calls, and counts what came."""

    def __init__(self, mesh):
        self.mesh, self.counts = mesh, Counts()

    def call(self, agent, rest, namespace="default", **options):
        answer = self.mesh.call(agent, rest, namespace, **options)
        self.counts.agent(namespace, agent, answer.status)
        return answer

    def burst(self, agent, rest, count, namespace="default"):
        results = load.burst(self.mesh.http, http.path(namespace, agent, rest), count)
        for result in results:
            self.counts.agent(namespace, agent, result.status)
        return results


def everything_happens(mesh, client):
    """Wake-ups, overload, full queues, errors, draining: in two namespaces."""
    for namespace in NAMESPACES:
        mesh.apply("echo", namespace, concurrency=2, maxReplicas=1, scaleToZeroAfter="5m")
        client.call("echo", "/pid", namespace)  # Wakes it.
        for code in (200, 404, 500):
            for _ in range(5):
                client.call("echo", f"/status?code={code}", namespace)
        client.burst("echo", "/sleep?ms=100", 40, namespace)  # More than queue and replica hold.
    client.call("echo", "/pid", headers={"traceparent": f"00-{TRACE}-{os.urandom(8).hex()}-01"})
    if MODELS:
        models_answer(mesh, client.counts)
    straight_to_the_sidecar(mesh)
    replicas_go_and_come(mesh, client)
    mesh.call("nobody")
    for _ in range(3):
        mesh.get("control_plane", "/v1/agents", "http")


def models_answer(mesh, counts):
    """Plain and streamed answers of the real llama.cpp, and failures of one that fails as told."""
    apply_model(mesh, "tiny", args=["--ctx-size", "2048"])
    apply_model(mesh, "stand-in", command=f"exec python3 -S {STAND_IN}")
    for name in ("tiny", "stand-in"):
        eventually(lambda: (status_of(mesh, name) or {}).get("phase") == "Ready", 60 * SLOW, f"{name} is ready")
    hello = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    for body in [{"model": "tiny", **hello}] * 3 + [{"model": "tiny", **hello, **streamed}] * 3 \
            + [{"model": "stand-in", "behave": "503"}] * 2:
        answer = http.call(mesh.http, "POST", "/v1/chat/completions", body=json.dumps(body).encode(), timeout=60)
        counts.model(body["model"], answer.status)


def straight_to_the_sidecar(mesh):
    """Callers that go around the gateway are refused when the replica is full."""
    (endpoint,) = mesh.endpoints("echo")
    results = load.burst(endpoint["address"], "/sleep?ms=300", 8)
    assert any(result.error == "over_capacity" for result in results), load.summary(results)


def replicas_go_and_come(mesh, client):
    """A replica that drains under traffic: its place is taken by a new revision's."""
    mesh.apply("rolling", mode="always-on", maxReplicas=1)
    mesh.wait_replicas("rolling", 1)
    client.call("rolling", "/pid")
    mesh.apply("rolling", mode="always-on", maxReplicas=1, labels={"revision": "2"})
    client.call("rolling", "/pid")


@pytest.fixture(scope="module", params=sorted(BINARIES), ids=lambda version: f"prometheus{version}")
def scraped(request):
    """A mesh in which everything has happened under the eyes of a Prometheus: (mesh, prometheus, client)."""
    if not BINARIES[request.param]:
        pytest.skip(f"no Prometheus {request.param}.x is here")
    mesh = Mesh(gateway=["--max-buffer-per-agent", "20"])
    try:
        mesh.start()
        prometheus = Prometheus(mesh, request.param, patient=False)
        prometheus.wait_targets()  # So that rates have what came before.
        client = Client(mesh)
        everything_happens(mesh, client)
        prometheus.wait_scraped()
        yield mesh, prometheus, client
        prometheus.stop()
        mesh.stop()
    finally:
        mesh.remove()


def test_every_target_is_up_and_none_is_there_twice(scraped):
    _, prometheus, _ = scraped
    jobs = {labels["job"]: value for labels, value in prometheus.ask("sum by (job) (up)")}
    assert jobs == {"krypton-gateway": 1, "krypton-control-plane": 1, "krypton-manager": 1,
                    "krypton-system/krypton-agents": 5 if MODELS else 3}
    assert not prometheus.ask("count by (instance) (up) > 1")


def test_counters_are_what_the_client_counted(scraped):
    _, prometheus, client = scraped
    assert client.counts.agents and not client.counts.differences(prometheus)


def test_an_agents_namespace_is_its_own(scraped):
    _, prometheus, _ = scraped
    assert not prometheus.ask('{exported_namespace!=""}')
    for series in ("krypton_invocations_total", "krypton_agent_replicas_desired", "krypton_proxy_inflight"):
        found = {labels["namespace"] for labels, _ in prometheus.ask(f'{series}{{agent!="_unknown"}}')}
        assert found == set(NAMESPACES), series
    assert {labels["namespace"] for labels, _ in prometheus.ask("krypton_registry_version")} == {"krypton-system"}


def test_models_counters_are_what_the_client_counted(scraped):
    _, prometheus, client = scraped
    if not MODELS:
        pytest.skip("KRYPTON_TEST_PYTHON_MODELS is not set; ./dev test sets it")
    assert client.counts.models == {("tiny", "200"): 6, ("stand-in", "503"): 2}
    assert not client.counts.differences(prometheus)
    assert prometheus.value('krypton_model_time_to_first_token_seconds_count{model="tiny"}') == 3
    assert prometheus.value('krypton_model_tokens_total{model="tiny", type="completion"}') > 6


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_shows_something(scraped, name):
    _, prometheus, _ = scraped
    if name == "krypton-models" and not MODELS:
        pytest.skip("KRYPTON_TEST_PYTHON_MODELS is not set; ./dev test sets it")
    chosen = {"namespace": "default", "agent": "echo", "model": ".+"}
    if name == "krypton-overview":
        chosen = {"namespace": ".+", "agent": ".+"}
    for where, expr in queries(name, **chosen):
        if named_in(expr) & documented(elsewhere=True):
            continue  # Of a cluster: integration/kubernetes/monitoring asks these.
        eventually(lambda: prometheus.ask(expr), 10 * SLOW, f"{name}: {where}: {expr}", every=0.3)


def test_every_recording_rule_records(scraped):
    _, prometheus, _ = scraped
    for rule in rules():
        if "record" in rule:
            eventually(lambda: prometheus.ask(rule["record"]), 10 * SLOW, rule["record"], every=0.3)


@pytest.mark.parametrize("agent", ["echo", "asleep"])
def test_the_recipes_for_other_scalers_have_a_value(scraped, agent):
    """Of an agent that runs, and of one that sleeps: a trigger without a value would never wake it."""
    mesh, prometheus, _ = scraped
    if agent == "asleep" and mesh.route("asleep") is None:
        mesh.apply("asleep")
    adapter, keda, desired = sorted(recipes("default", agent), key=lambda query: ("sum by" not in query, "desired" in query))
    eventually(lambda: prometheus.value(keda) is not None, 10 * SLOW, keda, every=0.3)
    if agent == "echo":
        assert prometheus.value(adapter) is not None
        assert prometheus.value(desired) >= 1


def test_every_alert_is_evaluated(scraped):
    _, prometheus, _ = scraped
    found = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert len(found) == len(rules())
    assert {rule["health"] for rule in found} == {"ok"}, found


def test_what_the_client_saw_is_what_the_panels_say(scraped):
    _, prometheus, client = scraped
    refused = sum(count for (_, agent, status), count in client.counts.agents.items() if (agent, status) == ("echo", "503"))
    assert refused > 0
    assert prometheus.value('sum(krypton_gateway_errors_total{reason="queue_full"})') == refused
    assert prometheus.value('sum(krypton_proxy_rejected_total{reason="over_capacity", agent="echo"})') > 0
    for namespace in NAMESPACES:
        assert prometheus.value(f'krypton_cold_starts_total{{namespace="{namespace}", agent="echo"}}') >= 1
    assert prometheus.value('krypton_proxy_concurrency{namespace="team", agent="echo"}') == 2


def test_exemplars_lead_to_the_trace(scraped):
    _, prometheus, _ = scraped
    now = time.time()
    found = prometheus.get("query_exemplars", query="krypton_invocation_duration_seconds_bucket",
                           start=now - 600, end=now + 60)
    assert [exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]] == [TRACE]


def firing(prometheus, name):
    return [alert for alert in prometheus.get("alerts")["alerts"]
            if alert["labels"]["alertname"] == name and alert["state"] == "firing"]


def test_an_alert_fires_and_resolves(scraped):
    mesh, prometheus, _ = scraped
    assert not firing(prometheus, "KryptonAgentUnavailable")
    mesh.apply("broken", mode="always-on", maxReplicas=1, command="sleep 1000")  # Never opens its port.
    (alert,) = eventually(lambda: firing(prometheus, "KryptonAgentUnavailable"), 30 * SLOW, "it fires", every=0.3)
    assert alert["labels"] | {"agent": "broken", "namespace": "default", "severity": "critical"} == alert["labels"]
    assert alert["annotations"]["dashboard_url"] == "/d/krypton-agent?var-namespace=default&var-agent=broken"
    mesh.apply("broken", mode="always-on", maxReplicas=1)
    mesh.wait_replicas("broken", 1)
    prometheus.wait_targets()
    eventually(lambda: not firing(prometheus, "KryptonAgentUnavailable"), 30 * SLOW, "it resolves", every=0.3)


def test_a_deleted_agents_series_go_stale(scraped):
    mesh, prometheus, _ = scraped
    mine = '{namespace="team", agent="echo"}'
    assert prometheus.ask(mine)
    mesh.delete("echo", "team")
    eventually(lambda: mesh.route("echo", "team") is None and not mesh.sidecars_of("gone"), 10 * SLOW, "it is gone")

    def stale():
        prometheus.find_targets()
        return not [labels for labels, _ in prometheus.ask(mine) if not labels["__name__"].startswith(("agent_", "ALERTS"))]
    eventually(stale, 60 * SLOW, lambda: f"its series are stale: {prometheus.ask(mine)[:3]}", every=0.3)

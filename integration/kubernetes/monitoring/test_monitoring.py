"""The Prometheus Operator takes what the chart gives it: targets, values, dashboards, rules, in 2.x and 3.x."""

import json
import time

import pytest
from happenings import MODEL, TEAMS, TRACE
from harness.queries import NAMES, queries, rules
from harness.waiting import always, eventually
from kube.mesh import SYSTEM, kubectl

JOBS = {"krypton-gateway", "krypton-control-plane", "krypton-manager"}


def running(api):
    """ip:port of all that should be scraped: one a component's pod and one a sidecar."""
    ports = {"gateway": 8081, "control-plane": 8091, "manager": 8080}
    found = set()
    for component, port in ports.items():
        found |= {f"{pod['status']['podIP']}:{port}" for pod in
                  api.list("pods", SYSTEM, f"app.kubernetes.io/component={component}")}
    return found | {f"{pod['status']['podIP']}:8888" for pod in
                    api.list("pods", None, "app.kubernetes.io/managed-by=krypton-runtime")
                    if pod["status"]["phase"] == "Running"}


def test_without_the_label_it_takes_none(prometheus, api):
    monitors = kubectl("-n", SYSTEM, "get", "servicemonitors,podmonitors", "-o", "name").split()
    assert len(monitors) == 4
    always(lambda: not prometheus.targets(), 10, "no target", every=0.5)


def test_every_target_is_up_and_none_twice(used, prometheus, api):
    eventually(lambda: prometheus.scraped() == sorted(running(api)), 60,
               lambda: f"{prometheus.scraped()} of {sorted(running(api))}", every=0.5)
    jobs = {labels["job"] for labels, _ in prometheus.ask("up")}
    assert jobs == JOBS | {f"{SYSTEM}/krypton-agents"}
    pods = prometheus.ask(f'up{{job="{SYSTEM}/krypton-agents"}}')
    assert {labels["namespace"] for labels, _ in pods} == set(TEAMS)
    assert {labels["container"] for labels, _ in pods} == {"krypton-proxy"}


def test_an_agents_namespace_is_its_own(used, prometheus):
    assert not prometheus.ask('{exported_namespace!=""}')
    for series in ("krypton_invocations_total", "krypton_agent_replicas_desired", "krypton_proxy_inflight"):
        def found():
            return {labels["namespace"] for labels, _ in prometheus.ask(f'{series}{{agent!="_unknown"}}')}
        eventually(lambda: found() == set(TEAMS), 60, lambda: f"{series} of {found()}", every=0.5)
    assert {labels["namespace"] for labels, _ in prometheus.ask("krypton_registry_version")} == {SYSTEM}


def test_only_the_leader_exports_the_scalers_series(used, prometheus, mesh):
    def exporters(series):
        return {labels["pod"] for labels, _ in prometheus.ask(series)}

    for series in ("krypton_agent_replicas_desired", "krypton_scaler_decisions_total", "krypton_scaler_sources"):
        eventually(lambda: exporters(series) == {mesh.leading_pod()["metadata"]["name"]}, 60,
                   lambda: f"{series} of {exporters(series)}", every=0.5)
    assert {labels["pod"] for labels, _ in prometheus.ask("krypton_manager_leader")} == {
        pod["metadata"]["name"] for pod in mesh.pods("manager")}


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_shows_something(used, prometheus, name):
    chosen = {"namespace": TEAMS[0], "agent": "echo", "model": MODEL}
    if name == "krypton-overview":
        chosen = {"namespace": ".+", "agent": ".+"}
    for where, expr in queries(name, **chosen):
        eventually(lambda: prometheus.ask(expr), 20, f"{name}: {where}: {expr}", every=0.5)


def test_every_rule_is_there_and_well(used, prometheus):
    found = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert sorted(rule["name"] for rule in found) == sorted(rule.get("record") or rule["alert"] for rule in rules())
    for rule in rules():
        if "record" in rule:
            eventually(lambda: prometheus.ask(rule["record"]), 40, rule["record"], every=0.5)
    assert {rule["health"] for group in prometheus.get("rules")["groups"] for rule in group["rules"]} == {"ok"}


def test_exemplars_lead_to_the_trace(used, prometheus):
    now = time.time()
    found = prometheus.get("query_exemplars", query="krypton_invocation_duration_seconds_bucket",
                           start=now - 3600, end=now + 60)
    assert TRACE in {exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]}


def test_the_dashboards_are_there_for_grafanas_sidecar(used):
    maps = json.loads(kubectl("-n", SYSTEM, "get", "configmaps", "-l", "grafana_dashboard=1", "-o", "json"))["items"]
    assert sorted(each["metadata"]["name"] for each in maps) == NAMES
    for each in maps:
        assert each["metadata"]["annotations"]["grafana_folder"] == "Krypton"
        (text,) = each["data"].values()
        assert json.loads(text)["uid"] == each["metadata"]["name"]

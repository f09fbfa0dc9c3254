"""The Prometheus Operator takes what the chart gives it: targets, values, dashboards, rules, in 2.x and 3.x."""

import json
import os
import subprocess
import time

import pytest
import yaml
from harness import http, load
from harness.queries import NAMES, queries, rules
from harness.waiting import always, eventually
from kube.agents import Handle, agent, always_on, image
from kube.mesh import SYSTEM, kubectl
from page import block, quick_setup, shell
from stack import NAMESPACE, VERSIONS, apply, hurried

# Two, since pods are found in every namespace.
TEAMS = ("team-a", "team-b")
TRACE = os.urandom(16).hex()
JOBS = {"krypton-gateway", "krypton-control-plane", "krypton-manager"}


@pytest.fixture(params=sorted(VERSIONS), ids=lambda version: f"prometheus{version}")
def prometheus(request, stack):
    return stack[request.param]


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


def scraped(prometheus):
    """Of Krypton's monitors: addresses, with repetitions."""
    return sorted(target["labels"]["instance"] for pool, targets in prometheus.targets().items()
                  for target in targets if "/krypton-" in pool and target["health"] == "up")


def test_without_the_label_it_takes_none(prometheus, api):
    monitors = kubectl("-n", SYSTEM, "get", "servicemonitors,podmonitors", "-o", "name").split()
    assert len(monitors) == 4
    always(lambda: not prometheus.targets(), 10, "no target", every=0.5)


@pytest.fixture(scope="module")
def used(mesh, api, stack):
    """Installed as docs/metrics.md says, and everything has happened: {(namespace, agent, status): calls}."""
    shell(quick_setup() + " --set prometheusRule.enabled=true --set prometheusRule.labels.release=prom"
          " --set dashboards.enabled=true")
    mesh.settled()
    counts = {}
    for name in TEAMS:
        apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for each in stack.values():
        eventually(lambda: len(scraped(each)) >= 5, 120, "components are scraped", every=0.5)
    for name in TEAMS:
        everything_happens(api, mesh, name, counts)
    traced = Handle(api, mesh, agent(TEAMS[0], "echo", concurrency=2, maxReplicas=1, scaleToZeroAfter="600s"))
    count(counts, TEAMS[0], "echo", traced.call(headers={
        "traceparent": f"00-{TRACE}-{os.urandom(8).hex()}-01"}).status)
    for _ in range(3):
        http.call(mesh.control_plane, target="/v1/agents")
    http.call(mesh.gateway, target=http.path("team-a", "nobody"))
    return counts


def count(counts, namespace, name, status):
    key = namespace, name, str(status)
    counts[key] = counts.get(key, 0) + 1


def everything_happens(api, mesh, namespace, counts):
    """Wake-ups, overload, draining, errors."""
    echo = Handle(api, mesh, agent(namespace, "echo", concurrency=2, maxReplicas=1, scaleToZeroAfter="600s")).known()
    count(counts, namespace, "echo", echo.call().status)
    for code in (200, 404, 500):
        for _ in range(5):
            count(counts, namespace, "echo", echo.call(f"/status?code={code}").status)
    for result in load.burst(mesh.gateway, echo.path("/sleep?ms=300"), 300):
        count(counts, namespace, "echo", result.status)
    (pod,) = echo.pods()
    refused = load.burst(f"{pod['status']['podIP']}:8889", "/sleep?ms=300", 8)
    assert any(result.error == "over_capacity" for result in refused), load.summary(refused)
    rolling = Handle(api, mesh, always_on(namespace, "rolling", maxReplicas=1)).known().has(1)
    with rolling.traffic("/sleep?ms=50", workers=2) as traffic:
        rolling.change(env=[{"name": "REVISION", "value": "2"}])
        traffic.wait(100, 120)
    for result in traffic.results:
        count(counts, namespace, "rolling", result.status)


def test_every_target_is_up_and_none_twice(used, prometheus, api):
    eventually(lambda: scraped(prometheus) == sorted(running(api)), 60,
               lambda: f"{scraped(prometheus)} of {sorted(running(api))}", every=0.5)
    jobs = {labels["job"] for labels, _ in prometheus.ask("up")}
    assert jobs == JOBS | {f"{SYSTEM}/krypton-agents"}
    pods = prometheus.ask(f'up{{job="{SYSTEM}/krypton-agents"}}')
    assert {labels["namespace"] for labels, _ in pods} == set(TEAMS)
    assert {labels["container"] for labels, _ in pods} == {"krypton-proxy"}


def test_counters_are_what_the_client_counted(used, prometheus):
    def seen():
        found = {}
        for labels, value in prometheus.ask(
                'sum by (namespace, agent, status) (krypton_invocations_total{agent!="_unknown"}) > 0'):
            found[labels["namespace"], labels["agent"], labels["status"]] = value
        return found
    eventually(lambda: seen() == used, 30, lambda: f"{seen()} is {used}", every=0.5)


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


@pytest.mark.parametrize("name", [name for name in NAMES if name != "krypton-models"])
def test_every_panel_shows_something(used, prometheus, name):
    chosen = {"namespace": TEAMS[0], "agent": "echo"}
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


def test_the_pages_config_map_line_works_as_written(used):
    shell(block("create configmap"))
    made = json.loads(kubectl("-n", NAMESPACE, "get", "configmap", "krypton-overview", "-o", "json"))
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
    content = json.loads(made["data"]["krypton-overview.json"])
    assert {panel["datasource"]["uid"] for panel in content["panels"] if panel["type"] != "row"} == {"prometheus"}


def test_the_pages_port_forwards_work_as_written(used, api):
    for mark in ("deploy/krypton-gateway", "pod/POD"):
        (pod, *_) = api.list("pods", TEAMS[0], "krypton.ai/agent=echo")
        text = block(mark).replace("pod/POD", f"pod/{pod['metadata']['name']}").replace("-n default", f"-n {TEAMS[0]}")
        forwards = [subprocess.Popen(["bash", "-c", f"exec {line.rstrip(' &')}"], stdout=subprocess.DEVNULL)
                    for line in text.splitlines() if line.endswith("&")]
        try:
            (curl,) = [line for line in text.splitlines() if line.startswith("curl")]
            eventually(lambda: shell(curl).stdout, 20, curl, every=0.3)
        finally:
            for each in forwards:
                each.terminate()
                each.wait()


def firing(prometheus, **labels):
    wanted = labels.items()
    return [alert for alert in prometheus.get("alerts")["alerts"]
            if wanted <= alert["labels"].items() and alert["state"] == "firing"]


def test_an_alert_fires_and_resolves(used, api, mesh, stack):
    hurried(SYSTEM)
    broken = Handle(api, mesh, always_on(TEAMS[0], "broken", image=image("crash"), maxReplicas=1)).known()
    wanted = {"alertname": "KryptonAgentUnavailable", "namespace": TEAMS[0], "agent": "broken"}
    for prometheus in stack.values():
        eventually(lambda: firing(prometheus, **wanted), 120, "it fires", every=0.5)
    broken.change(image=image("probe"))
    broken.has(1, 120)
    for prometheus in stack.values():
        eventually(lambda: not firing(prometheus, **wanted), 60, "it resolves", every=0.5)
    kubectl("-n", SYSTEM, "delete", "prometheusrule", "krypton-hurried")


def test_where_honor_labels_are_overridden_the_page_helps(used, stack, api):
    """Last but one: it changes what Prometheus scrapes."""
    name = stack[2].name
    kubectl("-n", NAMESPACE, "patch", "prometheus", name, "--type=merge", "-p",
            '{"spec":{"overrideHonorLabels":true}}')
    prometheus = stack[2]
    eventually(lambda: prometheus.ask('krypton_invocations_total{exported_namespace="team-a"}'), 90,
               "it overrides", every=0.5)
    rule = yaml.safe_load(block("exported_namespace", "yaml"))["serviceMonitor"]["metricRelabelings"]
    patch = json.dumps([{"op": "add", "path": "/spec/endpoints/0/metricRelabelings", "value": rule}])
    kubectl("-n", SYSTEM, "patch", "servicemonitor", "krypton-gateway", "--type=json", "-p", patch)

    def back():
        return (prometheus.ask('krypton_invocations_total{namespace="team-a"}')
                and not prometheus.ask('krypton_invocations_total{exported_namespace!=""}'))
    eventually(back, 90, "the agent's namespace is back", every=0.5)
    kubectl("-n", NAMESPACE, "patch", "prometheus", name, "--type=merge", "-p",
            '{"spec":{"overrideHonorLabels":false}}')


def test_a_deleted_agents_series_go_stale(used, prometheus, api):
    mine = '{namespace="team-b", agent="echo", __name__=~"krypton_.*"}'
    api.delete("agents", "team-b", "echo")
    eventually(lambda: not prometheus.ask(mine), 120, lambda: f"stale: {prometheus.ask(mine)[:3]}", every=0.5)

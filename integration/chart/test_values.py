"""values.yaml, its schema, and what each key changes."""

import functools
import importlib.util
import json
import subprocess
import sys

import pytest
import yaml
from harness import helm

ROOT = helm.CHART.parent.parent
_spec = importlib.util.spec_from_file_location("chart_values", ROOT / "charts" / "values.py")
values = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(values)

TEXT = (helm.CHART / "values.yaml").read_text()
ROWS = list(values.rows(yaml.safe_load(TEXT), values.comments(TEXT)))
# Another value than the default, where the default's type does not tell one; and what must be on for it to count.
OTHERS = {
    "image.pullPolicy": "Always", "log.level": "debug", "log.format": "text", "imagePullSecrets": [{"name": "x"}],
    "commonLabels": {"a": "b"}, "podDisruptionBudget.maxUnavailable": 2,
    "networkPolicy.metricsNamespaceSelector": {"matchLabels": {"a": "b"}}, "tls.certManager.issuerRef": {"name": "x"},
    "httpRoute.parentRefs": [{"name": "x"}], "httpRoute.enabled": True,
}
BY_LAST = {
    "type": "LoadBalancer", "annotations": {"a": "b"}, "podAnnotations": {"a": "b"}, "podLabels": {"a": "b"},
    "nodeSelector": {"a": "b"}, "tolerations": [{"key": "a"}], "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [{"maxSkew": 1}], "extraArgs": ["--a=b"], "extraEnv": [{"name": "A"}],
    "resources": {"limits": {"memory": "3Gi"}}, "watchNamespaces": ["a"], "agentNamespaces": ["a"],
    "relabelings": [{"action": "keep"}], "metricRelabelings": [{"action": "keep"}], "labels": {"a": "b"},
    "agentBlockedCidrs": ["10.0.0.0/8"], "hostnames": ["a.b"], "host": "a.b",
}
NEEDS = {
    "networkPolicy": {"networkPolicy.enabled": True, "networkPolicy.agentNamespaces": ["b"]},
    "ingress": {"ingress.enabled": True, "ingress.tls.enabled": True},
    "httpRoute": {"httpRoute.enabled": True, "httpRoute.parentRefs": [{"name": "y"}]},
    "gateway.autoscaling": {"gateway.autoscaling.enabled": True},
    "serviceMonitor": {"serviceMonitor.enabled": True},
    "podMonitor": {"podMonitor.enabled": True},
    "prometheusRule": {"prometheusRule.enabled": True},
    "dashboards": {"dashboards.enabled": True},
    "tls.certManager.issuerRef": {"tls.certManager.enabled": True},
}
# Seen only by an upgrade: how old a certificate is, in a cluster.
UNSEEN = {"tls.renewAfterDays"}


def nested(flat):
    out = {}
    for path, value in flat.items():
        inner = out
        *parents, last = path.split(".")
        for key in parents:
            inner = inner.setdefault(key, {})
        inner[last] = value
    return out


def other(name, kind, default):
    if name in OTHERS:
        return OTHERS[name]
    if name.rsplit(".", 1)[-1] in BY_LAST:
        return BY_LAST[name.rsplit(".", 1)[-1]]
    return {"boolean": lambda: default == "false", "integer": lambda: int(default) + 1,
            "string": lambda: "another"}[kind]()


@functools.cache
def rendered(text):
    """The objects that values, as JSON, make; keys are new each time, and left out."""
    return [each for each in helm.render("--values", "-", text=text) if each["kind"] != "Secret"]


def test_what_is_written_from_values_yaml_is_up_to_date():
    done = subprocess.run([sys.executable, ROOT / "charts" / "values.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name, kind, default", [row[:3] for row in ROWS], ids=[row[0] for row in ROWS])
def test_each_key_changes_the_rendering(name, kind, default):
    if name in UNSEEN:
        return
    # The definitions are large, and seldom what changes.
    base = {} if name.startswith("crds.") else {"crds.enabled": False}
    base |= {key: value for prefix, needed in NEEDS.items() if name.startswith(prefix)
            for key, value in needed.items() if key != name or name == "httpRoute.parentRefs"}
    if name in ("tls.validityDays", "clusterDomain"):
        # In the certificates, which are new each time; cert-manager is told.
        base["tls.certManager.enabled"] = True
    changed = base | {name: other(name, kind, default)}
    if name == "httpRoute.enabled":
        changed |= {"httpRoute.parentRefs": [{"name": "y"}]}
    assert rendered(json.dumps(nested(base))) != rendered(json.dumps(nested(changed)))


@pytest.mark.parametrize("flags, path", [
    (["gateway.replicas=two"], "/gateway/replicas"),
    (["gateway.replicas=-1"], "/gateway/replicas"),
    (["gatway.replicas=2"], "gatway"),
    (["gateway.replica=2"], "replica"),
    (["image.pullPolicy=Sometimes"], "/image/pullPolicy"),
    (["image.tag=1"], "/image/tag"),
    (["gateway.service.type=Public"], "/gateway/service/type"),
    (["gateway.service.port=70000"], "/gateway/service/port"),
    (["gateway.maxBufferPerAgent=0"], "/gateway/maxBufferPerAgent"),
    (["gateway.terminationGracePeriodSeconds=5"], "/gateway/terminationGracePeriodSeconds"),
    (["manager.enableScaler=maybe"], "/manager/enableScaler"),
    (["manager.scalerIntervalMs=1"], "/manager/scalerIntervalMs"),
    (["manager.watchNamespaces=a"], "/manager/watchNamespaces"),
    (["manager.watchNamespaces={Team}"], "/manager/watchNamespaces/0"),
    (["manager.extraArgs={word}"], "/manager/extraArgs/0"),
    (["gateway.podAnnotations.a=1"], "/gateway/podAnnotations/a"),
    (["log.level=loud"], "/log/level"),
    (["imagePullSecrets={x}"], "/imagePullSecrets/0"),
    (["networkPolicy=true"], "/networkPolicy"),
    (["podDisruptionBudget.maxUnavailable=some"], "/podDisruptionBudget/maxUnavailable"),
    (["crds.enabled=1"], "/crds/enabled"),
    (["ingress.tls=true"], "/ingress/tls"),
    (["rbac.create=yes"], "/rbac/create"),
])
def test_a_wrong_value_is_refused_with_its_path(flags, path):
    arguments = [part for flag in flags for part in ("--set", flag)]
    done = helm.template(*arguments)
    assert done.returncode != 0 and path in done.stderr, done.stderr
    done = helm.run("lint", "--strict", helm.CHART, *arguments)
    assert done.returncode != 0 and path in done.stdout + done.stderr


def test_a_route_without_gateways_says_what_is_missing():
    done = helm.template("--set", "httpRoute.enabled=true")
    assert done.returncode != 0 and "httpRoute.parentRefs" in done.stderr

"""What the chart gives to the Prometheus Operator and to Grafana: nothing by default, and each one `--set` away."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

SOURCE = Path(os.environ["KRYPTON_SOURCE_DIR"])
CHART = SOURCE / "charts" / "krypton"
CACHE = Path(os.environ.get("KRYPTON_CACHE_DIR") or
             Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "krypton")
KINDS = {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
# The line of docs/metrics.md.
QUICK = ["serviceMonitor.enabled=true", "podMonitor.enabled=true", "serviceMonitor.labels.release=prom",
         "podMonitor.labels.release=prom"]


def helm():
    places = [os.environ.get("KRYPTON_TEST_HELM"), CACHE / "go-bin" / "helm", shutil.which("helm")]
    found = next((str(place) for place in places if place and Path(place).exists()), None)
    return found or pytest.skip("helm is not here: ./dev chart builds it where Go is")


def render(*settings, namespace="krypton-system", values=None, tmp_path=None):
    command = [helm(), "template", "krypton", CHART, "--namespace", namespace, "--kube-version", "1.34.4"]
    for setting in settings:
        command += ["--set", setting]
    if values:
        file = tmp_path / "values.yaml"
        file.write_text(yaml.safe_dump(values))
        command += ["--values", file]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def of_kind(objects, *kinds):
    return [each for each in objects if each["kind"] in kinds]


def dashboards(objects):
    return [each for each in of_kind(objects, "ConfigMap") if "grafana_dashboard" in each["metadata"]["labels"]]


def test_nothing_of_it_by_default():
    objects = render()
    assert not of_kind(objects, *KINDS) and not dashboards(objects)


def test_the_quick_setup_gives_a_monitor_a_component_and_one_for_all_pods():
    monitors = of_kind(render(*QUICK), "ServiceMonitor", "PodMonitor")
    assert [each["metadata"]["name"] for each in monitors if each["kind"] == "ServiceMonitor"] == [
        "krypton-gateway", "krypton-control-plane", "krypton-manager"]
    (pods,) = of_kind(monitors, "PodMonitor")
    for each in monitors:
        assert each["metadata"]["labels"]["release"] == "prom"
        assert each["metadata"]["namespace"] == "krypton-system"
        (endpoint,) = each["spec"].get("endpoints") or each["spec"]["podMetricsEndpoints"]
        assert endpoint == {"port": "metrics", "path": "/metrics", "honorLabels": True}
    assert pods["spec"]["namespaceSelector"] == {"any": True}


def test_each_service_monitor_finds_one_port_of_one_service(tmp_path):
    for kind in ("ClusterIP", "LoadBalancer"):
        objects = render(*QUICK, f"gateway.service.type={kind}")
        services = of_kind(objects, "Service")
        for monitor in of_kind(objects, "ServiceMonitor"):
            wanted = monitor["spec"]["selector"]["matchLabels"].items()
            ports = [port for service in services if wanted <= service["metadata"]["labels"].items()
                     for port in service["spec"]["ports"] if port["name"] == "metrics"]
            assert len(ports) == 1, monitor["metadata"]["name"]


def test_every_setting_of_a_monitor_arrives(tmp_path):
    rule = [{"sourceLabels": ["__name__"], "regex": "krypton_buffer_.*", "action": "drop"}]
    target = [{"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}]
    settings = {"enabled": True, "labels": {"team": "a"}, "interval": "15s", "scrapeTimeout": "10s",
                "relabelings": target, "metricRelabelings": rule}
    objects = render(values={"serviceMonitor": settings, "podMonitor": settings}, tmp_path=tmp_path)
    monitors = of_kind(objects, "ServiceMonitor", "PodMonitor")
    assert len(monitors) == 4
    for each in monitors:
        (endpoint,) = each["spec"].get("endpoints") or each["spec"]["podMetricsEndpoints"]
        assert (endpoint["interval"], endpoint["scrapeTimeout"]) == ("15s", "10s")
        assert (endpoint["relabelings"], endpoint["metricRelabelings"]) == (target, rule)
        assert each["metadata"]["labels"]["team"] == "a"


def test_pods_are_sought_where_the_manager_makes_them():
    (monitor,) = of_kind(render(*QUICK, "manager.watchNamespaces={one,two}"), "PodMonitor")
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["one", "two"]}


def test_the_rule_is_the_file():
    (rule,) = of_kind(render("prometheusRule.enabled=true", "prometheusRule.labels.release=prom"), "PrometheusRule")
    assert rule["metadata"]["labels"]["release"] == "prom"
    assert rule["spec"] == yaml.safe_load((SOURCE / "dashboards" / "krypton-rules.yaml").read_text())


def test_dashboards_are_config_maps_for_grafanas_sidecar():
    maps = dashboards(render("dashboards.enabled=true"))
    files = sorted((SOURCE / "dashboards").glob("*.json"))
    assert [each["metadata"]["name"] for each in maps] == [file.stem for file in files]
    for each, file in zip(maps, files):
        assert each["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert each["metadata"]["annotations"] == {"grafana_folder": "Krypton"}
        assert json.loads(each["data"][file.name]) == json.loads(file.read_text())
        assert len(json.dumps(each)) < 256 * 1024  # What client-side apply takes.


def test_the_data_source_of_dashboards_is_a_value():
    for each in dashboards(render("dashboards.enabled=true", "dashboards.datasourceUid=prometheus",
                                  "dashboards.namespace=grafana")):
        assert each["metadata"]["namespace"] == "grafana"
        (text,) = each["data"].values()
        uids = set(re.findall(r'"type":"prometheus","uid":"([^"]*)"', text))
        assert uids == {"prometheus"}


def test_every_object_has_the_standard_labels():
    objects = render(*QUICK, "prometheusRule.enabled=true", "dashboards.enabled=true")
    for each in of_kind(objects, *KINDS) + dashboards(objects):
        labels = each["metadata"]["labels"]
        for name in ("name", "instance", "version", "component", "part-of", "managed-by"):
            assert labels[f"app.kubernetes.io/{name}"], each["metadata"]["name"]
        assert labels["helm.sh/chart"].startswith("krypton-")

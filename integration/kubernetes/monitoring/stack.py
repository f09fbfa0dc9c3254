"""The monitoring stack in the cluster: the Prometheus Operator, and the Prometheus that it makes."""

import json
import os
import time
from pathlib import Path

import yaml
from harness.prometheus import PrometheusApi
from harness.waiting import eventually
from kube.mesh import REGISTRY, kubectl, run

NAMESPACE = "monitoring"
# kube-prometheus-stack's own selector, for a release of this name.
RELEASE = {"matchLabels": {"release": "prom"}}
VERSIONS = {2: "v2.55.1", 3: "v3.16.0"}
EVERYTHING = {"kind": "ClusterRole", "name": "cluster-admin", "apiGroup": "rbac.authorization.k8s.io"}


def image(name):
    return f"{REGISTRY}/test/{name}:test"


def apply(*objects):
    text = yaml.safe_dump_all(objects)
    run("kubectl", "apply", "--server-side", "--force-conflicts", "-f", "-", input=text)


def account(name, role):
    subject = {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}
    return [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": NAMESPACE}},
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
             "roleRef": role, "subjects": [subject]}]


def install_operator():
    kubectl("apply", "--server-side", "-f", Path(os.environ["KRYPTON_TEST_MONITORING"]) / "crds")
    labels = {"app": "prometheus-operator"}
    container = {"name": "operator", "image": image("prometheus-operator"), "imagePullPolicy": "Always",
                 "args": [f"--prometheus-config-reloader={image('prometheus-config-reloader')}"]}
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
          *account("prometheus-operator", EVERYTHING),
          {"apiVersion": "apps/v1", "kind": "Deployment",
           "metadata": {"name": "prometheus-operator", "namespace": NAMESPACE},
           "spec": {"selector": {"matchLabels": labels}, "template": {
               "metadata": {"labels": labels},
               "spec": {"serviceAccountName": "prometheus-operator", "containers": [container]}}}})
    kubectl("-n", NAMESPACE, "rollout", "status", "deploy/prometheus-operator", "--timeout=120s")


def reader():
    """What kube-prometheus gives its Prometheus."""
    rules = [{"apiGroups": [""], "resources": ["nodes", "services", "endpoints", "pods"],
              "verbs": ["get", "list", "watch"]},
             {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["get", "list", "watch"]},
             {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "prometheus"}, "rules": rules}


class Prometheus(PrometheusApi):
    """One that the operator runs."""

    def __init__(self, api, version):
        self.api, self.name = api, f"prom{version}"
        role = {"kind": "ClusterRole", "name": "prometheus", "apiGroup": "rbac.authorization.k8s.io"}
        everywhere = {f"{kind}NamespaceSelector": {} for kind in ("serviceMonitor", "podMonitor", "rule")}
        chosen = {f"{kind}Selector": RELEASE for kind in ("serviceMonitor", "podMonitor", "rule")}
        apply(reader(), *account("prometheus", role), {
            "apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus",
            "metadata": {"name": self.name, "namespace": NAMESPACE},
            "spec": {"image": image(f"prometheus{version}"), "version": VERSIONS[version], "replicas": 1,
                     "serviceAccountName": "prometheus", "scrapeInterval": "2s", "evaluationInterval": "2s",
                     "enableFeatures": ["exemplar-storage"], **everywhere, **chosen,
                     "securityContext": {"runAsUser": 65534, "runAsNonRoot": True, "fsGroup": 65534}}})
        super().__init__(eventually(self.ready, 180, f"{self.name} is ready", every=0.5))

    def ready(self):
        pod = self.api.get("pods", NAMESPACE, f"prometheus-{self.name}-0")
        conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", [])}
        return conditions.get("Ready") == "True" and f"{pod['status']['podIP']}:9090"

    def hasten(self):
        """The kubelet looks after a pod's Secrets each minute or two, and when the pod changes; the config reloader,
        when it has missed a change, each three minutes."""
        kubectl("-n", NAMESPACE, "annotate", "--overwrite", "pod", f"prometheus-{self.name}-0", f"looked-at={time.time()}")

    def becomes(self, condition, timeout, what):
        """Waits for what its configuration brings about."""
        def hastened():
            self.hasten()
            return condition()
        return eventually(hastened, timeout, what, every=2)

    def targets(self):
        """{pool: [target]}."""
        found = {}
        for target in self.get("targets")["activeTargets"]:
            found.setdefault(target["scrapePool"], []).append(target)
        return found

    def scraped(self):
        """Of Krypton's monitors: the addresses that are up, with repetitions."""
        return sorted(target["labels"]["instance"] for pool, targets in self.targets().items()
                      for target in targets if "/krypton-" in pool and target["health"] == "up")


def hurried(namespace):
    """The chart's alerts once more, without their patience, so that a test sees one fire."""
    rule = json.loads(kubectl("-n", namespace, "get", "prometheusrule", "krypton", "-o", "json"))
    for group in rule["spec"]["groups"]:
        group["name"] += "-hurried"
        group["rules"] = [{**each, "for": "2s"} for each in group["rules"] if "alert" in each]
    groups = [group for group in rule["spec"]["groups"] if group["rules"]]
    apply({"apiVersion": rule["apiVersion"], "kind": "PrometheusRule",
           "metadata": {"name": "krypton-hurried", "namespace": namespace, "labels": {"release": "prom"}},
           "spec": {"groups": groups}})

"""The recipes of docs/scaling-on-kubernetes.md, with the real Prometheus and the real HPA controller.

KEDA and prometheus-adapter themselves are not here: what they would ask is asked, as they ask it.
"""

import re

import pytest
import yaml
from external_metrics import ExternalMetrics
from happenings import TEAMS
from harness.metrics_page import PAGE
from harness.queries import recipes
from harness.waiting import eventually
from kube.agents import Handle, agent, always_on
from kube.mesh import kubectl
from stack import apply

FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"


def found(mark):
    """The one YAML block of the page that has `mark` in it."""
    text = (PAGE.parent / "scaling-on-kubernetes.md").read_text()
    (block,) = [each for each in re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S) if mark in each]
    return yaml.safe_load(block)


@pytest.fixture(scope="module")
def from_a_pod(used, api):
    """Fetches a URL as a pod of another namespace does, by the names that the cluster's DNS has."""
    (pod,) = api.list("pods", TEAMS[0], "krypton.ai/agent=echo")

    def fetch(url):
        return kubectl("-n", TEAMS[0], "exec", pod["metadata"]["name"], "-c", "agent", "--", "python3", "-c", FETCH, url)
    return fetch


@pytest.mark.parametrize("name", ["echo", "asleep"])
def test_each_query_has_a_value(used, prometheus, api, mesh, name):
    """Of an agent that runs, and of one that sleeps: a trigger without a value would never wake it."""
    if name == "asleep":
        Handle(api, mesh, agent(TEAMS[0], "asleep")).known()
    adapter, keda, desired = sorted(recipes(TEAMS[0], name), key=lambda query: ("sum by" not in query, "desired" in query))
    eventually(lambda: prometheus.value(keda) is not None, 30, keda, every=0.5)
    if name == "echo":
        assert prometheus.value(adapter) is not None and prometheus.value(desired) >= 1


def test_the_address_of_kedas_prometheus_trigger_answers(from_a_pod):
    (trigger,) = found("serverAddress")["spec"]["triggers"]
    assert '"status":"success"' in from_a_pod(f"{trigger['metadata']['serverAddress']}/api/v1/query?query=vector(1)")


def test_kedas_metrics_api_trigger_finds_its_value(from_a_pod):
    (trigger,) = found("metrics-api")
    wanted = trigger["metadata"]["valueLocation"].replace("hello", "echo").replace("default", TEAMS[0])
    assert f"\n{wanted} 0\n" in from_a_pod(trigger["metadata"]["url"])


@pytest.fixture
def external_metrics(used, api, stack, tmp_path):
    (rule,) = found("metricsQuery")["rules"]["external"]
    (node,) = api.list("nodes")
    (address,) = [each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP"]
    served = ExternalMetrics(rule, stack[3], address, tmp_path)
    yield served
    served.stop()


def test_the_hpa_scales_by_demand(external_metrics, api, mesh):
    hello = Handle(api, mesh, always_on(TEAMS[0], "hello", scaler="external")).known().has(1)
    hpa = found("ContainerResource")
    hpa["metadata"]["namespace"] = TEAMS[0]
    hpa["spec"]["metrics"] = found("type: External")["metrics"]
    with hello.traffic("/sleep?ms=500", workers=14):  # Three times what a replica should have.
        apply(hpa)
        eventually(lambda: hello.get()["spec"].get("replicas") == 3, 180,
                   lambda: f"three replicas: {hello.get()['spec']}, {hpa_status(api)}", every=0.5)
        hello.has(3, 120)
    kubectl("-n", TEAMS[0], "delete", "hpa", "hello")
    hello.delete()


def hpa_status(api):
    return kubectl("-n", TEAMS[0], "get", "hpa", "hello", "-o", "jsonpath={.status}")

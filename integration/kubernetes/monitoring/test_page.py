"""Every command of docs/metrics.md works as it stands."""

import json

from happenings import TEAMS
from kube.mesh import SYSTEM, kubectl, pasted
from page import block, blocks, shell
from stack import NAMESPACE, RELEASE

# The first is how `used` installs; each other has its test here.
COMMANDS = ["helm upgrade --install", "kubectl get prometheus", "create configmap", "--show-labels",
            "deploy/krypton-gateway", "pod/POD"]


def test_each_command_of_the_page_has_its_test():
    assert [mark for text in blocks() for mark in COMMANDS if mark in text] == COMMANDS
    assert len(blocks()) == len(COMMANDS)


def test_what_a_prometheus_wants(used):
    assert json.dumps(RELEASE, separators=(",", ":")) in shell(block("kubectl get prometheus"))


def test_the_config_map_for_grafanas_sidecar(used):
    shell(block("create configmap"))
    made = json.loads(kubectl("-n", NAMESPACE, "get", "configmap", "krypton-overview", "-o", "json"))
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
    content = json.loads(made["data"]["krypton-overview.json"])
    assert {panel["datasource"]["uid"] for panel in content["panels"] if panel["type"] != "row"} == {"prometheus"}


def test_the_monitors_labels(used):
    lines = [line for line in shell(block("--show-labels")).splitlines() if "monitor.monitoring.coreos.com/" in line]
    assert len(lines) == 4 and all("release=prom" in line for line in lines)


def test_the_port_forwards(used):
    """As a whole, as a person pastes them; and then each port that the block names."""
    text = block("deploy/krypton-gateway")
    assert f'namespace="{TEAMS[0]}"' in pasted(text)
    for port, component in (8081, "gateway"), (8091, "control-plane"), (8080, "manager"):
        asked = f"curl -sS --retry 5 --retry-connrefused http://127.0.0.1:{port}/metrics | grep krypton_build_info"
        assert f'component="{component}"' in pasted(f"{text}{asked}\n")


def test_a_sidecars_port_forward(used, api):
    (pod,) = api.list("pods", TEAMS[0], "krypton.ai/agent=echo")
    assert "krypton-proxy" in {each["name"] for each in pod["spec"]["initContainers"]}  # One that goes on beside the agent.
    text = block("pod/POD").replace("pod/POD", f"pod/{pod['metadata']['name']}").replace("-n default", f"-n {TEAMS[0]}")
    assert 'krypton_proxy_inflight{agent="echo"' in pasted(text)

"""What changes before Prometheus' eyes: an alert, an installation that overrides labels, an agent that is deleted."""

import yaml
from happenings import TEAMS
from harness.waiting import eventually
from kube.agents import Handle, always_on, image
from kube.mesh import CHART, SYSTEM, helm, kubectl
from page import block
from stack import NAMESPACE, hurried


def firing(prometheus, **labels):
    wanted = labels.items()
    return [alert for alert in prometheus.get("alerts")["alerts"]
            if wanted <= alert["labels"].items() and alert["state"] == "firing"]


def test_an_alert_fires_and_resolves(used, api, mesh, stack):
    hurried(SYSTEM)
    broken = Handle(api, mesh, always_on(TEAMS[0], "broken", image=image("crash"), maxReplicas=1)).known()
    wanted = {"alertname": "KryptonAgentUnavailable", "namespace": TEAMS[0], "agent": "broken"}
    for prometheus in stack.values():
        prometheus.becomes(lambda: firing(prometheus, **wanted), 240, "it fires")
    broken.change(image=image("probe"))
    broken.has(1, 120)
    for prometheus in stack.values():
        eventually(lambda: not firing(prometheus, **wanted), 60, "it resolves", every=0.5)
    kubectl("-n", SYSTEM, "delete", "prometheusrule", "krypton-hurried")
    broken.delete()


def override_honor_labels(prometheus, value):
    kubectl("-n", NAMESPACE, "patch", "prometheus", prometheus.name, "--type=merge", "-p",
            f'{{"spec":{{"overrideHonorLabels":{value}}}}}')


def test_where_honor_labels_are_overridden_the_page_helps(used, stack, tmp_path):
    own = ("krypton_invocations_total", "krypton_agent_replicas_desired", "krypton_proxy_inflight")
    overriding, other = stack[2], stack[3]
    override_honor_labels(overriding, "true")
    for series in own:
        overriding.becomes(lambda: overriding.ask(f'{series}{{exported_namespace="{TEAMS[0]}"}}'), 240, "it overrides")
    recipe = tmp_path / "values.yaml"
    recipe.write_text(block("exported_namespace", "yaml"))
    assert set(yaml.safe_load(recipe.read_text())) == {"serviceMonitor", "podMonitor"}
    helm("upgrade", "krypton", CHART, "--namespace", SYSTEM, "--reuse-values", "--values", recipe, "--wait", "--timeout=180s")

    def back(prometheus):
        return not prometheus.ask('{exported_namespace!=""}') and all(
            {labels["namespace"] for labels, _ in prometheus.ask(f'{series}{{agent="echo"}}')} == set(TEAMS) for series in own)
    for prometheus in (overriding, other):
        prometheus.becomes(lambda: back(prometheus), 240, f"the agents' namespaces are back in {prometheus.name}")
    override_honor_labels(overriding, "false")


def test_a_deleted_agents_series_go_stale(used, prometheus, api):
    """All but what rules made of them for as long as their windows reach back."""
    mine = f'{{namespace="{TEAMS[1]}", agent="echo", __name__=~"krypton_.*"}}'
    api.delete("agents", TEAMS[1], "echo")
    eventually(lambda: not prometheus.ask(mine), 120, lambda: f"stale: {prometheus.ask(mine)[:3]}", every=0.5)

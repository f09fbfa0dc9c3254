"""Who scales: Krypton by default; a person, an HPA or anybody who writes the scale subresource when the spec says so."""

import subprocess

from harness.load import summary
from harness.waiting import always, eventually
from kube.agents import always_on
from kube.mesh import run


def scale(namespace, name, replicas):
    return subprocess.run(["kubectl", "-n", namespace, "scale", "agent", name, f"--replicas={replicas}"],
                          capture_output=True, text=True)


def names(handle):
    return {pod["metadata"]["name"] for pod in handle.running()}


def test_kubectl_scale_is_refused_while_krypton_scales(start, namespace):
    own = start(always_on(namespace, "own")).has(1)
    done = scale(namespace, "own", 3)
    assert done.returncode != 0 and "contradicts spec.scaler krypton, which decides by load" in done.stderr, done
    always(lambda: len(own.pods()) == 1, 3, "one replica")


def test_kubectl_scale_is_obeyed_without_a_roll_or_a_failed_call(start, namespace):
    others = start(always_on(namespace, "others", scaler="external", concurrency=1)).has(1)
    with others.traffic("/sleep?ms=30", workers=4) as traffic:
        first = names(others)
        assert scale(namespace, "others", 3).returncode == 0
        others.has(3)
        assert first < names(others), "what ran goes on"
        traffic.wait(100)
        assert scale(namespace, "others", 1).returncode == 0
        others.has(1)
        traffic.wait(50)
    assert not traffic.bad(), summary(traffic.bad())
    assert others.status()["selector"] and others.status()["replicas"] == 1


def test_an_hpa_scales_an_agent_that_is_left_to_others(start, namespace):
    scaled = start(always_on(namespace, "scaled", scaler="external")).has(1)
    run("kubectl", "-n", namespace, "apply", "-f", "-", input=f"""
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: scaled}}
spec:
  scaleTargetRef: {{apiVersion: krypton.ai/v1alpha1, kind: Agent, name: scaled}}
  minReplicas: 2
  maxReplicas: 4
  metrics:
    - type: ContainerResource
      containerResource: {{container: agent, name: cpu, target: {{type: Utilization, averageUtilization: 70}}}}
""")
    scaled.has(2, 90)
    assert scaled.get()["spec"]["replicas"] == 2
    selected = scaled.api.list("pods", namespace, scaled.status()["selector"])
    assert {pod["metadata"]["name"] for pod in selected} >= names(scaled)
    eventually(lambda: scaled.call().status == 200, 30, "it answers")

"""What an Agent says of itself: refusals, status, conditions, Events; and that it says nothing when nothing changes."""

import pytest
from harness.waiting import always, eventually
from kube import audit
from kube.agents import agent, always_on, image, moment
from kube.api import ApiError
from kube.mesh import kubectl, run

BAD = [
    ({"mode": "always-on", "minReplicas": 0}, "minReplicas"),
    ({"minReplicas": 3, "maxReplicas": 2}, "maxReplicas"),
    ({"port": 70000}, "port"),
    ({"mode": "always-on", "scaleToZeroAfter": "5s"}, "scaleToZeroAfter"),
    ({"timeout": "soon"}, "timeout"),
    ({"protocol": "smtp"}, "protocol"),
    ({"concurrency": 0}, "concurrency"),
    ({"image": None}, "image"),
    ({"podLabels": {"krypton.ai/agent": "mine"}}, "podLabels"),
]


@pytest.mark.parametrize("spec, field", BAD, ids=[str(spec) for spec, _ in BAD])
def test_the_api_server_refuses_and_names_the_field(api, mesh, namespace, spec, field):
    body = agent(namespace, "bad")
    body["spec"] |= spec
    if spec.get("mode") == "always-on" and "scaleToZeroAfter" not in spec:
        del body["spec"]["scaleToZeroAfter"]
    body["spec"] = {key: value for key, value in body["spec"].items() if value is not None}
    with pytest.raises(ApiError) as refused:
        api.apply(body)
    assert refused.value.status == 422
    assert field in refused.value.message, refused.value.message


def test_a_typing_error_is_refused(namespace, mesh):
    text = f"""{{apiVersion: krypton.ai/v1alpha1, kind: Agent, metadata: {{name: typo, namespace: {namespace}}},
                spec: {{image: x, protocoll: http}}}}"""
    done = run("kubectl", "apply", "--validate=strict", "-f", "-", input=text, check=False)
    assert done.returncode and "protocoll" in done.stderr


def test_kubectl_wait_sees_an_agent_become_available(start, namespace):
    start(always_on(namespace, "soon"))
    kubectl("-n", namespace, "wait", "--for=condition=Available", "agent/soon", "--timeout=60s")
    kubectl("-n", namespace, "wait", "--for=condition=Ready", "agent/soon", "--timeout=60s")
    kubectl("-n", namespace, "wait", "--for=jsonpath={.status.observedGeneration}=1", "agent/soon", "--timeout=20s")


def test_conditions_are_as_kubernetes_has_them(start, namespace):
    soon = start(always_on(namespace, "conditions")).has(1)
    eventually(lambda: soon.condition("Available")["status"] == "True", 20, soon.status)
    kinds = {each["type"]: each for each in soon.status()["conditions"]}
    assert {"Ready", "Available", "Progressing"} <= kinds.keys()
    for each in kinds.values():
        assert each["reason"][0].isupper() and each["reason"].isalnum()
        assert each["status"] in ("True", "False", "Unknown") and each["lastTransitionTime"]
        assert each["observedGeneration"] == 1
    changed = kinds["Available"]["lastTransitionTime"]
    soon.change(maxReplicas=5)
    eventually(lambda: soon.status()["observedGeneration"] == 2, 20, soon.status)
    assert soon.condition("Available")["lastTransitionTime"] == changed, "it was available all the time"


def test_an_image_that_does_not_exist_is_said(start, namespace):
    lost = start(always_on(namespace, "lost", image=image("nothing")))
    eventually(lambda: "ImagePullFailed" in lost.reasons(), 60, lambda: lost.reasons())
    eventually(lambda: "nothing" in lost.condition("Ready")["message"], 20, lambda: lost.status())
    assert lost.condition("Ready")["status"] == "False"
    assert lost.status()["phase"] in ("Pending", "Failed")
    event = next(each for each in lost.events() if each["reason"] == "ImagePullFailed")
    assert event["type"] == "Warning" and "nothing" in event["note"]
    always(lambda: lost.reasons().count("ImagePullFailed") == 1, 10, "it is said once")
    lost.change(image=image("probe"))
    lost.has(1)
    eventually(lambda: lost.condition("Ready")["status"] == "True", 20, lost.status)


def test_an_agent_that_crashes_is_said(start, namespace):
    crash = start(always_on(namespace, "crash", image=image("crash")))
    eventually(lambda: [event for event in crash.events() if event["type"] == "Warning"], 60, crash.reasons)
    ready = eventually(lambda: crash.condition("Ready"), 20)
    assert ready["status"] == "False" and ready["message"], ready
    # Its last words are in the status of the pod, without a look at logs.
    eventually(lambda: "ends at once" in str(crash.pods()[0]["status"]), 60, "the pod's status tells its last words")


def test_pods_that_the_cluster_forbids_are_said(start, namespace):
    body = always_on(namespace, "rooted")
    del body["spec"]["podSecurityContext"], body["spec"]["securityContext"]
    rooted = start(body)
    ready = eventually(lambda: (found := rooted.condition("Ready")) and found["message"] and found, 60)
    eventually(lambda: "PodSecurity" in rooted.condition("Ready")["message"], 60, rooted.status)


def test_nothing_is_written_when_nothing_changes(start, namespace, api):
    still = start(always_on(namespace, "still")).has(1)
    eventually(lambda: still.condition("Ready")["status"] == "True", 20, still.status)
    objects = [("agents", "still"), ("deployments", "still"), ("services", "still"), ("serviceaccounts", "still"),
               ("secrets", "still-krypton-proxy")]

    def versions():
        return [api.get(kind, namespace, name)["metadata"]["resourceVersion"] for kind, name in objects]
    before = versions()
    always(lambda: versions() == before, 12, "resource versions stay")


def test_the_last_invocation_is_written_at_most_once_a_minute(start, namespace):
    """Under steady calls: when the first came, and then the next after sixty seconds."""
    called = start(always_on(namespace, "called", maxReplicas=1)).has(1)
    eventually(lambda: called.condition("Ready")["status"] == "True", 20, called.status)

    def written(since):
        return [event for event in audit.by_manager(since) if event["objectRef"].get("subresource") == "status"
                and event["objectRef"].get("name") == "called" and event["objectRef"].get("namespace") == namespace]
    with called.traffic("/sleep?ms=50", workers=2) as traffic:
        first = eventually(lambda: called.status().get("lastInvocationAt"), 20, "the first call is told at once")
        before = audit.now()
        second = eventually(lambda: (now := called.status()["lastInvocationAt"]) != first and now, 90, every=0.5)
        assert len(written(before)) == 1
    assert 60 <= moment(second) - moment(first) < 70
    assert not traffic.bad()

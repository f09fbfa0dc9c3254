"""The objects that an Agent becomes: they come back, are put right, belong to one Agent alone, and go with it."""

import pytest
from harness import http
from harness.waiting import always, eventually
from kube.agents import Handle, agent, always_on
from kube.mesh import send

CHILDREN = [("deployments", "{}"), ("services", "{}"), ("serviceaccounts", "{}"), ("secrets", "{}-krypton-proxy")]


def children(api, namespace, name):
    found = {kind: api.get(kind, namespace, form.format(name)) for kind, form in CHILDREN}
    return {kind: body for kind, body in found.items() if body}


def test_they_carry_the_labels_and_the_owner(start, namespace, api):
    owner = start(always_on(namespace, "labelled")).has(1)
    for kind, body in children(api, namespace, "labelled").items():
        labels = body["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "krypton-runtime", kind
        assert labels["app.kubernetes.io/name"] == labels["krypton.ai/agent"] == "labelled", kind
        assert labels["app.kubernetes.io/instance"], kind
        reference = body["metadata"]["ownerReferences"][0]
        assert reference["controller"] and reference["uid"] == owner.get()["metadata"]["uid"], kind
    pod = owner.pods()[0]
    sidecar = next(each for each in pod["spec"]["initContainers"] if each["name"] == "krypton-proxy")
    assert sidecar["restartPolicy"] == "Always"
    assert {port["name"]: port["containerPort"] for port in sidecar["ports"]} == {"proxy": 8889, "metrics": 8888}
    container = next(each for each in pod["spec"]["containers"] if each["name"] == "agent")
    assert [port["name"] for port in container["ports"]] == ["http"]
    hook = container["lifecycle"]["preStop"]["httpGet"]
    assert hook["port"] == 8888 and hook["path"] == "/drain" and "host" not in hook


@pytest.mark.parametrize("kind, form", CHILDREN, ids=[kind for kind, _ in CHILDREN])
def test_what_was_deleted_by_hand_comes_back(start, namespace, api, kind, form):
    kept = start(always_on(namespace, "kept")).has(1)
    name = form.format("kept")
    before = api.get(kind, namespace, name)["metadata"]["uid"]
    api.delete(kind, namespace, name)
    eventually(lambda: (found := api.get(kind, namespace, name)) and found["metadata"]["uid"] != before, 30,
               f"{kind}/{name} is there again")
    kept.has(1, 90)
    assert kept.call().status == 200


def test_what_was_edited_by_hand_is_put_right_and_what_was_added_stays(start, namespace, api):
    start(always_on(namespace, "edited")).has(1)
    api.merge("deployments", namespace, "edited", {
        "metadata": {"annotations": {"example.org/note": "mine"}},
        "spec": {"replicas": 3, "template": {"spec": {"terminationGracePeriodSeconds": 1}}}})

    def right():
        spec = api.get("deployments", namespace, "edited")["spec"]
        return spec["replicas"] == 1 and spec["template"]["spec"]["terminationGracePeriodSeconds"] > 1
    eventually(right, 30, lambda: api.get("deployments", namespace, "edited")["spec"])
    assert api.get("deployments", namespace, "edited")["metadata"]["annotations"]["example.org/note"] == "mine"
    api.merge("services", namespace, "edited", {"spec": {"ports": [{"name": "http", "port": 1234}]}})
    eventually(lambda: [port["port"] for port in api.get("services", namespace, "edited")["spec"]["ports"]] == [8080], 30)


def test_what_is_not_wanted_any_more_goes(start, namespace, api):
    slim = start(always_on(namespace, "slim")).has(1)
    api.create("serviceaccounts", namespace, {"metadata": {"name": "mine"}})
    slim.change(service=False, serviceAccountName="mine")
    eventually(lambda: api.get("services", namespace, "slim") is None
               and api.get("serviceaccounts", namespace, "slim") is None, 60, "our Service and account are gone")
    eventually(lambda: [pod["spec"]["serviceAccountName"] for pod in slim.pods()] == ["mine"], 120, slim.status)


def test_one_name_in_two_namespaces_is_two_agents(start, namespace, api, request):
    other = f"{namespace}-b"
    api.create("namespaces", None, {"metadata": {"name": other}})
    try:
        first = start(agent(namespace, "twin"))
        second = start(agent(other, "twin"))
        assert first.call().status == 200
        assert first.has(1) and second.pods() == [], "a call to the one wakes not the other"
        assert second.call().status == 200
        first.delete()
        eventually(lambda: not first.pods(), 60)
        assert second.call().status == 200
    finally:
        api.delete("namespaces", None, other)
    eventually(lambda: first.call().error == "agent_not_found", 20, "a deleted agent is not found")


def nothing_left(api, namespace, name):
    def left():
        pods = api.list("pods", namespace, f"krypton.ai/agent={name}")
        sets = api.list("replicasets", namespace, f"krypton.ai/agent={name}")
        return children(api, namespace, name) or pods or sets or api.get("agents", namespace, name)
    eventually(lambda: not left(), 90, lambda: f"nothing is left of {name}: {left()}")


def test_deletion_leaves_nothing(start, namespace, api, mesh):
    gone = start(always_on(namespace, "gone")).has(1)
    assert gone.call().status == 200
    gone.delete()
    nothing_left(api, namespace, "gone")
    eventually(lambda: gone.call().error == "agent_not_found", 20)

    def series():
        pods = [(pod, 8081) for pod in mesh.pods("gateway")] + [(pod, 8080) for pod in mesh.pods("manager")]
        return [pod for pod, port in pods if f'namespace="{namespace}"' in mesh.scrape(pod, port).text]
    eventually(lambda: not series(), 30, "no series of it")


def test_pods_that_drain_keep_their_secret_to_their_end(start, namespace, api):
    leaving = start(always_on(namespace, "leaving")).has(1)
    with http.Connection(leaving.mesh.gateway, 60) as call:
        call.send(http.request("GET", leaving.path("/sleep?ms=10000")))
        eventually(lambda: b"in_flight=2" in leaving.call("/counters").body, 20, "the call is under way")
        leaving.delete()

        def owner():
            secret = api.get("secrets", namespace, "leaving-krypton-proxy")
            return secret and secret["metadata"]["ownerReferences"][0]["kind"]
        eventually(lambda: owner() == "Pod", 8, owner)
        assert leaving.pods(), "it drains"
        assert call.read().status == 200, "the call that was in flight ended in order"
    nothing_left(api, namespace, "leaving")
    events = [event for event in api.list("events", namespace)
              if event["reason"] == "FailedMount" and event["regarding"]["name"].startswith("leaving-")]
    assert not events, events


def test_deletion_leaves_nothing_when_the_managers_are_killed_in_the_middle(start, namespace, api, mesh):
    start(always_on(namespace, "killed", minReplicas=2)).has(2)
    for pod in mesh.pods("manager"):
        send(pod, "krypton-manager")
    api.delete("agents", namespace, "killed")
    nothing_left(api, namespace, "killed")
    mesh.settled()
    always(lambda: not children(api, namespace, "killed"), 5, "and nothing is made anew")


def test_an_agent_that_is_made_while_no_manager_runs_comes_up_later(namespace, api, mesh):
    for pod in mesh.pods("manager"):
        send(pod, "krypton-manager")
    late = Handle(api, mesh, always_on(namespace, "late"))
    # The kubelet starts what ended again and again after ever longer times.
    late.has(1, 120)
    assert late.known().call().status == 200
    mesh.settled()

"""`helm uninstall` leaves what users made, and nothing of its own."""

from harness.waiting import eventually
from kube.agents import agent
from kube.mesh import SYSTEM, helm, install, kubectl

KINDS = "deployments,services,serviceaccounts,secrets,configmaps,roles,rolebindings,poddisruptionbudgets,networkpolicies,pods"


def test_uninstall_leaves_the_custom_resources_and_nothing_else(mesh, api, namespace, start):
    kept = start(agent(namespace, "kept"))
    helm("uninstall", "krypton", "-n", SYSTEM, "--wait", "--timeout=120s")
    eventually(lambda: not ours(SYSTEM), 90, lambda: ours(SYSTEM))
    cluster_wide = kubectl("get", "clusterroles,clusterrolebindings", "-o", "name")
    assert "krypton" not in cluster_wide
    crds = {each["metadata"]["name"] for each in api.list("customresourcedefinitions")}
    assert {"agents.krypton.ai", "models.krypton.ai"} <= crds
    uid = kept.get()["metadata"]["uid"]
    install()
    mesh.settled()
    assert kept.get()["metadata"]["uid"] == uid
    assert kept.known().call().status == 200, "and works again when Krypton is back"


def ours(namespace):
    """What Kubernetes itself puts into each namespace is not ours, nor is the lease, which runs out."""
    names = kubectl("-n", namespace, "get", KINDS, "-o", "name").split()
    return [name for name in names if name not in ("serviceaccount/default", "configmap/kube-root-ca.crt")]

"""The README's installation, what it shows to people, and `helm test`."""

import re
import subprocess

import pytest
from harness import http
from harness.waiting import eventually
from kube.agents import agent
from kube.mesh import SYSTEM, helm, kubectl, pasted, run


def test_the_readme_line_installs_everything(mesh, api):
    assert helm("list", "-n", SYSTEM, "-q").split() == ["krypton"]
    for name in ("krypton-manager", "krypton-gateway", "krypton-control-plane"):
        assert api.get("deployments", SYSTEM, name)["status"]["readyReplicas"] >= 1
    assert len(mesh.pods("gateway")) == 2 and len(mesh.pods("manager")) == 2
    crds = {each["metadata"]["name"] for each in api.list("customresourcedefinitions")}
    assert {"agents.krypton.ai", "models.krypton.ai"} <= crds


def test_installing_again_changes_nothing(mesh):
    def versions():
        return {each["metadata"]["name"]: each["metadata"]["generation"] for each in mesh.api.list("deployments", SYSTEM)}
    before, secrets = versions(), {each["metadata"]["name"]: each["data"] for each in mesh.api.list("secrets", SYSTEM)
                                   if each["metadata"]["name"].startswith("krypton-")}
    from kube.mesh import install
    install()
    assert versions() == before
    for name, data in secrets.items():
        assert mesh.api.get("secrets", SYSTEM, name)["data"] == data, name


def test_helm_test_makes_a_real_call(mesh):
    out = helm("test", "krypton", "-n", SYSTEM, "--timeout", "120s")
    assert "Phase:          Succeeded" in out


def test_notes_say_what_to_do_next_and_their_call_works(mesh, api, namespace, start):
    notes = helm("get", "notes", "krypton", "-n", SYSTEM)
    manifest = re.search(r"<<YAML\n(.*?)\n *YAML", notes, re.S)[1]
    manifest = re.sub("^  ", "", manifest, flags=re.M).replace("namespace: default", f"namespace: {namespace}")
    manifest = manifest.replace("krypton-system", SYSTEM)
    done = run("kubectl", "-n", namespace, "apply", "-f", "-", input=restricted(manifest))
    assert "agent.krypton.ai/hello created" in done.stdout
    eventually(lambda: http.call(mesh.gateway, target=http.path(namespace, "hello"), timeout=60).status == 200, 90)
    (call,) = re.findall(r"^ +(kubectl .*port-forward .*&\n +curl .*)", notes, re.M)
    assert pasted(call.replace("default/hello", f"{namespace}/hello")).startswith("GET /\n")


def restricted(manifest):
    """The tests' namespaces demand it; the notes speak of `default`."""
    return manifest + """
  podSecurityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""


@pytest.mark.parametrize("target, ports, series", [
    (f"{SYSTEM} deploy/krypton-gateway", "8081", "krypton_invocations_total"),
    (f"{SYSTEM} deploy/krypton-control-plane", "8091", "krypton_api_requests_total"),
    (f"{SYSTEM} deploy/krypton-manager", "8080", "krypton_build_info"),
    ("NAMESPACE deploy/seen", "8888", "krypton_proxy_requests_total")])
def test_port_forward_shows_the_series(mesh, start, namespace, target, ports, series):
    seen = start(agent(namespace, "seen", scaleToZeroAfter="60s"))
    assert seen.call().status == 200
    seen.has(1)  # The call is answered before the kubelet says that the pod runs.
    http.call(mesh.control_plane, target="/v1/agents")
    in_namespace, resource = target.replace("NAMESPACE", namespace).split()
    with subprocess.Popen(["kubectl", "-n", in_namespace, "port-forward", resource, f":{ports}"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as forward:
        try:
            line = forward.stdout.readline()
            port = re.search(r"127.0.0.1:(\d+)", line)
            assert port, line + forward.stdout.read()
            text = http.call(f"127.0.0.1:{port[1]}", target="/metrics").text
        finally:
            forward.terminate()
    assert re.search(rf"^{series}\b", text, re.M), text[:500]


def test_kubectl_get_reads_well(start, namespace):
    asleep = start(agent(namespace, "asleep"))
    eventually(lambda: asleep.status().get("phase"), 20, "a phase")
    lines = kubectl("-n", namespace, "get", "ag").splitlines()
    assert lines[0].split() == ["NAME", "MODE", "READY", "DESIRED", "PHASE", "URL", "AGE"]
    name, mode, ready, desired, phase, url, _ = lines[1].split()
    assert (name, mode, ready, desired) == ("asleep", "serverless", "0", "0")
    assert phase == "Ready" and url.endswith(f"/v1/agents/{namespace}/asleep")
    assert f"agent.krypton.ai/asleep" in kubectl("-n", namespace, "get", "krypton", "-o", "name")
    assert "asleep" in kubectl("-n", namespace, "get", "agents", "-o", "wide")


@pytest.mark.parametrize("what", ["agent.spec.mode", "agent.spec.scaleToZeroAfter", "model.spec.source",
                                  "agent.status.conditions"])
def test_kubectl_explain_describes_the_fields(mesh, what):
    text = kubectl("explain", what)
    assert "DESCRIPTION" in text and "<empty>" not in text

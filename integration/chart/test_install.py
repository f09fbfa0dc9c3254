"""The chart in an API server without nodes: install, upgrade, uninstall, with helm 3 and helm 4."""

import base64
import json
import os
import shutil
import subprocess

import pytest
import yaml
from harness import helm

NAMESPACE = "krypton-system"


class Release:
    """The chart in a namespace; definitions are the cluster's, so one release at a time."""

    def __init__(self, server, version, folder):
        self.server, self.version = server, version
        self.environment = {**os.environ, "HOME": str(folder), "KUBECONFIG": str(server.kubeconfig)}

    def run(self, *arguments):
        done = helm.run(*arguments, "--namespace", NAMESPACE, version=self.version, env=self.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def install(self, *arguments, chart=helm.CHART):
        return self.run("upgrade", "--install", "krypton", chart, "--create-namespace", *arguments)

    def get(self, *arguments):
        done = self.server.kubectl("get", "-n", NAMESPACE, *arguments, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def secret(self, name):
        return {key: base64.b64decode(value) for key, value in self.get("secret", name)["data"].items()}


@pytest.fixture(params=[0, 1], ids=["helm3", "helm4"])
def release(request, api_server, tmp_path):
    helm.binary(request.param)
    api_server.kubectl("delete", "crd,validatingadmissionpolicy,validatingadmissionpolicybinding", "--all")
    release = Release(api_server, request.param, tmp_path)
    yield release
    helm.run("uninstall", "krypton", "--namespace", NAMESPACE, version=request.param, env=release.environment)
    api_server.kubectl("delete", "crd", "--all")
    api_server.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    # No controller empties the namespace here.
    for kind in ("deployment", "service", "secret", "serviceaccount", "networkpolicy", "poddisruptionbudget"):
        api_server.kubectl("delete", kind, "--all", "-n", NAMESPACE)
    status, namespace = api_server.request("GET", f"/api/v1/namespaces/{NAMESPACE}")
    if status == 200:
        namespace["spec"]["finalizers"] = []
        api_server.request("PUT", f"/api/v1/namespaces/{NAMESPACE}/finalize", namespace)


def test_keys_are_kept_over_an_upgrade_and_made_anew_when_old(release, tmp_path):
    release.install()
    authority, gateway = release.secret("krypton-ca"), release.secret("krypton-gateway-tls")
    assert gateway["ca.crt"] == authority["ca.crt"]
    # As if they had been made long ago.
    old = tmp_path / "old"
    shutil.copytree(helm.CHART, old)
    template = old / "templates/certificates.yaml"
    template.write_text(template.read_text().replace("krypton.ai/issued-at: {{ $issued | quote }}",
                                                     'krypton.ai/issued-at: "1"'))
    release.install(chart=old)
    assert release.secret("krypton-ca") == authority and release.secret("krypton-gateway-tls") == gateway
    release.install()
    turned = release.secret("krypton-gateway-tls")
    assert turned["tls.crt"] != gateway["tls.crt"] and turned["ca.crt"] == authority["ca.crt"]
    assert release.secret("krypton-ca") == authority
    assert release.secret("krypton-manager-tls")["ca.crt"] == authority["ca.crt"]


def test_certificates_are_of_the_authority_and_name_the_services(release, tmp_path):
    release.install()
    for component in ("manager", "gateway", "control-plane"):
        parts = release.secret(f"krypton-{component}-tls")
        for name, content in parts.items():
            (tmp_path / name).write_bytes(content)
        done = subprocess.run(["openssl", "verify", "-CAfile", tmp_path / "ca.crt", "-purpose", "sslclient",
                               "-verify_hostname", f"krypton-{component}.{NAMESPACE}.svc", tmp_path / "tls.crt"],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        keys = [subprocess.run(["openssl", *how, "-in", tmp_path / file], capture_output=True, check=True).stdout
                for how, file in ((["x509", "-pubkey", "-noout"], "tls.crt"), (["pkey", "-pubout"], "tls.key"))]
        assert keys[0] == keys[1]


def test_an_upgrade_brings_new_fields(release, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(helm.CHART, old)
    file = old / "files/crds/agents.yaml"
    definition = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)
    spec = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del spec["properties"]["maxStreams"]
    file.write_text(yaml.safe_dump(definition))
    release.install(chart=old)

    def fields():
        served = release.get("crd", "agents.krypton.ai")["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        return set(served["properties"]["spec"]["properties"])
    assert "maxStreams" not in fields()
    release.install()
    assert "maxStreams" in fields()


def test_uninstalling_leaves_the_definitions_and_what_was_declared(release):
    release.install()
    agent = {"apiVersion": "krypton.ai/v1alpha1", "kind": "Agent", "metadata": {"name": "kept", "namespace": "default"},
             "spec": {"image": "i"}}
    release.server.kubectl("wait", "--for=condition=Established", "crd/agents.krypton.ai", "--timeout=30s")
    done = release.server.kubectl("apply", "-f", "-", text=yaml.safe_dump(agent))
    assert done.returncode == 0, done.stderr
    release.run("uninstall", "krypton")
    assert release.server.kubectl("get", "agent", "kept").returncode == 0
    for kind in ("deployment", "service", "poddisruptionbudget", "role", "rolebinding"):
        left = [each["metadata"]["name"] for each in release.get(kind)["items"]]
        assert not [name for name in left if name.startswith("krypton")], (kind, left)
    release.install()  # And again, over what was left.
    release.server.kubectl("delete", "agent", "kept")


def test_the_api_server_takes_every_set_of_values(release):
    for values in helm.value_sets():
        if "cert-manager" in values.name or values.name.startswith("full"):
            continue  # Has kinds of other projects; kubeconform looks at it.
        release.install("--values", values, "--dry-run=server")


def test_notes_are_short_and_name_the_next_steps(release):
    notes = release.install("--dry-run=client").split("NOTES:")[1]
    assert len(notes.splitlines()) < 45
    for words in ("kubectl get agents", "port-forward", "helm test krypton"):
        assert words in notes

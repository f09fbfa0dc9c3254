"""Objects of other projects' kinds, against those projects' own definitions in a real API server: structure, unknown
fields, and the rules that only an API server can evaluate.

KRYPTON_TEST_DEFINITIONS names the folder of the definitions; `./dev test kubernetes` fetches them.
"""

import os
from pathlib import Path

import pytest
import yaml
from harness import helm

GROUPS = {"cert-manager.io", "gateway.networking.k8s.io"}
# Set of values → the kinds of these groups in it.
KINDS = {"cert-manager": {"Certificate", "Issuer"}, "cert-manager-issuer": {"Certificate", "Issuer"},
         "full": {"HTTPRoute"}}


@pytest.fixture(scope="module")
def defined(api_server):
    folder = os.environ.get("KRYPTON_TEST_DEFINITIONS")
    if not folder:
        pytest.skip("no definitions: ./dev test kubernetes fetches them where Go is installed")
    for path in sorted(Path(folder).glob("*.yaml")):
        for definition in helm.documents(path.read_text()):
            if definition["kind"] == "CustomResourceDefinition" and definition["spec"]["group"] in GROUPS:
                name = definition["metadata"]["name"]
                # As their own installations do: some are too long for kubectl's annotation.
                done = api_server.kubectl("apply", "--server-side", "-f", "-", text=yaml.safe_dump(definition))
                assert done.returncode == 0, done.stderr
                done = api_server.kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=60s")
                assert done.returncode == 0, done.stderr
    done = api_server.kubectl("create", "namespace", helm.NAMESPACE)
    assert done.returncode == 0 or "AlreadyExists" in done.stderr, done.stderr
    return api_server


def foreign(values):
    objects = helm.render("--values", helm.CHART / "ci" / f"{values}-values.yaml")
    return [each for each in objects if each["apiVersion"].split("/")[0] in GROUPS]


def refusal(server, each):
    """What the API server has against it; empty: it takes it."""
    done = server.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", text=yaml.safe_dump(each))
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize("values", KINDS)
def test_their_definitions_take_what_the_chart_renders(defined, values):
    objects = foreign(values)
    assert {each["kind"] for each in objects} == KINDS[values]
    refused = {f"{each['kind']} {each['metadata']['name']}": refusal(defined, each) for each in objects}
    assert not any(refused.values()), refused


@pytest.mark.parametrize("values, kind, change, words", [
    ("cert-manager", "Certificate", {"secretNaem": "x"}, "secretNaem"),
    ("cert-manager", "Certificate", {"secretName": None}, "secretName"),
    ("cert-manager", "Issuer", {"ca": {"secretName": 5}}, "secretName"),
    ("full", "HTTPRoute", {"hostnames": ["not a name"]}, "hostnames"),
    # By a rule, not by structure.
    ("full", "HTTPRoute", {"rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "no-slash"}}]}]}, "path"),
])
def test_what_is_wrong_is_seen(defined, values, kind, change, words):
    each = next(each for each in foreign(values) if each["kind"] == kind)
    each["spec"] |= change
    assert words in refusal(defined, each)

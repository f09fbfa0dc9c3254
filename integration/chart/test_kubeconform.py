"""Each set of values against schemas that a cluster gave of itself; and the manifests in docs and examples."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from harness import helm, schemas

ROOT = Path(os.environ["KRYPTON_SOURCE_DIR"])
# Kinds of other projects, which a cluster without those does not know.
FOREIGN = "Certificate,Issuer,HTTPRoute,ServiceMonitor,PodMonitor,PrometheusRule,GrafanaDashboard"


@pytest.fixture(scope="module")
def kubeconform(tmp_path_factory):
    program = os.environ.get("KRYPTON_TEST_KUBECONFORM")
    if not program:
        pytest.skip("kubeconform is not here: ./dev test builds it where Go is installed")
    folder = schemas.write(tmp_path_factory.mktemp("schemas"))

    def check(text):
        return subprocess.run(
            [program, "-strict", "-summary", "-output", "json", "-skip", FOREIGN, "-schema-location",
             f"{folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"], input=text, capture_output=True, text=True)
    return check


def verdict(done):
    answer = json.loads(done.stdout)
    return answer["summary"], [each for each in answer.get("resources", [])
                               if each["status"] not in ("statusValid", "statusSkipped")]


@pytest.mark.parametrize("version", [0, 1], ids=["helm3", "helm4"])
@pytest.mark.parametrize("values", helm.value_sets(), ids=lambda path: path.name.removesuffix("-values.yaml"))
def test_rendered_objects_are_valid(kubeconform, values, version):
    done = helm.template("--values", values, version=version)
    assert done.returncode == 0, done.stderr
    summary, wrong = verdict(kubeconform(done.stdout))
    assert not wrong and summary["valid"] > 10, wrong


def test_a_wrong_object_is_seen(kubeconform):
    done = helm.template()
    text = done.stdout.replace("revisionHistoryLimit:", "revisionHistoryLimt:")
    assert verdict(kubeconform(text))[1]


def manifests():
    """(where, text) of what docs, README and examples show with an apiVersion of ours or of Kubernetes."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for number, block in enumerate(re.findall(r"^```ya?ml\n(.*?)^```", path.read_text(), re.M | re.S), 1):
            if re.search(r"^apiVersion: krypton\.ai", block, re.M):
                yield f"{path.name}:{number}", block
    for path in sorted((ROOT / "examples").rglob("*.yaml")):
        if re.search(r"^apiVersion: krypton\.ai", path.read_text(), re.M):
            yield path.name, path.read_text()


MANIFESTS = list(manifests())


@pytest.mark.parametrize("where, text", MANIFESTS, ids=[where for where, _ in MANIFESTS])
def test_manifests_in_docs_and_examples_are_valid(kubeconform, where, text):
    summary, wrong = verdict(kubeconform(text))
    assert not wrong and summary["valid"] > 0, (where, wrong)

"""Helm, and what it renders."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

CHART = Path(os.environ["KRYPTON_SOURCE_DIR"]) / "charts" / "krypton"
NAMESPACE = "krypton-system"
# What helm believes of a cluster that it does not ask; one that was built by `go install` believes in v1.20.
KUBERNETES = "1.34.4"
VERSIONS = [os.environ.get("KRYPTON_TEST_HELM"), os.environ.get("KRYPTON_TEST_HELM4")]


def binary(version=0):
    path = VERSIONS[version]
    if not path:
        pytest.skip("helm is not here: ./dev test builds it where Go is installed")
    return path


def run(*arguments, version=0, **options):
    return subprocess.run([binary(version), *map(str, arguments)], capture_output=True, text=True, **options)


def template(*arguments, version=0, kubernetes=KUBERNETES, text=None):
    """Without a check of how it ended. `text` is what it reads from `-`."""
    return run("template", "krypton", CHART, "--namespace", NAMESPACE, "--kube-version", kubernetes, *arguments,
               version=version, input=text)


def documents(text):
    return [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]


def render(*arguments, version=0, kubernetes=KUBERNETES, text=None):
    """The objects that `helm template` prints."""
    done = template(*arguments, version=version, kubernetes=kubernetes, text=text)
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def value_sets():
    """Files of values that charts/krypton/ci holds, by name."""
    return sorted((CHART / "ci").glob("*-values.yaml"))


def by_kind(objects, kind):
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def pods(objects):
    """(owner's name, pod metadata, pod spec) of Deployments and Pods."""
    for each in objects:
        if each["kind"] == "Deployment":
            yield each["metadata"]["name"], each["spec"]["template"]["metadata"], each["spec"]["template"]["spec"]
        elif each["kind"] == "Pod":
            yield each["metadata"]["name"], each["metadata"], each["spec"]

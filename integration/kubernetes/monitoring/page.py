"""The commands of docs/metrics.md, as they stand."""

import os
import re
import textwrap

from harness.metrics_page import PAGE
from kube.mesh import REGISTRY, VALUES, run

SOURCE = PAGE.parent.parent
# What the page names in public registries lies in the cluster's own.
CHART = "oci://ghcr.io/krypton-ai/charts/krypton"


def blocks(language="sh"):
    return [textwrap.dedent(found) for found in
            re.findall(rf"^ *```{language}\n(.*?)^ *```", PAGE.read_text(), re.M | re.S)]


def block(mark, language="sh"):
    """The one block of the page that has `mark` in it."""
    (found,) = [each for each in blocks(language) if mark in each]
    return found


def quick_setup(**values):
    """The page's installation, with what the tests' cluster needs, and more values."""
    text = block("helm upgrade --install").rstrip()
    assert CHART in text
    more = " ".join(f"--set {key}={value}" for key, value in {**VALUES, **values}.items())
    return text.replace(CHART, f"oci://{REGISTRY}/charts/krypton") + f" --wait --timeout 180s {more}"


def shell(text):
    return run("bash", "-euc", text, cwd=SOURCE).stdout

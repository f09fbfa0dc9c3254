"""The commands of docs/metrics.md, as they stand."""

import os
import re
from pathlib import Path

from kube.mesh import REGISTRY, VALUES, run

SOURCE = Path(os.environ["KRYPTON_SOURCE_DIR"])
# What the page names in public registries lies in the cluster's own.
CHART = "oci://ghcr.io/krypton-ai/charts/krypton"


def block(mark, language="sh"):
    """The one block of the page that has `mark` in it."""
    text = (SOURCE / "docs" / "metrics.md").read_text()
    (found,) = [each for each in re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S) if mark in each]
    return found


def quick_setup():
    """The page's installation, with what the tests' cluster needs."""
    text = block("helm upgrade --install").rstrip()
    assert CHART in text
    more = " ".join(f"--set {key}={value}" for key, value in VALUES.items())
    return text.replace(CHART, f"oci://{REGISTRY}/charts/krypton") + f" --wait --timeout 180s {more}"


def shell(text, **variables):
    return run("bash", "-euc", text, cwd=SOURCE, env={**os.environ, **variables})

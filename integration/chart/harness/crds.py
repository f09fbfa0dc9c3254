"""The definitions of the chart, put into an API server without the chart."""

import os
import time
from pathlib import Path

FOLDER = Path(os.environ["KRYPTON_SOURCE_DIR"]) / "charts/krypton/files/crds"


def define(server):
    done = server.kubectl("apply", "--server-side", *[part for file in sorted(FOLDER.glob("*.yaml"))
                                                      for part in ("-f", file)])
    assert done.returncode == 0, done.stderr
    for name in ("agents", "models"):
        done = server.kubectl("wait", "--for=condition=Established", f"crd/{name}.krypton.ai", "--timeout=30s")
        assert done.returncode == 0, done.stderr
    # A policy counts a moment after it is there.
    agent = {"apiVersion": "krypton.ai/v1alpha1", "kind": "Agent", "spec": {"image": "i"},
             "metadata": {"name": "a", "labels": {"krypton.ai/x": "y"}}}
    deadline = time.monotonic() + 60
    while server.request("POST", "/apis/krypton.ai/v1alpha1/namespaces/default/agents?dryRun=All", agent)[0] == 201:
        assert time.monotonic() < deadline, "the policy of reserved names does not work"
        time.sleep(0.1)

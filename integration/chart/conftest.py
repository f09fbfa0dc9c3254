"""Fixtures of the chart's tests."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness.api_server import ApiServer  # noqa: E402

CACHE = Path(os.environ.get("KRYPTON_CACHE_DIR") or
             Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "krypton")


@pytest.fixture(scope="session")
def api_server(tmp_path_factory):
    """A kube-apiserver of its own."""
    programs = Path(os.environ.get("KRYPTON_TEST_KUBE_BIN") or CACHE / "kubernetes")
    if not (programs / "kube-apiserver").exists():
        pytest.skip(f"no kube-apiserver in {programs}: integration/kubernetes/cluster build makes it")
    server = ApiServer(programs, tmp_path_factory.mktemp("api"))
    yield server
    server.end()

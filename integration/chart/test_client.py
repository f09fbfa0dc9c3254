"""The manager's Kubernetes client (manager/platform/kubernetes) against a real kube-apiserver.

The tests are GoogleTest's, in krypton_kube_integration_test; each is one here.
"""

import os
import subprocess
import time
from pathlib import Path

import pytest

PROGRAM = Path(os.environ["KRYPTON_BINARY_DIR"]).parent / "tests" / "krypton_kube_integration_test"


def names():
    if not PROGRAM.exists():
        return []
    group, found = "", []
    listed = subprocess.run([PROGRAM, "--gtest_list_tests"], check=True, capture_output=True, text=True).stdout
    for line in listed.splitlines():
        if line.startswith("  "):
            found.append(group + line.split()[0])
        elif line.endswith("."):
            group = line
    return found


def test_the_program_is_built():
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM} is not built: cmake --build --target {PROGRAM.name}")


@pytest.mark.parametrize("name", names())
def test_client(api_server, name, tmp_path):
    """A test that wants the server to start anew writes a file; it is gone when that is done."""
    restart = tmp_path / "restart"
    process = subprocess.Popen([PROGRAM, f"--gtest_filter={name}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, env={**os.environ, "KRYPTON_TEST_KUBECONFIG": str(api_server.kubeconfig),
                                               "KRYPTON_TEST_RESTART": str(restart)})
    try:
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if restart.exists():
                api_server.restart()
                restart.unlink()
            time.sleep(0.05)
    finally:
        process.kill()
    output = process.communicate()[0]
    assert process.returncode == 0, output[-6000:]

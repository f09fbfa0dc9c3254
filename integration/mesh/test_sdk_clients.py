"""The official A2A and MCP SDKs of both eras talk through the gateway: from zero, with one replica, with three."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urljoin

import pytest
from harness.http import path
from harness.mesh import SOURCE
from harness.processes import SLOW
from harness.waiting import eventually

MESH = {"control_plane": False, "manager": ["--scaler-interval", "200ms"]}
CLIENTS = Path(__file__).resolve().parent / "clients"
REPLICAS = [0, 1, 3]


def talk(python, client, *arguments):
    done = subprocess.run([python, CLIENTS / client, *map(str, arguments)], capture_output=True, text=True,
                          timeout=60 * SLOW, env={**os.environ, "PYTHONWARNINGS": "ignore"})
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def serve(mesh, example, replicas, **options):
    """The example with so many replicas; its URL."""
    name = f"{example}-{replicas}"
    if mesh.route(name) is None:
        scale = {"mode": "always-on", "minReplicas": replicas, "maxReplicas": replicas} if replicas else {
            "maxReplicas": 1, "scaleToZeroAfter": "1s"}
        mesh.apply(name, command=f"exec python3 {SOURCE}/examples/{example}.py", **scale, **options)
    mesh.wait_replicas(name, replicas, timeout=30)
    return f"{mesh.url}{path('default', name)}"


@pytest.mark.parametrize("replicas", REPLICAS)
@pytest.mark.parametrize("era", ["a2a_1_0.py", "a2a_0_3.py"])
def test_a2a(mesh, legacy_python, era, replicas):
    url = serve(mesh, "echo", replicas, protocol="a2a")
    python = sys.executable if era == "a2a_1_0.py" else legacy_python
    # Tasks live in one replica: only one of one can be asked for a task afterwards.
    seen = talk(python, era, url, *(["--task"] if replicas < 2 else []))
    assert seen["message"] == "hello there" and seen["words"] == ["one", "two", "three"], seen
    assert set(seen["interfaces"]) == {url}, "the card's addresses are what the client reaches"
    assert seen["state"] in ("completed", 3) and seen.get("task", True)


@pytest.mark.parametrize("replicas", REPLICAS)
@pytest.mark.parametrize("mode, version", [("auto", "2026-07-28"), ("legacy", "2025-11-25"),
                                           ("2026-07-28", "2026-07-28")])
def test_mcp_2(mesh, replicas, mode, version):
    url = serve(mesh, "tools", replicas, protocol="mcp", invocationPath="/mcp")
    seen = talk(sys.executable, "mcp_2.py", url, mode, 4)
    assert seen["version"] == version and seen["tools"] == ["add", "now"]
    assert seen["sums"] == ["3", "4", "5", "6"], seen


@pytest.mark.parametrize("replicas", REPLICAS)
def test_mcp_1(mesh, legacy_python, replicas):
    url = serve(mesh, "tools", replicas, protocol="mcp", invocationPath="/mcp")
    seen = talk(legacy_python, "mcp_1.py", url, 4)
    assert seen["tools"] == ["add", "now"] and seen["sums"] == ["3", "4", "5", "6"], seen


@pytest.mark.parametrize("era", ["1", "2"])
def test_the_sdks_own_servers(mesh, legacy_python, era):
    """Sessions, standing streams, and a redirect from /mcp/ to /mcp that stays under the prefix."""
    python = sys.executable if era == "2" else legacy_python
    name = f"sdk-{era}"
    mesh.apply(name, command=f"exec {python} {CLIENTS}/server_{era}.py", mode="always-on", minReplicas=2,
               maxReplicas=2, protocol="mcp", invocationPath="/mcp")
    mesh.wait_replicas(name, 2, timeout=60)
    url = f"{mesh.url}{path('default', name)}"
    modes = ["auto", "legacy"] if era == "2" else ["auto"]
    for mode in modes:
        assert talk(sys.executable, "mcp_2.py", url, mode, 3)["sums"] == ["3", "4", "5"]
    assert talk(legacy_python, "mcp_1.py", url, 3)["sums"] == ["3", "4", "5"]
    answer = mesh.call(name, "/mcp/", method="POST", body=b"{}", headers={"content-type": "application/json"})
    assert answer.status == 307 and urljoin(url, answer.header("location")) == f"{url}/mcp", answer
    eventually(lambda: mesh.route(name)["inFlight"] == 0, 10 * SLOW, "nothing hangs")
    mesh.delete(name)

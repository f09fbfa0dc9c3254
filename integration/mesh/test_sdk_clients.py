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
    """What the client has seen: one object for each thing that it did."""
    done = subprocess.run([python, CLIENTS / client, *arguments], capture_output=True, text=True,
                          timeout=90 * SLOW, env={**os.environ, "PYTHONWARNINGS": "ignore"})
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def serve(mesh, example, replicas, **options):
    """The example with so many replicas; its URL."""
    name = f"{example}-{replicas}"
    if mesh.route(name) is None:
        scale = {"mode": "always-on", "minReplicas": replicas, "maxReplicas": replicas} if replicas else {
            "maxReplicas": 1, "scaleToZeroAfter": "1s"}
        mesh.apply(name, command=f"exec python3 {SOURCE}/examples/{example}.py", **scale, **options)
    mesh.wait_replicas(name, replicas, timeout=30)
    return f"{mesh.url}{path('default', name)}"


@pytest.mark.parametrize("era", ["a2a_1_0.py", "a2a_0_3.py"])
def test_a2a_from_zero_with_one_and_with_three(mesh, legacy_python, era):
    urls = [serve(mesh, "echo", replicas, protocol="a2a") for replicas in REPLICAS]
    seen = talk(sys.executable if era == "a2a_1_0.py" else legacy_python, era, *urls)
    assert len(seen) == len(urls)
    for url, each in zip(urls, seen):
        assert each["message"] == "hello there" and each["words"] == ["one", "two", "three"], each
        assert set(each["interfaces"]) == {url}, "the card's addresses are what the client reaches"
        assert each["state"] in ("completed", 3) and each.get("task", True)


def test_mcp_2_from_zero_with_one_and_with_three(mesh):
    versions = {"auto": "2026-07-28", "legacy": "2025-11-25", "2026-07-28": "2026-07-28"}
    urls = [serve(mesh, "tools", replicas, protocol="mcp", invocationPath="/mcp") for replicas in REPLICAS]
    seen = talk(sys.executable, "mcp_2.py", ",".join(versions), *urls)
    assert [each["version"] for each in seen] == [*versions.values()] * len(urls)
    for each in seen:
        assert each["tools"] == ["add", "now"] and each["sums"] == ["3", "4", "4", "5"], each


def test_mcp_1_from_zero_with_one_and_with_three(mesh, legacy_python):
    urls = [serve(mesh, "tools", replicas, protocol="mcp", invocationPath="/mcp") for replicas in REPLICAS]
    seen = talk(legacy_python, "mcp_1.py", *urls)
    assert len(seen) == len(urls)
    for each in seen:
        assert each["tools"] == ["add", "now"] and each["sums"] == ["3", "4", "4", "5"], each


@pytest.mark.parametrize("era", ["1", "2"])
def test_the_sdks_own_servers(mesh, legacy_python, era):
    """Sessions, standing streams, and a redirect from /mcp/ to /mcp that stays under the prefix."""
    python = sys.executable if era == "2" else legacy_python
    name = f"sdk-{era}"
    mesh.apply(name, command=f"exec {python} {CLIENTS}/server_{era}.py", mode="always-on", minReplicas=2,
               maxReplicas=2, protocol="mcp", invocationPath="/mcp")
    mesh.wait_replicas(name, 2, timeout=60)
    url = f"{mesh.url}{path('default', name)}"
    seen = talk(sys.executable, "mcp_2.py", "auto,legacy" if era == "2" else "auto", url)
    seen += talk(legacy_python, "mcp_1.py", url)
    assert all(each["sums"] == ["3", "4", "4", "5"] for each in seen), seen
    answer = mesh.call(name, "/mcp/", method="POST", body=b"{}", headers={"content-type": "application/json"})
    assert answer.status == 307 and urljoin(url, answer.header("location")) == f"{url}/mcp", answer
    eventually(lambda: mesh.route(name)["inFlight"] == 0, 10 * SLOW, "nothing hangs")
    mesh.delete(name)

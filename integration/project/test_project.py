"""The project as a newcomer and a packager find it: `./dev`, the installed tree, the examples."""

import os
import re
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(os.environ["KRYPTON_SOURCE_DIR"])
BINARIES = Path(os.environ["KRYPTON_BINARY_DIR"])
SERVERS = ["krypton-gateway", "krypton-manager", "krypton-control-plane", "krypton-proxy"]


def run(*command, **options):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=SOURCE, **options)


def test_dev_alone_explains_itself():
    done = run("./dev")
    assert done.returncode == 0
    for command in "run build test images bench fuzz format lint asan tsan clean".split():
        assert re.search(rf"^  .*\b{command}\b", done.stdout, re.M), command
    assert run("./dev", "nonsense").returncode != 0


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("installed")
    done = run("cmake", "--install", BINARIES.parent, "--prefix", prefix)
    assert done.returncode == 0, done.stderr
    return prefix


def test_install_puts_binaries_protos_and_docs_where_a_packager_expects_them(installed):
    for binary in [*SERVERS, "krypton", "krypton-supervisor"]:
        assert os.access(installed / "bin" / binary, os.X_OK), binary
    protos = {path.name for path in installed.rglob("krypton/v1/*.proto")}
    assert protos == {path.name for path in (SOURCE / "proto" / "krypton" / "v1").glob("*.proto")}
    docs = installed / "share" / "doc" / "krypton"
    for name in ("README.md", "LICENSE", "metrics.md", "examples/hello.yaml", "dashboards/krypton-overview.json",
                 "dashboards/krypton-rules.yaml"):
        assert (docs / name).exists(), name


def test_installed_binaries_run(installed):
    for binary in [*SERVERS, "krypton"]:
        assert run(installed / "bin" / binary, "--version").returncode == 0, binary


def test_each_program_has_a_man_page(installed):
    for binary in [*SERVERS, "krypton"]:
        section = 1 if binary == "krypton" else 8
        page = (installed / f"share/man/man{section}/{binary}.{section}").read_text()
        assert ".SH SYNOPSIS" in page and re.search(r"^\.TH \S+ ", page, re.M)
        assert "--log" in page.replace("\\-", "-") or binary == "krypton"


def test_the_examples_are_valid(installed):
    done = run(installed / "bin" / "krypton", "validate", *sorted((SOURCE / "examples").rglob("*.yaml")))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("folder", ["gateway", "proxy", "manager", "controlplane", "cli", "bench", "dashboards", "integration",
                                    "examples", *[f"common/{name}" for name in (
                                        "config", "fuzz", "http", "load", "log", "metrics", "ops", "pem",
                                        "registry", "resource", "rpc", "transcode")]])
def test_each_component_has_a_readme_of_one_screen(folder):
    lines = (SOURCE / folder / "README.md").read_text().splitlines()
    assert 5 <= len(lines) <= 80, len(lines)


def test_sources_keep_to_400_lines():
    listed = run("git", "ls-files", "*.cc", "*.h", "*.py").stdout.split()
    for name in listed:
        lines = (SOURCE / name).read_text().splitlines()
        assert len(lines) <= 400 or "400 lines" in "\n".join(lines[:10]), f"{name}: {len(lines)}"

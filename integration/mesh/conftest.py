"""Fixtures of the mesh's tests. What a test starts is ended and searched for, even when it fails."""

import os
import resource
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness.mesh import Mesh  # noqa: E402
from harness.processes import Process, become_subreaper, kill_all, nothing_left  # noqa: E402

become_subreaper()
# A thousand calls at once are as many sockets.
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
meshes = []  # Those of the test (or file) that runs, for its report.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for mesh in meshes:
            report.sections.append(("logs of the mesh", mesh.logs()))
    return report


@pytest.fixture
def new_mesh():
    """Starts meshes for one test: `new_mesh(manager=[...], gateway=[...])`."""
    mine = []

    def start(**options):
        mesh = Mesh(**options)
        mine.append(mesh)
        meshes.append(mesh)
        return mesh.start()

    yield start
    finish(mine)


@pytest.fixture(scope="module")
def mesh(request):
    """One mesh for a file; its module may say MESH = dict(manager=[...], ...)."""
    mesh = Mesh(**getattr(request.module, "MESH", {}))
    meshes.append(mesh)
    try:
        mesh.start()
    except BaseException as failure:
        print(mesh.logs())  # Into the report of whatever test asked for it.
        meshes.remove(mesh)
        mesh.remove()
        raise
    yield mesh
    finish([mesh])


def finish(mine):
    problems = []
    for mesh in mine:
        try:
            mesh.stop()
        except AssertionError as problem:
            problems.append(f"{problem}\n{mesh.logs()}")
        finally:
            mesh.remove()
        meshes.remove(mesh)
    assert not problems, "\n".join(problems)


@pytest.fixture
def launch(tmp_path):
    """Starts single binaries: `launch(name, command, env={...})`; nothing of them stays."""
    started = []

    def start(name, command, **options):
        process = Process(name, command, tmp_path, **options)
        started.append(process)
        return process

    yield start
    try:
        for process in reversed(started):
            process.stop(10)
        nothing_left(tmp_path)
    finally:
        kill_all(tmp_path)


@pytest.fixture
def folder():
    """A short temporary folder (paths of Unix sockets have a limit)."""
    with tempfile.TemporaryDirectory(prefix="krypton-test-") as path:
        yield Path(path)


@pytest.fixture(scope="session")
def legacy_python():
    """The interpreter with the clients of the previous era."""
    path = os.environ.get("KRYPTON_TEST_PYTHON_LEGACY")
    if not path:
        pytest.skip("KRYPTON_TEST_PYTHON_LEGACY is not set; ./dev test sets it")
    return path


@pytest.fixture(scope="session")
def grpcurl():
    """Path of grpcurl, which ./dev builds where Go is."""
    path = os.environ.get("KRYPTON_GRPCURL")
    if not path:
        pytest.skip("grpcurl is not there: it is built with Go, and this machine has none")
    return path

"""Fixtures of the cluster's tests. They run inside the cluster's network (`cluster run`), with the images and the
chart in its registry; the chart is installed once, by the first test file."""

import os
import sys
import uuid
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "mesh")]

from harness.waiting import eventually  # noqa: E402
from kube import api as kube_api  # noqa: E402
from kube.agents import Handle  # noqa: E402
from kube.mesh import SYSTEM, Mesh, install  # noqa: E402

# In this order: what installs comes first, what breaks things later, what counts and removes last.
ORDER = ["cluster", "install", "agents", "scale", "status", "logs", "children", "models", "security", "policies", "upgrade",
         "faults", "figures", "roles", "uninstall"]


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: ORDER.index(item.path.stem.removeprefix("test_")))


@pytest.fixture(scope="session")
def api():
    if "KUBECONFIG" not in os.environ:
        pytest.exit("run me by `./dev test kubernetes`, or in `cluster exec`", 1)
    return kube_api.admin()


@pytest.fixture(scope="session")
def mesh(api):
    """Installed when it is not, as when one file is run alone."""
    mesh = Mesh(api)
    if not api.get("deployments", SYSTEM, "krypton-manager"):
        install()
    mesh.settled()
    return mesh


@pytest.fixture
def namespace(api, mesh, request):
    """A namespace of the test's own, which demands restricted pods."""
    name = f"t-{request.node.originalname.removeprefix('test_').replace('_', '-')[:40].strip('-')}-{uuid.uuid4().hex[:5]}"
    api.create("namespaces", None, {"metadata": {"name": name, "labels": {
        "pod-security.kubernetes.io/enforce": "restricted"}}})
    yield name
    for kind in ("agents", "models"):
        for each in api.list(kind, name):
            api.delete(kind, name, each["metadata"]["name"])
    eventually(lambda: not api.list("pods", name, "app.kubernetes.io/managed-by=krypton-runtime"), 90,
               lambda: f"no pods of agents in {name}")
    api.delete("namespaces", None, name)


@pytest.fixture
def start(api, mesh):
    """Applies an Agent and waits until the gateways know it: start(agent(namespace, "echo"))."""
    return lambda body: Handle(api, mesh, body).known()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed and "api" in getattr(item, "funcargs", {}):
        api = item.funcargs["api"]
        try:
            report.sections.append(("logs of the mesh", Mesh(api).logs()))
            if name := item.funcargs.get("namespace"):
                report.sections.append((f"namespace {name}", describe(api, name)))
        except Exception as error:  # The test's own failure is what counts.
            report.sections.append(("logs of the mesh", f"could not be read: {error}"))
    return report


def describe(api, namespace):
    lines = []
    for event in api.list("events", namespace):
        lines.append(f"{event['regarding']['kind']}/{event['regarding']['name']} {event['reason']}: {event.get('note')}")
    for kind in ("agents", "models"):
        for each in api.list(kind, namespace):
            lines.append(f"{each['metadata']['name']}: {each.get('status')}")
    for pod in api.list("pods", namespace):
        name = pod["metadata"]["name"]
        for container in ("krypton-proxy", "agent"):
            lines.append(f"--- {name} {container}\n{api.logs(namespace, name, container)[-2500:]}")
    return "\n".join(lines)

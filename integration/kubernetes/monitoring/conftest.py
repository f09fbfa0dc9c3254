"""Fixtures of the monitoring tests: the operator, the mesh as docs/metrics.md installs it, a Prometheus of each major."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1] / "mesh")]

from happenings import Happened  # noqa: E402
from kube import api as kube_api  # noqa: E402
from kube.mesh import SYSTEM, Mesh, install  # noqa: E402
from page import quick_setup, shell  # noqa: E402
from stack import NAMESPACE, VERSIONS, Prometheus, install_operator  # noqa: E402


# Short enough to be overrun.
QUEUES = {"gateway.maxBufferPerAgent": 64}


@pytest.fixture(scope="session")
def api():
    if "KUBECONFIG" not in os.environ:
        pytest.exit("run me by `./dev test monitoring`", 1)
    return kube_api.admin()


@pytest.fixture(scope="session")
def stack(api):
    """Both Prometheus, by major, and a mesh whose monitors carry no label yet."""
    install_operator()
    prometheus = {version: Prometheus(api, version) for version in VERSIONS}
    install(**{"serviceMonitor.enabled": "true", "podMonitor.enabled": "true", **QUEUES})
    return prometheus


@pytest.fixture(params=sorted(VERSIONS), ids=lambda version: f"prometheus{version}")
def prometheus(request, stack):
    return stack[request.param]


@pytest.fixture(scope="session")
def mesh(api, stack):
    mesh = Mesh(api)
    mesh.settled()
    return mesh


@pytest.fixture(scope="session")
def used(api, mesh, stack):
    """Installed as docs/metrics.md says, and everything has happened under the eyes of both Prometheus."""
    shell(quick_setup(**{"prometheusRule.enabled": "true", "prometheusRule.labels.release": "prom",
                         "dashboards.enabled": "true", **QUEUES}))
    mesh.settled()
    for prometheus in stack.values():
        prometheus.becomes(lambda: len(prometheus.scraped()) >= 5, 240, "components are scraped")
    happened = Happened(api, mesh)
    happened.everything()
    return happened


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed and "api" in getattr(item, "funcargs", {}):
        api = item.funcargs["api"]
        for namespace in (SYSTEM, NAMESPACE):
            try:
                text = [f"--- {pod['metadata']['name']}\n{log_of(api, namespace, pod)[-3000:]}"
                        for pod in api.list("pods", namespace)]
                report.sections.append((f"logs of {namespace}", "\n".join(text)))
            except Exception as error:  # The test's own failure is what counts.
                report.sections.append((f"logs of {namespace}", f"could not be read: {error}"))
    return report


def log_of(api, namespace, pod):
    return api.logs(namespace, pod["metadata"]["name"], pod["spec"]["containers"][0]["name"])

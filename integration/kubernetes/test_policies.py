"""With networkPolicy.enabled and a network that enforces it, the mesh lives and strangers are kept out."""

import subprocess

import pytest
from harness.waiting import eventually
from kube.agents import always_on
from kube.mesh import SYSTEM, install, processes
from kube.policies import Enforcer


def reaches(pod, program, address):
    """Whether a TCP connection opens from within the pod's network."""
    (process, *_) = processes(pod, program)
    host, port = address.rsplit(":", 1)
    code = f"import socket; socket.create_connection(({host!r}, {port}), 1.5)"
    done = subprocess.run(["nsenter", "--net", f"--target={process}", "python3", "-c", code], capture_output=True)
    return done.returncode == 0


@pytest.fixture
def fenced(mesh, api, namespace, start):
    """Two agents in a namespace that the policies fence, and the policies in force."""
    install(**{"networkPolicy.enabled": "true", "networkPolicy.agentNamespaces": f"{{{namespace}}}"})
    mesh.settled()
    first, second = start(always_on(namespace, "first")).has(1), start(always_on(namespace, "second")).has(1)
    with Enforcer(api) as enforcer:
        yield first, second, enforcer
    install()
    mesh.settled()


def test_the_mesh_lives_and_agents_are_fenced(fenced, mesh, api, start, namespace):
    first, second, enforcer = fenced
    assert first.call().status == 200 and second.call().status == 200

    def scales():
        enforcer.refresh()
        return len(first.running()) == 2
    first.change(minReplicas=2)
    eventually(scales, 60, "a pod that is made under the policies reports and becomes ready", every=0.2)
    pod = first.running()[0]
    (other,) = second.running()
    leader, gateway = mesh.leading_pod(), mesh.pods("gateway")[0]
    node = pod["status"]["hostIP"]
    admitted = {f"{gateway['status']['podIP']}:8080": "the gateway",
                f"{leader['status']['podIP']}:7070": "the manager's gRPC",
                f"{other['status']['podIP']}:8889": "an agent of its own namespace, by its sidecar"}
    refused = {"10.96.0.1:443": "the API server", f"{node}:6443": "the API server at its own address",
               f"{node}:10250": "the kubelet", "169.254.169.254:80": "the metadata address",
               f"{gateway['status']['podIP']}:7080": "the gateway's gRPC",
               f"{leader['status']['podIP']}:8081": "a port of the manager that is none"}
    for address, what in admitted.items():
        assert reaches(pod, "probe.py", address), f"{what} ({address})"
    for address, what in refused.items():
        assert not reaches(pod, "probe.py", address), f"{what} ({address})"
    stranger = mesh.pods("control-plane")[0]
    assert not reaches(stranger, "krypton-control-plane", f"{pod['status']['podIP']}:8889"), "only gateways call agents"

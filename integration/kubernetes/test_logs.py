"""What agents print, as `krypton logs` and the control plane's REST show it: the manager reads it from the kubelets."""

import os
import re
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import http
from harness.waiting import eventually
from kube.agents import always_on, image
from kube.mesh import SYSTEM, run

KRYPTON = Path(os.environ.get("KRYPTON_BINARY_DIR", "build/release/bin")) / "krypton"


@contextmanager
def forwarded(resource, port):
    """kubectl's port-forward of it; the local port."""
    with subprocess.Popen(["kubectl", "-n", SYSTEM, "port-forward", resource, f":{port}"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as forward:
        try:
            line = forward.stdout.readline()
            found = re.search(r"127.0.0.1:(\d+)", line)
            assert found, line + forward.stdout.read()
            yield int(found[1])
        finally:
            forward.terminate()


@pytest.fixture
def krypton(mesh, api, tmp_path):
    """Runs the command line as a person beside the cluster does: through a port-forward, with a client's certificate."""
    for name, data in api.secret(SYSTEM, "krypton-gateway-tls").items():
        (tmp_path / name).write_bytes(data)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    with forwarded("deploy/krypton-control-plane", 7090) as port:
        def command(*arguments):
            return [KRYPTON, *arguments, f"--control-plane=localhost:{port}", f"--tls-ca={tmp_path}/ca.crt",
                    f"--tls-cert={tmp_path}/tls.crt", f"--tls-key={tmp_path}/tls.key"]

        def call(*arguments):
            return run(*command(*arguments), env=environment).stdout

        def follow(*arguments):
            return subprocess.Popen(command(*arguments, "--follow"), stdout=subprocess.PIPE, text=True, env=environment)
        call.follow = follow
        yield call


def test_krypton_logs_shows_what_every_replica_printed(krypton, start, namespace):
    hello = start(always_on(namespace, "hello", image=image("hello"), minReplicas=2)).has(2)
    target, uids = f"{namespace}/hello", {pod["metadata"]["uid"] for pod in hello.pods()}

    def printed():
        assert hello.call("/for-the-log").status == 200
        lines = krypton("logs", target, "--prefix").splitlines()
        return {line.split(" | ")[0] for line in lines if "/for-the-log" in line} == uids
    eventually(printed, 30, "both replicas have printed")
    one = uids.pop()
    lines = krypton("logs", target, "--prefix", f"--instance={one}", "--tail=1").splitlines()
    assert len(lines) == 1 and lines[0].startswith(f"{one} | ")


def test_krypton_logs_follows_and_ends_with_the_pod(krypton, start, namespace):
    hello = start(always_on(namespace, "hello", image=image("hello"))).has(1)
    with krypton.follow("logs", f"{namespace}/hello", "--tail=1") as following:
        lines = []
        reader = threading.Thread(target=lambda: [lines.append(line) for line in following.stdout])
        reader.start()

        def seen():  # Whether it follows already is seen by what it prints.
            assert hello.call("/while-following").status == 200
            return any("/while-following" in line for line in lines)
        try:
            eventually(seen, 20, "a line that is printed meanwhile", every=0.1)
            hello.delete()
            assert following.wait(60) == 0, "the replica is gone, so nothing will come"
        finally:
            following.kill()
            reader.join()


def test_the_last_words_of_an_agent_that_crashes_can_be_read(mesh, start, namespace):
    start(always_on(namespace, "crash", image=image("crash")))
    target = f"/v1/agents/{namespace}/crash/logs"
    eventually(lambda: "this agent ends at once" in http.call(mesh.control_plane, target=target).text, 60,
               lambda: http.call(mesh.control_plane, target=target))

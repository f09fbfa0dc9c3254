"""A manager whose API server says nothing: it tells so by /readyz, and ends within its grace after SIGTERM."""

import signal
import socket
import subprocess
import time

import pytest
from harness import http
from harness.mesh import BINARIES
from harness.processes import SLOW, Process
from harness.waiting import eventually

# Of the chart's terminationGracePeriodSeconds, most is left to whatever else a node has to do.
GRACE = 12


class Silent:
    """Takes connections, and says nothing on them."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]

    def close(self):
        self.listener.close()


class Dropping(Silent):
    """Its queue is full, so that the kernel drops whoever wants to connect."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port = self.listener.getsockname()[1]
        self.queue = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", self.port))
            self.queue.append(client)

    def close(self):
        for client in self.queue:
            client.close()
        super().close()


@pytest.fixture(params=[Silent, Dropping])
def server(request):
    server = request.param()
    yield server
    server.close()


def test_it_ends_within_its_grace(server, tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=ca", "-keyout", tmp_path / "ca.key", "-out", tmp_path / "ca.crt"],
                   check=True, capture_output=True)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(f"""
apiVersion: v1
kind: Config
current-context: away
contexts: [{{name: away, context: {{cluster: away, user: me, namespace: krypton-system}}}}]
clusters:
- name: away
  cluster: {{server: "https://127.0.0.1:{server.port}", certificate-authority: {tmp_path}/ca.crt}}
users: [{{name: me, user: {{token: x}}}}]
""")
    manager = Process("manager", [
        BINARIES / "krypton-manager", "--platform", "kubernetes", "--kubeconfig", kubeconfig,
        "--grpc-bind-address", "127.0.0.1:0", "--metrics-bind-address", "127.0.0.1:0", "--ready-file", "{ready}",
        "--proxy-image", "proxy:1", "--manager-service", "127.0.0.1:7070",
        "--sidecar-ca-cert", tmp_path / "ca.crt", "--sidecar-ca-key", tmp_path / "ca.key"], tmp_path)
    try:
        ops = manager.ready()["ops"]
        assert http.call(ops, target="/healthz").status == 200
        assert http.call(ops, target="/readyz").status == 503
        # Each of its calls waits now: for the handshake, or for the connection.
        eventually(lambda: "krypton_" in http.call(ops, target="/metrics").text, 10 * SLOW)
        began = time.monotonic()
        manager.signal(signal.SIGTERM)
        assert manager.popen.wait(60) == 0, manager.tail()
        assert time.monotonic() - began < GRACE * SLOW, manager.tail()
    finally:
        if manager.alive():
            manager.popen.kill()
            manager.popen.wait()

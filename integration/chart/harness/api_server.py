"""A kube-apiserver with its etcd, alone on loopback: enough to ask what the API server says to an object.

There is no controller, no kubelet and no node. The programs are those that the cluster tests build;
KRYPTON_TEST_KUBE_BIN names their folder.
"""

import json
import os
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

TOKEN = "admin-of-a-test"


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class ApiServer:
    """Starts when made; `end()` ends both processes. `kubeconfig` is for kubectl and helm."""

    def __init__(self, binaries, folder):
        self.binaries, self.folder = Path(binaries), Path(folder)
        self.processes = []
        self.etcd_port, peer, self.port = free_ports(3)
        client = self.etcd_port
        key = self.folder / "sa.key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        (self.folder / "tokens.csv").write_text(f'{TOKEN},admin,admin,"system:masters"\n')
        self._start("etcd", "--data-dir", self.folder / "etcd", "--unsafe-no-fsync", "--log-level", "error",
                    "--listen-client-urls", f"http://127.0.0.1:{client}",
                    "--advertise-client-urls", f"http://127.0.0.1:{client}",
                    "--listen-peer-urls", f"http://127.0.0.1:{peer}")
        self.server_command = (
            "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{client}", "--bind-address=127.0.0.1",
            f"--secure-port={self.port}", f"--cert-dir={self.folder}", "--authorization-mode=RBAC",
            f"--token-auth-file={self.folder / 'tokens.csv'}", f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}", "--endpoint-reconciler-type=none",
            "--service-account-issuer=https://kubernetes.default.svc", "--disable-admission-plugins=ServiceAccount",
            "--service-cluster-ip-range=10.96.0.0/16")
        self._start(*self.server_command)
        self.kubeconfig = self.folder / "kubeconfig"
        try:
            self._wait()
        except BaseException:
            self.end()
            raise

    def restart(self):
        """The API server anew, with the past forgotten: what was watched before is answered 410."""
        etcd = f"http://127.0.0.1:{self.etcd_port}/v3/kv"
        ask = json.dumps({"key": "AA==", "count_only": True}).encode()
        with urllib.request.urlopen(f"{etcd}/range", data=ask, timeout=20) as answer:
            revision = json.loads(answer.read())["header"]["revision"]
        server = self.processes.pop()
        server.kill()  # In order it would wait a minute for those who watch.
        server.wait(60)
        with urllib.request.urlopen(f"{etcd}/compaction", timeout=20,
                                    data=json.dumps({"revision": revision, "physical": True}).encode()):
            pass
        self._start(*self.server_command)
        self._wait()

    def _start(self, name, *arguments):
        with open(self.folder / f"{name}.log", "wb") as log:
            self.processes.append(subprocess.Popen(
                [self.binaries / name, *map(str, arguments)], stdout=log, stderr=log, stdin=subprocess.DEVNULL))

    def _wait(self):
        deadline = time.monotonic() + 120
        certificate = self.folder / "apiserver.crt"
        while time.monotonic() < deadline:
            if any(process.poll() is not None for process in self.processes):
                break
            if certificate.exists():
                try:  # It may be half written.
                    self.tls = ssl.create_default_context(cafile=certificate)
                    if self.request("GET", "/readyz")[0] == 200:
                        break
                except OSError:
                    pass
            time.sleep(0.1)
        else:
            raise TimeoutError("the API server is not ready: " + self.log_tail())
        if any(process.poll() is not None for process in self.processes):
            raise RuntimeError("etcd or the API server ended: " + self.log_tail())
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{self.port}",
                                                   "certificate-authority": str(certificate)}}],
            "users": [{"name": "u", "user": {"token": TOKEN}}]}))

    def log_tail(self):
        return "\n".join((self.folder / f"{name}.log").read_text(errors="replace")[-1500:]
                         for name in ("etcd", "kube-apiserver") if (self.folder / f"{name}.log").exists())

    def request(self, method, path, body=None, content_type="application/json"):
        """(status, parsed answer)."""
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": content_type, "Accept": "application/json"})
        try:
            with urllib.request.urlopen(request, context=self.tls, timeout=60) as answer:
                text = answer.read()
                status = answer.status
        except urllib.error.HTTPError as error:
            text, status = error.read(), error.code
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode(errors="replace")

    def kubectl(self, *arguments, text=None):
        return subprocess.run([self.binaries / "kubectl", "--kubeconfig", self.kubeconfig, *map(str, arguments)],
                              input=text, capture_output=True, text=True, env={**os.environ, "HOME": str(self.folder)})

    def end(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []

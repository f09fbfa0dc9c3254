"""Krypton's own processes, as the benchmark needs them."""

import json
from pathlib import Path

from bench.processes import Process, wait_for

UNBOUNDED = 100_000
AGENT = "/v1/agents/bench/agent"


class Krypton:
    def __init__(self, build, folder, cores):
        self.bin, self.bench = Path(build) / "bin", Path(build) / "bench"
        self.folder, self.cores = Path(folder), cores

    def upstream(self):
        """The server behind every proxy; returns its port and the process."""
        return self._printing_port("bench-upstream", self.cores.driving)

    def registry(self, *addresses):
        """A manager that knows these endpoints of one agent."""
        return self._printing_port("bench-registry", self.cores.driving, *addresses)

    def gateway(self, registry_port, name="gateway"):
        ready, process = self._krypton(name, "krypton-gateway", [
            "--manager-address", f"127.0.0.1:{registry_port}", "--threads", 1,
            "--http-bind-address", "127.0.0.1:0", "--grpc-bind-address", "127.0.0.1:0",
            "--metrics-bind-address", "127.0.0.1:0", "--drain-delay", "0s",
        ])
        return port_of(ready["http"]), process

    def sidecar(self, registry_port, upstream_port, name="sidecar"):
        ready, process = self._krypton(name, "krypton-proxy", [
            "--manager-address", f"127.0.0.1:{registry_port}", "--threads", 1,
            "--http-bind-address", "127.0.0.1:0", "--metrics-bind-address", "127.0.0.1:0",
            "--agent-address", f"127.0.0.1:{upstream_port}", "--namespace", "bench",
            "--name", "agent", "--instance", "bench-1", "--concurrency", UNBOUNDED,
            "--max-streams", UNBOUNDED, "--drain-timeout", "0s",
        ])
        return port_of(ready["http"]), process

    def manager(self, manifests, name="manager"):
        """The real one, with its local platform, not confined to the measured core."""
        return self._krypton(name, "krypton-manager", [
            "--grpc-bind-address", "127.0.0.1:0", "--metrics-bind-address", "127.0.0.1:0",
            "--platform", "local", "--manifests", manifests,
            "--state-dir", self.folder / f"{name}-state",
            "--proxy-binary", self.bin / "krypton-proxy",
        ], self.cores.every)

    def _krypton(self, name, program, flags, cores=None):
        ready = self.folder / f"{name}.ready"
        ready.unlink(missing_ok=True)
        argv = [self.bin / program, *flags, "--log-level", "warn", "--ready-file", ready]
        process = Process(argv, cores or self.cores.measured, self.folder / f"{name}.log")

        def written():
            if process.popen.poll() is not None:
                log = (self.folder / f"{name}.log").read_text()[-500:]
                raise RuntimeError(f"{program} ended with {process.popen.returncode}: {log}")
            return ready.exists()

        wait_for(written, f"{program}'s ready file")
        return json.loads(ready.read_text()), process

    def _printing_port(self, program, cores, *arguments):
        output = self.folder / f"{program}-{len(list(self.folder.iterdir()))}.port"
        with open(output, "wb") as stdout:
            process = Process([self.bench / program, *arguments], cores,
                              self.folder / f"{program}.log", stdout=stdout)
        port = wait_for(lambda: output.read_text().strip(), f"{program}'s port")
        return int(port), process


def port_of(address):
    return int(address.rsplit(":", 1)[1])

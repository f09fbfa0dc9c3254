"""What is measured: a way to the same upstream, with the processes that a request crosses."""

from contextlib import ExitStack
from dataclasses import dataclass, field

from bench.krypton import AGENT


@dataclass
class Subject:
    name: str
    port: int
    processes: list = field(default_factory=list)
    prefix: str = ""

    def pids(self):
        return [pid for process in self.processes for pid in process.pids()]

    def cpu_seconds(self):
        return sum(process.cpu_seconds() for process in self.processes)

    def resident_kib(self):
        return sum(process.resident_kib() for process in self.processes)


class Subjects:
    """Starts all of them behind one upstream, and ends them with the `with` block."""

    def __init__(self, krypton, peers):
        self._krypton, self._peers = krypton, peers
        self._stack = ExitStack()
        self.all = {}

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_):
        self._stack.close()

    def __getitem__(self, name):
        return self.all.get(name)

    def _keep(self, started):
        port, process = started
        self._stack.callback(process.stop)
        return port, process

    def _add(self, name, port, processes, prefix=""):
        self.all[name] = Subject(name, port, processes, prefix)

    def _start(self):
        krypton, peers = self._krypton, self._peers
        self.upstream_port, _ = upstream = self._keep(krypton.upstream())
        self._add("direct", self.upstream_port, [])
        self._start_krypton(krypton, upstream[0])
        for name, start in (("nginx", peers.nginx), ("haproxy", peers.haproxy),
                            ("envoy", peers.envoy), ("go", peers.go)):
            if (started := start(upstream[0])) is not None:
                port, process = self._keep(started)
                self._add(name, port, [process])
        self._start_chain("nginx+nginx", peers.nginx, peers.nginx, upstream[0])
        self._start_chain("go+queue-proxy", peers.go, peers.queue_proxy, upstream[0])

    def _start_krypton(self, krypton, upstream_port):
        registry_port, _ = self._keep(krypton.registry(f"127.0.0.1:{upstream_port}"))
        port, gateway = self._keep(krypton.gateway(registry_port))
        self._add("gateway", port, [gateway], AGENT)
        sidecar_port, sidecar = self._keep(krypton.sidecar(registry_port, upstream_port))
        self._add("sidecar", sidecar_port, [sidecar])
        registry_port, _ = self._keep(krypton.registry(f"127.0.0.1:{sidecar_port}"))
        port, gateway = self._keep(krypton.gateway(registry_port, "gateway-2"))
        self._add("gateway+sidecar", port, [gateway, sidecar], AGENT)

    def _start_chain(self, name, first, second, upstream_port):
        behind = second(upstream_port)
        if behind is None:
            return
        behind_port, behind_process = self._keep(behind)
        front = first(behind_port)
        if front is None:
            return
        port, process = self._keep(front)
        self._add(name, port, [process, behind_process])

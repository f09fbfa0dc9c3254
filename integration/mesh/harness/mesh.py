"""A mesh of real processes on free ports, with its own folder, for as long as a test needs it."""

import json
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path
from urllib.parse import quote

from . import http, metrics
from .processes import SLOW, Process, is_ours, kill_all, listener_of, nothing_left, processes_of
from .waiting import eventually

BINARIES = Path(os.environ["KRYPTON_BINARY_DIR"])
SOURCE = Path(os.environ["KRYPTON_SOURCE_DIR"])
PROBE = Path(__file__).resolve().parent.parent / "agents" / "probe.py"


def manifest(name, namespace="default", command=None, labels=None, **spec):
    """An Agent as YAML (which JSON is) that runs the tests' agent unless `command` says what else."""
    spec = {"image": "example.invalid/probe:1", "protocol": "http", **spec}
    if spec.get("mode") != "always-on":
        spec = {"mode": "serverless", "minReplicas": 0, **spec}
    return json.dumps({
        "apiVersion": "krypton.ai/v1alpha1", "kind": "Agent",
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {}, "annotations": {
            "krypton.ai/local-command": command or f"exec python3 -S {PROBE}"}},
        "spec": spec}, indent=1)


def env(**variables):
    """Environment variables as a spec has them."""
    return [{"name": name, "value": str(value)} for name, value in variables.items()]


class Mesh:
    """Manager, gateways and control plane. `stop()` checks that nothing is left."""

    def __init__(self, manager=(), gateway=(), control_plane=True, gateways=1, control_plane_flags=(), env=()):
        self.root = Path(tempfile.mkdtemp(prefix="krypton-mesh-"))
        self.manifests, self.state = self.root / "manifests", self.root / "state"
        self.manifests.mkdir()
        self.flags = {"manager": list(manager), "gateway": list(gateway),
                      "control_plane": list(control_plane_flags)}
        self.processes, self.addresses, self.components = [], {}, {}
        self.replica_ports = set()
        self.with_control_plane, self.gateways = control_plane, gateways
        self.env = dict(env)  # More variables of all components.

    def start(self):
        self.start_manager()
        for number in range(self.gateways):
            self.start_gateway(f"gateway{number or ''}")
        if self.with_control_plane:
            self.start_component("control_plane", "krypton-control-plane", [
                "--http-bind-address", self.bind("control_plane", "http"), "--gateway-url", self.url,
                "--manager-address", self.address("manager", "grpc"), *self.flags["control_plane"]])
        for component in self.components:
            self.wait_ready(component)
        return self

    # Components.

    def start_component(self, name, binary, flags, wait=True):
        process = Process(name, [
            BINARIES / binary, "--grpc-bind-address", self.bind(name, "grpc"),
            "--metrics-bind-address", self.bind(name, "ops"), "--ready-file", "{ready}", *flags], self.root,
            env=self.env)
        self.processes.append(process)
        self.components[name] = process
        if wait:
            self.take_addresses(name)
        return process

    def bind(self, name, kind):
        """A free port the first time; the same one when the component is started again."""
        return self.addresses.get(f"{name}.{kind}", "127.0.0.1:0")

    def take_addresses(self, name):
        for kind, address in self.components[name].ready().items():
            if kind != "pid":
                self.addresses[f"{name}.{kind}"] = address

    def start_manager(self, **options):
        """The first time on a free port, later on the same one, so that the others find it again."""
        return self.start_component("manager", "krypton-manager", [
            "--platform", "local", "--manifests", self.manifests, "--state-dir", self.state,
            "--proxy-binary", BINARIES / "krypton-proxy", "--enable-scaler",
            *self.flags["manager"]], **options)

    def start_gateway(self, name):
        return self.start_component(name, "krypton-gateway", [
            "--http-bind-address", self.bind(name, "http"), "--manager-address", self.address("manager", "grpc"),
            *([] if "--drain-delay" in self.flags["gateway"] else ["--drain-delay", "200ms"]),
            *self.flags["gateway"]])

    def wait_ready(self, component):
        eventually(lambda: http.call(self.address(component, "ops"), target="/readyz").status == 200,
                   15 * SLOW, f"{component} is ready")

    def address(self, component, kind):
        return self.addresses[f"{component}.{kind}"]

    @property
    def http(self):
        return self.address("gateway", "http")

    @property
    def url(self):
        return f"http://{self.http}"

    # Manifests.

    def write(self, file, text):
        """A manifest file, replaced as editors do it: at once."""
        temporary = self.root / f".{file}"
        temporary.write_text(text)
        os.replace(temporary, self.manifests / file)

    def apply(self, name, namespace="default", wait=True, **options):
        self.write(f"{namespace}-{name}.yaml", manifest(name, namespace, **options))
        if wait:
            self.wait_known(name, namespace=namespace)

    def delete(self, name, namespace="default"):
        (self.manifests / f"{namespace}-{name}.yaml").unlink()

    def wait_known(self, *names, namespace="default"):
        for name in names:
            for gateway in [g for g in self.components if g.startswith("gateway")]:
                eventually(lambda: self.route(name, namespace, gateway) is not None, 5 * SLOW,
                           f"{gateway} knows {namespace}/{name}")
            if "control_plane" in self.components:
                eventually(lambda: http.call(self.address("control_plane", "http"),
                                             target=f"/v1/agents/{namespace}/{name}").status == 200,
                           5 * SLOW, f"the control plane knows {namespace}/{name}")

    # Questions.

    def call(self, name, rest="", namespace="default", gateway="gateway", **options):
        address = self.address(gateway, "http")
        return http.call(address, target=http.path(namespace, name, rest), host=address, **options)

    def get(self, component, target, kind="ops"):
        """The JSON of a component's ops or REST port."""
        answer = http.call(self.address(component, kind), target=target)
        assert answer.status == 200, f"{target}: {answer}"
        return json.loads(answer.body)

    def route(self, name, namespace="default", gateway="gateway"):
        """What the gateway knows of an agent; None when it knows none."""
        answer = http.call(self.address(gateway, "ops"),
                           target=f"/v1/routes/{quote(namespace)}/{quote(name)}")
        if answer.status == 404:
            return None
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def endpoints(self, name, namespace="default", state="ENDPOINT_STATE_READY", gateway="gateway"):
        """Endpoints as the gateway sees them, of one state (or of any: None)."""
        route = self.route(name, namespace, gateway)
        found = [item["endpoint"] for item in route["endpoints"]] if route else []
        self.replica_ports.update(endpoint["address"] for endpoint in found if endpoint["address"])
        return [endpoint for endpoint in found if state in (None, endpoint["state"])]

    def wait_replicas(self, name, count, namespace="default", timeout=15.0):
        """Exactly `count` ready endpoints, and none in another state."""
        def reached():
            found = self.endpoints(name, namespace, None)
            good = [e for e in found if e["state"] == "ENDPOINT_STATE_READY"]
            return (good or True) if len(good) == len(found) == count else None
        return eventually(reached, timeout * SLOW, f"{namespace}/{name} has {count} replicas")

    def scrape(self, component):
        return metrics.scrape(self.address(component, "ops"))

    def sidecars(self, instance=""):
        """(pid, command line) of each sidecar, or of one instance's."""
        return [(pid, line) for pid, line in processes_of(self.root)
                if "krypton-proxy" in line.split(" ")[0] and instance in line]

    def sidecars_of(self, name):
        """Process ids of an agent's sidecars, old and new."""
        return [pid for pid, line in self.sidecars() if re.search(rf"--name[= ]{name}\b", line)]

    def sidecar_flag(self, instance, name):
        """The value that a sidecar was given for a flag."""
        (_, line), = self.sidecars(instance)
        return re.search(rf"--{name}[= ](\S+)", line)[1]

    def sidecar_ops(self, instance):
        """Where a sidecar's ops server listens, as its ready file says."""
        return json.loads(Path(self.sidecar_flag(instance, "ready-file")).read_text())["ops"]

    def agents(self):
        """Process ids of the agents' own processes."""
        return [pid for pid, line in processes_of(self.root)
                if "probe.py" in line and "python3" in line.split(" ")[0]]

    # The end.

    def stop(self):
        """Ends all in order; each exits with 0; no process, port, socket or file stays."""
        try:
            for process in reversed(self.processes):
                if process.alive():
                    status = process.stop()
                    assert status == 0, f"{process.name} ended with {status}"
            nothing_left(self.root)
            self.check_ports()
            self.check_files()
        finally:
            kill_all(self.root)
        self.remove()

    def remove(self):
        """The folder with all logs; whoever wants them has read them before."""
        kill_all(self.root)
        shutil.rmtree(self.root, ignore_errors=True)

    def check_ports(self):
        """None of our ports is open. Another test may have been given one of them meanwhile."""
        for address in {*self.addresses.values(), *self.replica_ports}:
            owner = listener_of(address)
            assert owner is None or not is_ours(owner), f"{address} is still open in process {owner}"

    def check_files(self):
        left = [path for folder in (self.state, self.root / "tmp") for path in folder.rglob("*")
                if stat.S_ISSOCK(path.lstat().st_mode)]
        assert not left, f"sockets are left: {left}"
        temporary = list((self.root / "tmp").iterdir())
        assert not temporary, f"temporary files are left: {temporary}"

    def logs(self):
        """The last lines of every process, for a test that failed."""
        parts = [f"===== {process.name}\n{process.tail()}" for process in self.processes]
        for log in sorted(self.state.rglob("*.log*")):
            parts.append(f"===== {log.relative_to(self.root)}\n{log.read_text(errors='replace')[-3000:]}")
        return "\n".join(parts)

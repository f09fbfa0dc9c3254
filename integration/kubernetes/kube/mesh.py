"""The installed mesh: its addresses, its pods and their processes, and how it is installed."""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

from harness import metrics
from harness.waiting import eventually

SYSTEM = "krypton-system"
REGISTRY = os.environ.get("REGISTRY", "")
CHART = f"oci://{REGISTRY}/charts/krypton"
# What a test cannot wait for at its default. The images come from the cluster's own registry.
VALUES = {"image.registry": f"{REGISTRY}/krypton", "image.pullPolicy": "Always", "manager.scalerStableWindowMs": 4000}


def run(*command, check=True, timeout=300, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=timeout, **options)
    if check:
        assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done


def pasted(text, timeout=60, **options):
    """What a shell shows that is given these lines as a person pastes them; jobs that they leave behind are ended.

    Background jobs talk to standard output too (a port-forward does), and are not taken for an answer.
    """
    quiet = re.sub(r" &(?=\s*(?:#.*)?$)", " >&2 &", text, flags=re.M)
    with tempfile.TemporaryFile("w+") as errors, subprocess.Popen(
            ["bash", "-euc", quiet], stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True,
            **options) as shell:
        try:
            out, _ = shell.communicate(timeout=timeout)
            errors.seek(0)
            assert shell.returncode == 0 and out, f"{text}\n{out}\n{errors.read()}"
            return out
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGTERM)


def kubectl(*arguments, **options):
    return run("kubectl", *arguments, **options).stdout


def helm(*arguments, **options):
    return run("helm", *arguments, **options).stdout


def install(**values):
    """The README's line, with where the images are."""
    settings = [f"--set={key}={value}" for key, value in {**VALUES, **values}.items()]
    return helm("upgrade", "--install", "krypton", CHART, "--namespace", SYSTEM, "--create-namespace",
                "--wait", "--timeout=180s", *settings)


class Mesh:
    def __init__(self, api):
        self.api = api

    def service(self, name, port, namespace=SYSTEM):
        """host:port of a Service, as a client in the cluster reaches it."""
        return f"{self.api.get('services', namespace, name)['spec']['clusterIP']}:{port}"

    @property
    def gateway(self):
        return self.service("krypton-gateway", 8080)

    @property
    def control_plane(self):
        return self.service("krypton-control-plane", 8090)

    def pods(self, component):
        """Those that are not on their way out."""
        pods = self.api.list("pods", SYSTEM, f"app.kubernetes.io/component={component}")
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def leader(self):
        """The name of the pod that leads."""
        lease = self.api.get("leases", SYSTEM, "krypton-manager")
        return lease and lease["spec"].get("holderIdentity")

    def term(self):
        return self.api.get("leases", SYSTEM, "krypton-manager")["spec"].get("leaseTransitions", 0)

    def leading_pod(self):
        def found():
            leader = self.leader()
            return next((pod for pod in self.pods("manager") if leader and pod["metadata"]["name"] in leader), None)
        return eventually(found, 60, "a manager that leads")

    def scrape(self, pod, port):
        return metrics.scrape(f"{pod['status']['podIP']}:{port}")

    def settled(self):
        """All components are ready; for the end of a test that broke some."""
        for component in ("manager", "gateway", "control-plane"):
            eventually(lambda c=component: self.ready(c), 120, f"{component} is ready")
        self.leading_pod()

    def ready(self, component):
        status = self.api.get("deployments", SYSTEM, f"krypton-{component}")
        wanted = status["spec"]["replicas"]
        now = status["status"]
        return (now.get("observedGeneration") == status["metadata"]["generation"]
                and now.get("replicas") == now.get("readyReplicas") == now.get("updatedReplicas") == wanted)

    def logs(self):
        text = []
        for pod in self.api.list("pods", SYSTEM):
            name = pod["metadata"]["name"]
            text.append(f"--- {name}\n{self.api.logs(SYSTEM, name)[-6000:]}")
            if any(status["restartCount"] for status in pod["status"].get("containerStatuses", [])):
                text.append(f"--- {name}, before\n{self.api.logs(SYSTEM, name, previous=True)[-3000:]}")
        return "\n".join(text)


def processes(pod, program):
    """Process ids of a pod's program, as this machine sees them: signals reach them without kubectl."""
    wanted = pod["metadata"]["uid"]
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and f"pod{wanted}" in (folder / "cgroup").read_text() \
                    and program in (folder / "cmdline").read_bytes().decode(errors="replace"):
                found.append(int(folder.name))
        except (OSError, ProcessLookupError):
            continue
    return found


def send(pod, program, number=signal.SIGKILL):
    ids = processes(pod, program)
    assert ids, f"no process {program} in {pod['metadata']['name']}"
    for id in ids:
        os.kill(id, number)

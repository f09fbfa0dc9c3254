"""Agents as tests declare them, and what becomes of them."""

from datetime import datetime

from harness import http, load
from harness.waiting import eventually

from .mesh import REGISTRY

# What the restricted Pod Security level demands of a container; the agents' images run as 65532.
RESTRICTED = {
    "podSecurityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
}


def image(name):
    return f"{REGISTRY}/test/{name}:test"


def agent(namespace, name, program="probe", **spec):
    """A serverless agent with the tests' own image; `spec` goes over the defaults."""
    return {"apiVersion": "krypton.ai/v1alpha1", "kind": "Agent",
            "metadata": {"namespace": namespace, "name": name},
            "spec": {"image": image(program), "imagePullPolicy": "Always", "protocol": "http", "mode": "serverless", "scaleToZeroAfter": "5s",
                     **RESTRICTED, **spec}}


def always_on(namespace, name, **spec):
    made = agent(namespace, name, mode="always-on", **spec)
    del made["spec"]["scaleToZeroAfter"]
    return made


def model(namespace, name, **spec):
    """A serverless model with the tests' own image, which has the tiny model and serves it by llama.cpp."""
    return {"apiVersion": "krypton.ai/v1alpha1", "kind": "Model", "metadata": {"namespace": namespace, "name": name},
            "spec": {"source": {"huggingface": "example/tiny-GGUF", "file": "tiny.gguf"}, "image": image("llama"),
                     "imagePullPolicy": "Always", "mode": "serverless", "scaleToZeroAfter": "5s",
                     "startupTimeout": "60s", **RESTRICTED, **spec}}


class Handle:
    """One applied Agent."""

    def __init__(self, api, mesh, body):
        self.api, self.mesh = api, mesh
        self.namespace, self.name = body["metadata"]["namespace"], body["metadata"]["name"]
        api.apply(body)

    def call(self, rest="/pid", **options):
        """Through the gateway. The first call may come before the gateway heard of the agent."""
        return http.call(self.mesh.gateway, target=self.path(rest), timeout=120, **options)

    def known(self):
        """Waits until each gateway knows the agent."""
        route = f"/v1/routes/{self.namespace}/{self.name}"

        def answered():
            return all(http.call(f"{pod['status']['podIP']}:8081", target=route).status == 200
                       for pod in self.mesh.pods("gateway"))
        eventually(answered, 30, f"the gateways know {self.name}")
        return self

    def path(self, rest=""):
        return http.path(self.namespace, self.name, rest)

    def traffic(self, rest="/pid", **options):
        return load.Traffic(self.mesh.gateway, self.path(rest), **options)

    def get(self):
        return self.api.get("agents", self.namespace, self.name)

    def status(self):
        return self.get().get("status", {})

    def condition(self, kind):
        return next((each for each in self.status().get("conditions", []) if each["type"] == kind), None)

    def change(self, **spec):
        return self.api.merge("agents", self.namespace, self.name, {"spec": spec})

    def delete(self):
        self.api.delete("agents", self.namespace, self.name)

    def deployment(self):
        return self.api.get("deployments", self.namespace, self.name)

    def pods(self):
        return self.api.list("pods", self.namespace, f"krypton.ai/agent={self.name}")

    def running(self):
        """Pods that are ready and stay."""
        return [pod for pod in self.pods() if "deletionTimestamp" not in pod["metadata"] and is_ready(pod)]

    def has(self, count, timeout=60):
        """Waits until exactly so many pods exist, all ready."""
        eventually(lambda: len(self.pods()) == len(self.running()) == count, timeout,
                   lambda: f"{self.name} has {count} replicas; it has {[pod_line(pod) for pod in self.pods()]}")
        return self

    def events(self):
        return [event for event in self.api.list("events", self.namespace)
                if event["regarding"]["kind"] == "Agent" and event["regarding"]["name"] == self.name]

    def reasons(self):
        return [event["reason"] for event in self.events()]


def moment(text):
    """Seconds since the epoch of a time as Kubernetes writes it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def is_ready(pod):
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


def pod_line(pod):
    return f"{pod['metadata']['name']} {pod['status'].get('phase')} ready={is_ready(pod)}" \
           + (" leaving" if "deletionTimestamp" in pod["metadata"] else "")

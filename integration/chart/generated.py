"""Random manifests, near enough to right ones that every rule has its turn; the same ones for the same seed."""

import copy
import random
import string

import yaml

from manifests import manifest

FULL_AGENT = yaml.safe_load("""
image: registry.example/full:1.2
imagePullPolicy: Always
imagePullSecrets: [{name: pull}]
runtime: python3.12
framework: langgraph
protocol: mcp
mode: serverless
minReplicas: 1
maxReplicas: 4
concurrency: 3
scaleToZeroAfter: 1h30m
scaler: external
replicas: 2
service: false
port: 9000
invocationPath: /mcp?x=1
resources: {requests: {cpu: "0.5", memory: 64Mi}, limits: {cpu: 1, memory: 1Gi, nvidia.com/gpu: 1}}
env:
- {name: A, value: "1"}
- {name: B, valueFrom: {secretKeyRef: {name: s, key: k, optional: true}}}
- {name: C, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}
envFrom: [{configMapRef: {name: c}, prefix: P_}]
serviceAccountName: sa
timeout: 90s
startupTimeout: 10s
hostHeader: agent
maxStreams: 5
affinity:
  header: X-Session
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms: [{matchExpressions: [{key: zone, operator: In, values: [a, b]}]}]
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 5
      podAffinityTerm: {topologyKey: zone, labelSelector: {matchLabels: {a: b}}, namespaces: [x]}
command: [python3]
args: ["-m", "agent", "yes"]
volumes:
- {name: data, emptyDir: {sizeLimit: 1Gi, medium: Memory}}
- name: all
  projected:
    defaultMode: 420
    sources:
    - serviceAccountToken: {path: t, audience: a, expirationSeconds: 3600}
    - secret: {name: s, items: [{key: k, path: p, mode: 256}]}
- name: claim
  ephemeral:
    volumeClaimTemplate:
      metadata: {labels: {a: b}}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
volumeMounts: [{name: data, mountPath: /data, readOnly: true}, {name: all, mountPath: /all, subPath: x}]
livenessProbe: {httpGet: {path: /live, port: 9000, httpHeaders: [{name: a, value: b}]}, periodSeconds: 2}
readinessProbe: {tcpSocket: {port: http}, timeoutSeconds: 1}
startupProbe: {exec: {command: ["true"]}, failureThreshold: 30}
securityContext:
  {runAsNonRoot: true, runAsUser: 1000, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}
podSecurityContext: {fsGroup: 1000, supplementalGroups: [1, 2], sysctls: [{name: a.b, value: "1"}]}
runtimeClassName: gvisor
priorityClassName: high
nodeSelector: {disk: ssd}
tolerations: [{key: gpu, operator: Exists, tolerationSeconds: 5}]
topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, minDomains: 2}]
podLabels: {team: a}
podAnnotations: {note: null-ish}
""")
MODEL_ONLY = {"source": {"huggingface": "ggml-org/gemma-3-270m-GGUF", "file": "gemma.gguf"}, "runtime": "llama.cpp",
              "usage": "always", "cache": {"size": "10Gi"}}
NOT_OF_MODELS = ["runtime", "framework", "protocol", "invocationPath", "hostHeader", "maxStreams", "command"]
FULL_MODEL = {key: value for key, value in FULL_AGENT.items() if key not in NOT_OF_MODELS} | MODEL_ONLY
FULL_MODEL["affinity"] = {key: value for key, value in FULL_AGENT["affinity"].items() if key != "header"}

SCALARS = [
    None, True, False, 0, 1, 2, 3, -1, 8, 80, 8888, 8889, 10000, 10001, 65535, 65536, 70000, 2**31, 2**40, 0.5, "",
    " ", "a", "A", "0", "1", "-1", "a.b", "a_b", "a b", "a-", "-a", "/a", "/a b", "a/b", "../a", "x" * 63, "x" * 64,
    "x" * 253, "x" * 300, "x" * 4097, "ä", "a\nb", "a\0b", "PORT", "KRYPTON_X", "krypton-x", "krypton.ai/x",
    "app.kubernetes.io/name", "always-on", "serverless", "krypton", "external", "http", "a2a", "mcp", "agent",
    "preserve", "Always", "Never", "observe", "always", "llama.cpp", "True", "10s", "1h30m", "90", "1.5m", "-5s", "0",
    "0s", "25h", "1000h", "1ms", "1us", "1m1", "+3s", ".5s", "500m", "1Gi", "1.5", "1e3", "2E2", "1.", ".5", "1ki",
    "-1Gi", "+1", "1Zi", "Host", "X-Session", "krypton-load", "a:b", "{}", "yes", "null", "~", "1_000", "0x10",
]
KEYS = ["name", "value", "key", "port", "x", "krypton.ai/x", "app.kubernetes.io/managed-by", "a b", "a.b/c", "",
        "x" * 64, "valueFrom", "header", "path", "size", "claimName", "cpu", "memory"]


def places(value, path=()):
    """Every place in a tree."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in children:
        yield from places(inner, (*path, key))


def at(tree, path):
    for step in path:
        tree = tree[step]
    return tree


class Source:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.count = 0

    def value(self):
        kind = self.random.random()
        if kind < 0.85:
            return self.random.choice(SCALARS)
        if kind < 0.9:
            return [self.value() for _ in range(self.random.randrange(3))]
        if kind < 0.95:
            return {self.random.choice(KEYS): self.value() for _ in range(self.random.randrange(3))}
        return "".join(self.random.choice(string.printable[:95]) for _ in range(self.random.randrange(12)))

    def mutate(self, spec):
        paths = [path for path in places(spec) if path]
        path = self.random.choice(paths)
        parent, last = at(spec, path[:-1]), path[-1]
        kind = self.random.random()
        if kind < 0.55:
            parent[last] = self.value()
        elif kind < 0.7:
            del parent[last]
        elif kind < 0.8 and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[last]))
        elif isinstance(parent, dict):
            parent[self.random.choice(KEYS + list(parent))] = self.value()

    def next(self):
        """A manifest with none to three things changed, of a part of the full one."""
        kind = self.random.choice(["Agent", "Agent", "Model"])
        full = FULL_AGENT if kind == "Agent" else FULL_MODEL
        needed = "image" if kind == "Agent" else "source"
        spec = {key: copy.deepcopy(value) for key, value in full.items()
                if key == needed or self.random.random() < 0.4}
        if "volumes" not in spec:
            spec.pop("volumeMounts", None)
        if spec.get("mode") != "serverless":
            spec.pop("scaleToZeroAfter", None)
        if spec.get("scaler") != "external":
            spec.pop("replicas", None)
        for _ in range(self.random.choice([0, 1, 1, 1, 2, 3])):
            self.mutate(spec)
            if not spec:
                spec[needed] = full[needed]
        self.count += 1
        return manifest(kind, f"made-{self.count}", spec)

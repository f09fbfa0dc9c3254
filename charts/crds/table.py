"""What the custom resources demand beyond the shape that the protos give: defaults, bounds, and the rules
of common/resource in CEL. The one place to edit; `python3 charts/crds/generate.py` writes the rest.

A key is PROTO_MESSAGE.field, or PROTO_MESSAGE alone for the object as a whole. A rule's message is word
for word what common/resource says: integration/chart compares the two. Messages with values use format(),
whose cost the API server can bound; string(int) + ... it cannot.
"""

# Bounds of what nothing below narrows: of the spec's own fields and of embedded Kubernetes types.
STRING, LIST, MAP = 4096, 64, 128

NAME = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
SUBDOMAIN = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$"
LABEL_VALUE = "^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"
LABEL_NAME = ("^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*/)?"
              "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")
QUANTITY = "^[+]?([0-9]{1,15}([.][0-9]{0,9})?|[.][0-9]{1,9})([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?$"
DURATION = "^[-+]?(0|(([0-9]{1,12}([.][0-9]{0,9})?|[.][0-9]{1,9})(ns|us|µs|μs|ms|s|m|h))+)$"
# Krypton's own names among labels and annotations of pods.
OWN_PREFIX = "^([^/]*[.])?krypton[.]ai/"
OWN_LABELS = ["app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by"]
OWN_TEXT = "is reserved: Krypton sets krypton.ai/* and app.kubernetes.io/{name,instance,managed-by}"
HOP_HEADERS = ["connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization",
               "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "via"]


def quote(text):
    """A CEL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def rule(cel, message, *values, path=""):
    """`message` has a %s for each of `values`, which are CEL."""
    out = {"rule": cel}
    if values:
        out["messageExpression"] = f"{quote(message)}.format([{', '.join(values)}])"
    else:
        out["message"] = message
    if path:
        out["fieldPath"] = path
    return out


def matches(pattern, text, path="", of="self", empty=False):
    cel = f"{of}.matches({quote(pattern)})"
    return rule(f"{of} == '' || {cel}" if empty else cel, f'"%s" {text}', of, path=path)


def within(low, high):
    return rule(f"self >= {low} && self <= {high}", f"%s is not in {low}..{high}", "self")


def duration(high, default=None):
    is_duration = f"self.matches({quote(DURATION)})"
    rules = [
        rule(is_duration, "must be a duration like 300s or 1h30m, not the string \"%s\"", "self"),
        rule(f"!{is_duration} || (duration(self) >= duration('1ms') && duration(self) <= duration('{high}'))",
             f"%s is not in 1ms..{high}", "self"),
    ]
    return {"maxLength": 64, "rules": rules} | ({"default": default} if default else {})


def subdomain(what):
    return {"maxLength": 253, "rules": [matches(SUBDOMAIN, f"is not the name of {what}", empty=True)]}


def pod_meta(labels):
    own = [rule(f"self.all(k, !k.matches({quote(OWN_PREFIX)}) && !(k in {OWN_LABELS}))", OWN_TEXT)] if labels else [
        rule(f"self.all(k, !k.matches({quote(OWN_PREFIX)}))", "is reserved: Krypton sets krypton.ai/*")]
    named = rule(f"self.all(k, size(k) <= 317 && k.matches({quote(LABEL_NAME)}))", "is not a name that Kubernetes takes")
    rules = [named, *own]
    if labels:
        rules.append(rule(f"self.all(k, self[k].matches({quote(LABEL_VALUE)}))", "is not a label's value"))
    return {"maxProperties": 64, "rules": rules, "values": {"maxLength": 63 if labels else 16384}}


# Of a resource k: its request is above its limit.
ABOVE = ("k in self.limits && isQuantity(string(self.requests[k])) && isQuantity(string(self.limits[k])) && "
         "quantity(string(self.requests[k])).isGreaterThan(quantity(string(self.limits[k])))")

SPEC_RULES = [
    rule("!has(self.minReplicas) || self.minReplicas <= self.maxReplicas || self.maxReplicas < 1",
         "%s is above spec.maxReplicas, which is %s", "self.minReplicas", "self.maxReplicas", path=".minReplicas"),
    rule("has(self.minReplicas) || self.mode == 'serverless' || self.maxReplicas != 0",
         "is 1 unless set, which is above spec.maxReplicas", path=".maxReplicas"),
    rule("self.mode != 'always-on' || !has(self.minReplicas) || self.minReplicas != 0",
         "0 contradicts spec.mode always-on: set it to 1 or more, or the mode to serverless", path=".minReplicas"),
    rule("self.mode != 'always-on' || !has(self.scaleToZeroAfter)",
         "contradicts spec.mode always-on: remove it, or set the mode to serverless", path=".scaleToZeroAfter"),
    rule("self.scaler == 'external' || self.replicas == 1",
         "%s contradicts spec.scaler krypton, which decides by load: set the scaler to external, or use minReplicas "
         "and maxReplicas", "self.replicas", path=".replicas"),
    rule("!has(self.volumeMounts) || self.volumeMounts.all(m, m.name == '' || (has(self.volumes) && "
         "self.volumes.exists(v, v.name == m.name)))",
         "\"%s\" is not in spec.volumes", "self.volumeMounts.filter(m, m.name != '' && !(has(self.volumes) && "
         "self.volumes.exists(v, v.name == m.name)))[0].name", path=".volumeMounts"),
]

# What specs of agents and models share.
SHARED = {
    "image": {"maxLength": 512, "rules": [
        matches("^[!-~]+$", "is not the name of an image: white space, or more than 512 characters", empty=True)]},
    "imagePullPolicy": {"enum": ["Always", "IfNotPresent", "Never"], "default": "IfNotPresent"},
    "imagePullSecrets": {"names": "a Secret"},
    "mode": {"default": "always-on"},
    "minReplicas": {"rules": [within(0, 10000)]},
    "concurrency": {"rules": [within(1, 10000)]},
    "scaleToZeroAfter": duration("720h"),
    "port": {"default": 8080, "rules": [within(1, 65535), rule(
        "!(self in [8888, 8889])", "%s is the sidecar's own in a pod; choose another", "self")]},
    "env": {"key": ["name"], "maxItems": 256},
    "envFrom": {"items": "EnvFromSource"},
    "serviceAccountName": subdomain("a ServiceAccount"),
    "scaler": {"default": "krypton"},
    "replicas": {"default": 1, "rules": [within(0, 10000)]},
    "service": {"default": True},
    # PodTemplate, which stands directly under spec.
    "command": {"maxLength": 32768, "maxItems": 256},
    "args": {"maxLength": 32768, "maxItems": 256},
    "volumes": {"items": "Volume", "key": ["name"], "item rules": [
        rule("self.name != ''", "is required", path=".name"),
        matches(NAME, "is not a volume's name", ".name", "self.name", empty=True),
        rule("!self.name.startsWith('krypton-')", "is reserved: Krypton's own volumes are named krypton-*",
             path=".name")]},
    "volumeMounts": {"items": "VolumeMount", "key": ["mountPath"], "item rules": [
        rule("self.name != ''", "is required", path=".name")]},
    "livenessProbe": {"type": "Probe"},
    "readinessProbe": {"type": "Probe"},
    "startupProbe": {"type": "Probe"},
    "securityContext": {"type": "SecurityContext"},
    "podSecurityContext": {"type": "PodSecurityContext"},
    "runtimeClassName": {"maxLength": 253, "rules": [
        matches(SUBDOMAIN, "is not a name that Kubernetes takes", empty=True)]},
    "priorityClassName": {"maxLength": 253, "rules": [
        matches(SUBDOMAIN, "is not a name that Kubernetes takes", empty=True)]},
    "nodeSelector": {"maxProperties": 64, "values": {"maxLength": 63}},
    "tolerations": {"items": "Toleration"},
    "topologySpreadConstraints": {"items": "TopologySpreadConstraint", "key": ["topologyKey", "whenUnsatisfiable"]},
    "podLabels": pod_meta(labels=True),
    "podAnnotations": pod_meta(labels=False),
}

FREE_TEXT = {"maxLength": 256, "rules": [
    rule(r"self.matches('^[^\\x00-\\x1f\\x7f]*$')", "is longer than 256 characters, or has control characters")]}

TABLE = {
    **{f"{spec}.{name}": entry for spec in ("AgentSpec", "ModelSpec") for name, entry in SHARED.items()},
    "AgentSpec": {"required": ["image"], "rules": SPEC_RULES},
    "AgentSpec.image": SHARED["image"] | {"rules": [rule("self != ''", "is required"), *SHARED["image"]["rules"]]},
    "AgentSpec.runtime": FREE_TEXT,
    "AgentSpec.framework": FREE_TEXT,
    "AgentSpec.protocol": {"default": "a2a"},
    "AgentSpec.maxReplicas": {"default": 10, "rules": [within(1, 10000)]},
    "AgentSpec.concurrency": {"default": 8} | SHARED["concurrency"],
    "AgentSpec.timeout": duration("24h", "60s"),
    "AgentSpec.startupTimeout": duration("24h", "30s"),
    "AgentSpec.invocationPath": {"default": "/", "maxLength": 2048, "rules": [
        matches("^/[!$-;=?-\\]_a-z~%]*$", "is not a path: it begins with '/', and what a URL may not have is "
                "percent-encoded", empty=True)]},
    "AgentSpec.hostHeader": {"default": "preserve"},
    "AgentSpec.maxStreams": {"default": 256, "rules": [within(0, 65536)]},
    "AgentSpec.affinity": {"with": ["NodeAffinity", "PodAffinity", "PodAntiAffinity"]},
    "Affinity.header": {"maxLength": 256, "rules": [
        matches("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "is not the name of a header (RFC 9110 §5.6.2)"),
        rule(f"!(self.lowerAscii() in {HOP_HEADERS}) && !self.lowerAscii().startsWith('krypton-')",
             "\"%s\" names no session: it belongs to the connection or to the mesh", "self.lowerAscii()")]},

    "ModelSpec": {"required": ["source"], "rules": SPEC_RULES},
    "ModelSpec.image": SHARED["image"] | {"default": "ghcr.io/ggml-org/llama.cpp:server", "minLength": 1},
    "ModelSpec.runtime": {"default": "llama.cpp", "enum": ["llama.cpp"]},
    "ModelSpec.maxReplicas": {"default": 1, "rules": [within(1, 10000)]},
    "ModelSpec.concurrency": {"default": 4} | SHARED["concurrency"],
    "ModelSpec.timeout": duration("24h", "600s"),
    "ModelSpec.startupTimeout": duration("24h", "600s"),
    "ModelSpec.usage": {"default": "observe"},
    "ModelSpec.affinity": {"with": ["NodeAffinity", "PodAffinity", "PodAntiAffinity"]},
    "ModelSource": {"rules": [rule(
        "(has(self.huggingface) && self.huggingface != '') || (has(self.path) && self.path != '')",
        "is required: set huggingface")]},
    "ModelSource.huggingface": {"maxLength": 193, "rules": [
        matches("^[A-Za-z0-9_-][A-Za-z0-9._-]{0,95}/[A-Za-z0-9_-][A-Za-z0-9._-]{0,95}$",
                "is not a repository like ggml-org/gemma-3-270m-GGUF", empty=True)]},
    "ModelSource.file": {"maxLength": 1024, "rules": [
        rule(r"!self.matches('^/|(^|/)[.][.](/|$)|[\\x00-\\x1f\\x7f]')",
             "\"%s\" is not a file of the repository", "self")]},
    "ModelSource.path": {"rules": [rule("self == ''", "exists on one machine only: set huggingface")]},
    "ModelCache": {"rules": [rule(
        "!has(self.size) || self.size == '' || !has(self.claimName) || self.claimName == ''",
        "excludes claimName: a claim has its own size", path=".size")]},
    "ModelCache.size": {"maxLength": 40, "rules": [matches(QUANTITY, "is not a quantity like 10Gi", empty=True)]},
    "ModelCache.claimName": {"maxLength": 253, "rules": [
        matches(SUBDOMAIN, "is not the name of a PersistentVolumeClaim", empty=True)]},

    "EnvVar": {"required": ["name"], "rules": [
        rule("self.name != ''", "is required", path=".name"),
        matches("^[-._a-zA-Z][-._a-zA-Z0-9]*$", "is not a variable's name", ".name", "self.name", empty=True),
        rule("self.name != 'PORT' && !self.name.startsWith('KRYPTON_')",
             "\"%s\" is reserved: Krypton sets PORT and KRYPTON_*", "self.name", path=".name"),
        rule("!has(self.value) || self.value == '' || !has(self.valueFrom)",
             "excludes value: set one of the two", path=".valueFrom")]},
    "EnvVar.name": {"maxLength": 253},
    "EnvVar.value": {"maxLength": 32768, "rules": [rule(r"!self.contains('\x00')", "has a NUL in it")]},
    "EnvVar.valueFrom": {"type": "EnvVarSource"},
    "ResourceRequirements": {"rules": [rule(
        f"!has(self.requests) || !has(self.limits) || self.requests.all(k, !({ABOVE}))",
        "%s is above its limit, which is %s", f"self.requests[self.requests.filter(k, {ABOVE})[0]]",
        f"self.limits[self.requests.filter(k, {ABOVE})[0]]", path=".requests")]},
    "ResourceRequirements.requests": {"quantities": True},
    "ResourceRequirements.limits": {"quantities": True},

    "AgentStatus.conditions": {"key": ["type"], "maxItems": 16},
    "ModelStatus.conditions": {"key": ["type"], "maxItems": 16},
    "Condition": {"required": ["type", "status", "lastTransitionTime", "reason", "message"]},
    "Condition.type": {"maxLength": 316},
    "Condition.reason": {"maxLength": 1024, "minLength": 1},
    "Condition.message": {"maxLength": 32768},
}

# A quantity that stands in a map: an integer or a string.
QUANTITY_RULE = rule(
    f"type(self) == int ? self >= 0 : string(self).matches({quote(QUANTITY)})",
    '"%s" is not a quantity like 500m, 1.5 or 1Gi', "self")

RESOURCES = {
    "Agent": {"plural": "agents", "short": "ag"},
    "Model": {"plural": "models", "short": "mdl"},
}

COLUMNS = [
    ("Mode", "string", ".spec.mode", "always-on or serverless", 0),
    ("Ready", "integer", ".status.readyReplicas", "Replicas that take calls", 0),
    ("Desired", "integer", ".status.desiredReplicas", "Replicas that are wanted", 0),
    ("Phase", "string", ".status.phase", "How it does, in one word", 0),
    ("URL", "string", ".status.url", "Where it is called", 0),
    ("Age", "date", ".metadata.creationTimestamp", "Since when it exists", 0),
]

NAME_RULE = rule(
    f"self.metadata.name.matches({quote(NAME)})",
    "\"%s\" is not lower-case letters, digits and '-', with a letter or digit at both ends, at most 63 characters "
    "(RFC 1123)", "self.metadata.name")

"""Good and bad manifests: what `krypton validate` and the API server say of them.

A row is (spec in YAML flow style, field, words): no field means that both accept it. `words` is what both say
word for word; WORDLESS marks what the API server says in its own words (types, bounds, unknown fields).
"""

import yaml

WORDLESS = None

AGENTS = [
    ("image: i", "", ""),
    ("", "spec.image", WORDLESS),
    ("image: ''", "spec.image", "is required"),
    ("image: a b", "spec.image", '"a b" is not the name of an image: white space, or more than 512 characters'),
    ("image: bücher", "spec.image", "is not the name of an image"),
    ("imagePullPolicy: Sometimes", "spec.imagePullPolicy", WORDLESS),
    ("imagePullPolicy: ''", "spec.imagePullPolicy", WORDLESS),
    ("imagePullSecrets: [{name: a}, {name: b.c}]", "", ""),
    ("imagePullSecrets: [a]", "spec.imagePullSecrets[0]", WORDLESS),
    ("imagePullSecrets: [{name: A_}]", "spec.imagePullSecrets[0].name", '"A_" is not the name of a Secret'),
    ("imagePullSecrets: [{name: a}, {name: a}]", "spec.imagePullSecrets[1]", WORDLESS),
    ("runtime: python3.12, framework: langgraph", "", ""),
    ('runtime: "a\\nb"', "spec.runtime", "is longer than 256 characters, or has control characters"),
    ("protocol: grpc", "spec.protocol", WORDLESS),
    ("mode: serverless, minReplicas: 0, scaleToZeroAfter: 1h30m", "", ""),
    ("mode: Serverless", "spec.mode", WORDLESS),
    ("minReplicas: 0", "spec.minReplicas",
     "0 contradicts spec.mode always-on: set it to 1 or more, or the mode to serverless"),
    ("minReplicas: 5, maxReplicas: 4", "spec.minReplicas", "5 is above spec.maxReplicas, which is 4"),
    ("minReplicas: 11", "spec.minReplicas", "11 is above spec.maxReplicas, which is 10"),
    ("mode: serverless, minReplicas: -1", "spec.minReplicas", "-1 is not in 0..10000"),
    ("mode: serverless, maxReplicas: 0", "spec.maxReplicas", "0 is not in 1..10000"),
    ("maxReplicas: 10001", "spec.maxReplicas", "10001 is not in 1..10000"),
    ("maxReplicas: 99999999999", "spec.maxReplicas", WORDLESS),
    ("maxReplicas: '3'", "spec.maxReplicas", WORDLESS),
    ("scaler: external, replicas: 0", "", ""),
    ("scaler: external, replicas: 20", "", ""),
    ("scaler: external, replicas: -1", "spec.replicas", "-1 is not in 0..10000"),
    ("scaler: keda", "spec.scaler", WORDLESS),
    ("replicas: 1", "", ""),
    ("replicas: 3", "spec.replicas", "3 contradicts spec.scaler krypton, which decides by load: set the scaler to "
     "external, or use minReplicas and maxReplicas"),
    ("scaleToZeroAfter: 10s", "spec.scaleToZeroAfter",
     "contradicts spec.mode always-on: remove it, or set the mode to serverless"),
    ("mode: serverless, scaleToZeroAfter: 0s", "spec.scaleToZeroAfter", "0s is not in 1ms..720h"),
    ("mode: serverless, scaleToZeroAfter: 721h", "spec.scaleToZeroAfter", "721h is not in 1ms..720h"),
    ("mode: serverless, scaleToZeroAfter: '300'", "spec.scaleToZeroAfter",
     'must be a duration like 300s or 1h30m, not the string "300"'),
    ("concurrency: 0", "spec.concurrency", "0 is not in 1..10000"),
    ("port: 1", "", ""),
    ("port: 65535", "", ""),
    ("port: 0", "spec.port", "0 is not in 1..65535"),
    ("port: 65536", "spec.port", "65536 is not in 1..65535"),
    ("port: 8888", "spec.port", "8888 is the sidecar's own in a pod; choose another"),
    ("port: 8889", "spec.port", "8889 is the sidecar's own in a pod; choose another"),
    ("port: '80'", "spec.port", WORDLESS),
    ("invocationPath: '/a?b=%20'", "", ""),
    ("invocationPath: a", "spec.invocationPath",
     "\"a\" is not a path: it begins with '/', and what a URL may not have is percent-encoded"),
    ("invocationPath: /a b", "spec.invocationPath", '"/a b" is not a path'),
    ("invocationPath: '/a#b'", "spec.invocationPath", '"/a#b" is not a path'),
    ("timeout: 1ms", "", ""),
    ("timeout: 1m30.5s", "", ""),
    ("timeout: 0s", "spec.timeout", "0s is not in 1ms..24h"),
    ("timeout: 25h", "spec.timeout", "25h is not in 1ms..24h"),
    ("timeout: soon", "spec.timeout", 'must be a duration like 300s or 1h30m, not the string "soon"'),
    ("timeout: 60", "spec.timeout", WORDLESS),
    ("startupTimeout: -1s", "spec.startupTimeout", "-1s is not in 1ms..24h"),
    ("hostHeader: keep", "spec.hostHeader", WORDLESS),
    ("maxStreams: 0", "", ""),
    ("maxStreams: 65537", "spec.maxStreams", "65537 is not in 0..65536"),
    ("service: false", "", ""),
    ("service: 'no'", "spec.service", WORDLESS),
    ("serviceAccountName: a.b", "", ""),
    ("serviceAccountName: A", "spec.serviceAccountName", '"A" is not the name of a ServiceAccount'),
    ("affinity: {header: X-Session}", "", ""),
    ("affinity: {header: a b}", "spec.affinity.header", '"a b" is not the name of a header (RFC 9110 §5.6.2)'),
    ("affinity: {header: Host}", "spec.affinity.header",
     '"host" names no session: it belongs to the connection or to the mesh'),
    ("affinity: {header: Krypton-Load}", "spec.affinity.header", '"krypton-load" names no session'),
    ("affinity: {cookie: x}", "spec.affinity.cookie", WORDLESS),
    ("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {}}}",
     "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms", WORDLESS),
    ("env: [{name: A, value: b}, {name: B}]", "", ""),
    ("env: [{value: b}]", "spec.env[0].name", WORDLESS),
    ("env: [{name: ''}]", "spec.env[0].name", "is required"),
    ("env: [{name: 1A}]", "spec.env[0].name", '"1A" is not a variable\'s name'),
    ("env: [{name: A}, {name: A}]", "spec.env[1]", WORDLESS),
    ("env: [{name: A, value: 1}]", "spec.env[0].value", WORDLESS),
    ("env: [{name: PORT, value: '1'}]", "spec.env[0].name", '"PORT" is reserved: Krypton sets PORT and KRYPTON_*'),
    ("env: [{name: KRYPTON_X}]", "spec.env[0].name", '"KRYPTON_X" is reserved: Krypton sets PORT and KRYPTON_*'),
    ("env: [{name: A, value: b, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]", "spec.env[0].valueFrom",
     "excludes value: set one of the two"),
    ('env: [{name: A, value: "a\\0b"}]', "spec.env[0].value", "has a NUL in it"),
    ("env: [{name: A, valueFrom: {secretKeyRef: {name: s}}}]", "spec.env[0].valueFrom.secretKeyRef.key", WORDLESS),
    ("envFrom: [{secretRef: {name: s, optional: true}, prefix: P_}]", "", ""),
    ("envFrom: [{secret: s}]", "spec.envFrom[0].secret", WORDLESS),
    ("resources: {requests: {cpu: 500m, memory: 1Gi}, limits: {cpu: 1, nvidia.com/gpu: 1}}", "", ""),
    ("resources: {requests: {cpu: 1100m}, limits: {cpu: '1.1'}}", "", ""),
    ("resources: {limits: {cpu: lots}}", "spec.resources.limits", '"lots" is not a quantity like 500m, 1.5 or 1Gi'),
    ("resources: {limits: {cpu: -1}}", "spec.resources.limits", '"-1" is not a quantity like 500m, 1.5 or 1Gi'),
    ("resources: {limits: {cpu: 0.5}}", "spec.resources.limits", WORDLESS),
    ("resources: {requests: {cpu: 2}, limits: {cpu: 1500m}}", "spec.resources.requests",
     "2 is above its limit, which is 1500m"),
    ("volumes: [{name: a, emptyDir: {sizeLimit: 1Gi}}], volumeMounts: [{name: a, mountPath: /a}]", "", ""),
    ("volumes: [{name: A, emptyDir: {}}]", "spec.volumes[0].name", "is not a volume's name"),
    ("volumes: [{name: krypton-tls, emptyDir: {}}]", "spec.volumes[0].name",
     "is reserved: Krypton's own volumes are named krypton-*"),
    ("volumes: [{name: a}, {name: a}]", "spec.volumes[1]", WORDLESS),
    ("volumes: [{name: a, emptyDir: {size: 1Gi}}]", "spec.volumes[0].emptyDir.size", WORDLESS),
    ("volumeMounts: [{name: x, mountPath: /x}]", "spec.volumeMounts", '"x" is not in spec.volumes'),
    ("volumeMounts: [{name: '', mountPath: /x}]", "spec.volumeMounts[0].name", "is required"),
    ("livenessProbe: {httpGet: {path: /live, port: http}, periodSeconds: 5}", "", ""),
    ("livenessProbe: {httpGet: {path: /live}}", "spec.livenessProbe.httpGet.port", WORDLESS),
    ("livenessProbe: {periodSeconds: '5'}", "spec.livenessProbe.periodSeconds", WORDLESS),
    ("securityContext: {runAsNonRoot: true, capabilities: {drop: [ALL]}}", "", ""),
    ("podSecurityContext: {fsGroup: 1000}", "", ""),
    ("podSecurityContext: {fsGrp: 1000}", "spec.podSecurityContext.fsGrp", WORDLESS),
    ("runtimeClassName: gVisor", "spec.runtimeClassName", '"gVisor" is not a name that Kubernetes takes'),
    ("priorityClassName: a_b", "spec.priorityClassName", '"a_b" is not a name that Kubernetes takes'),
    ("nodeSelector: {disk: ssd}", "", ""),
    ("nodeSelector: {a: true}", "spec.nodeSelector.a", WORDLESS),
    ("tolerations: [{key: gpu, operator: Exists}]", "", ""),
    ("topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone}]",
     "spec.topologySpreadConstraints[0].whenUnsatisfiable", WORDLESS),
    ("podLabels: {team: a, app.kubernetes.io/part-of: shop}", "", ""),
    ("podLabels: {krypton.ai/agent: x}", "spec.podLabels",
     "is reserved: Krypton sets krypton.ai/* and app.kubernetes.io/{name,instance,managed-by}"),
    ("podLabels: {app.kubernetes.io/managed-by: x}", "spec.podLabels",
     "is reserved: Krypton sets krypton.ai/* and app.kubernetes.io/{name,instance,managed-by}"),
    ("podLabels: {a b: x}", "spec.podLabels", "is not a name that Kubernetes takes"),
    ("podLabels: {a: b c}", "spec.podLabels", "is not a label's value"),
    ("podAnnotations: {example.com/note: any text}", "", ""),
    ("podAnnotations: {x.krypton.ai/y: x}", "spec.podAnnotations", "is reserved: Krypton sets krypton.ai/*"),
    ("command: [python3], args: [-m, agent]", "", ""),
    ("args: [1]", "spec.args[0]", WORDLESS),
    ("minReplica: 1", "spec.minReplica", WORDLESS),
    ("pod: {}", "spec.pod", WORDLESS),
    ("env: null, volumes: null, timeout: null", "", ""),
]

MODELS = [
    ("source: {huggingface: a/b, file: c.gguf}", "", ""),
    ("source: {huggingface: ggml-org/gemma-3-270m-GGUF}, args: [-c, '2048']", "", ""),
    ("", "spec.source", WORDLESS),
    ("source: {}", "spec.source", "is required: set huggingface"),
    ("source: {file: c}", "spec.source", "is required: set huggingface"),
    ("source: {path: ./m.gguf}", "spec.source.path", "exists on one machine only: set huggingface"),
    ("source: {huggingface: ab}", "spec.source.huggingface",
     '"ab" is not a repository like ggml-org/gemma-3-270m-GGUF'),
    ("source: {huggingface: a/b/c}", "spec.source.huggingface", '"a/b/c" is not a repository'),
    ("source: {huggingface: a/b, file: ../c}", "spec.source.file", '"../c" is not a file of the repository'),
    ("source: {huggingface: a/b, file: a/..}", "spec.source.file", '"a/.." is not a file of the repository'),
    ("source: {huggingface: a/b, file: a..b}", "", ""),
    ("source: {huggingface: a/b, file: /c}", "spec.source.file", '"/c" is not a file of the repository'),
    ("source: {huggingface: a/b, rev: c}", "spec.source.rev", WORDLESS),
    ("source: {huggingface: a/b}, runtime: vllm", "spec.runtime", WORDLESS),
    ("source: {huggingface: a/b}, image: ''", "spec.image", WORDLESS),
    ("source: {huggingface: a/b}, usage: never", "spec.usage", WORDLESS),
    ("source: {huggingface: a/b}, cache: {size: 10Gi}", "", ""),
    ("source: {huggingface: a/b}, cache: {claimName: weights}", "", ""),
    ("source: {huggingface: a/b}, cache: {size: 1Gi, claimName: c}", "spec.cache.size",
     "excludes claimName: a claim has its own size"),
    ("source: {huggingface: a/b}, cache: {size: big}", "spec.cache.size", '"big" is not a quantity like 10Gi'),
    ("source: {huggingface: a/b}, cache: {claimName: A}", "spec.cache.claimName",
     '"A" is not the name of a PersistentVolumeClaim'),
    ("source: {huggingface: a/b}, minReplicas: 2", "spec.minReplicas", "2 is above spec.maxReplicas, which is 1"),
    ("source: {huggingface: a/b}, affinity: {podAffinity: {}}", "", ""),
    ("source: {huggingface: a/b}, affinity: {header: x}", "spec.affinity.header", WORDLESS),
    ("source: {huggingface: a/b}, protocol: mcp", "spec.protocol", WORDLESS),
]

METADATA = [
    ("name: a", "", ""),
    ("name: A", "metadata.name", WORDLESS),
    ("name: a.b", "metadata.name", "\"a.b\" is not lower-case letters, digits and '-', with a letter or digit at "
     "both ends, at most 63 characters (RFC 1123)"),
    (f"name: {'a' * 63}", "", ""),
    (f"name: {'a' * 64}", "metadata.name", "at most 63 characters (RFC 1123)"),
    ("name: a0, labels: {app.kubernetes.io/managed-by: Helm}", "", ""),
    ("name: a1, labels: {a b: c}", "metadata.labels", WORDLESS),
    ("name: a2, labels: {a: b c}", "metadata.labels", WORDLESS),
    ("name: a3, labels: {krypton.ai/agent: b}", 'metadata.labels["krypton.ai/agent"]',
     "is reserved: Krypton sets krypton.ai/*"),
    ("name: a4, annotations: {krypton.ai/local-command: run, other.example/x: '1'}", "", ""),
    ("name: a5, annotations: {krypton.ai/note: x}", 'metadata.annotations["krypton.ai/note"]',
     "is reserved: of krypton.ai/* only krypton.ai/local-command is known"),
]


def _spec(text):
    return yaml.safe_load("{" + text + "}")


def manifest(kind, name, spec, metadata=None):
    return {"apiVersion": "krypton.ai/v1alpha1", "kind": kind,
            "metadata": metadata or {"name": name, "namespace": "default"}, "spec": spec}


def table():
    """(row's text, manifest, field, words)."""
    rows = []
    for text, field, words in AGENTS:
        base = {} if not text or text.startswith("image:") else {"image": "i"}
        rows.append((text, manifest("Agent", f"row-{len(rows)}", base | _spec(text)), field, words))
    for text, field, words in MODELS:
        rows.append((text, manifest("Model", f"row-{len(rows)}", _spec(text)), field, words))
    for text, field, words in METADATA:
        metadata = {"namespace": "default"} | _spec(text)
        rows.append((text, manifest("Agent", "", {"image": "i"}, metadata), field, words))
    return rows

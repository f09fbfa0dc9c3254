"""Takes the core types that Agents and Models embed out of a Kubernetes API description, once per version.

    python3 charts/crds/core_types.py /openapi/v2.json > charts/crds/core_types.json

The input is what `kubectl get --raw /openapi/v2` prints (in Kubernetes' sources:
api/openapi-spec/swagger.json). The output keeps what a CRD needs, types by their short names, and is
checked in: generate.py works without a cluster.
"""

import json
import re
import sys

CORE = "io.k8s.api.core.v1."
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
ROOTS = ["EnvVarSource", "EnvFromSource", "Volume", "VolumeMount", "Probe", "SecurityContext", "PodSecurityContext",
         "Toleration", "NodeAffinity", "PodAffinity", "PodAntiAffinity", "TopologySpreadConstraint"]
# An embedded claim's metadata: what the API server takes of it.
CLAIM_METADATA = ["labels", "annotations"]
SHORT = {"io.k8s.apimachinery.pkg.api.resource.Quantity": "Quantity",
         "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "IntOrString"}


def short(reference):
    name = reference.rsplit("/", 1)[-1]
    return SHORT.get(name) or name.removeprefix(CORE).removeprefix(META)


def sentence(text):
    """The first sentence, without links and notes on beta gates."""
    text = re.sub(r"\s+", " ", text or "").strip().split(" Possible enum values:")[0]
    first = re.split(r"(?<=[a-z0-9`\")])\. (?=[A-Z])", text)[0].rstrip(".")
    first = re.sub(r"\s*More info: \S+", "", first)
    return first if len(first) <= 240 else first[:237].rsplit(" ", 1)[0] + " ..."


def field(schema):
    out = {}
    if "$ref" in schema:
        out["ref"] = short(schema["$ref"])
    for key in ("type", "format", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"):
        if key in schema:
            out[key] = schema[key]
    for key in ("items", "additionalProperties"):
        if key in schema:
            out[key] = field(schema[key])
    if schema.get("description"):
        out["description"] = sentence(schema["description"])
    return out


def references(value):
    if isinstance(value, dict):
        if "ref" in value:
            yield value["ref"]
        for inner in value.values():
            yield from references(inner)


def types_of(definitions):
    full = {short(name): schema for name, schema in definitions.items() if name.startswith((CORE, META))}
    types, left = {}, list(ROOTS)
    while left:
        name = left.pop()
        if name in types or name in SHORT.values():
            continue
        schema = full[name]
        wanted = CLAIM_METADATA if name == "ObjectMeta" else schema["properties"]
        types[name] = {"properties": {key: field(schema["properties"][key]) for key in sorted(wanted)}}
        if "required" in schema:
            types[name]["required"] = sorted(schema["required"])
        if "x-kubernetes-map-type" in schema:
            types[name]["x-kubernetes-map-type"] = schema["x-kubernetes-map-type"]
        types[name]["description"] = sentence(schema.get("description"))
        left += references(types[name])
    return dict(sorted(types.items()))


def main(path):
    with open(path, encoding="utf-8") as file:
        json.dump(types_of(json.load(file)["definitions"]), sys.stdout, indent=1, sort_keys=True)
    print()


if __name__ == "__main__":
    main(sys.argv[1])

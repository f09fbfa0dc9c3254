"""Takes the schemas of the kinds that the chart renders out of a cluster's own description, once per version.

    kubectl get --raw /openapi/v2 | python3 integration/chart/take_schemas.py > integration/chart/schemas.json
"""

import json
import sys

KINDS = {"Deployment", "Service", "ServiceAccount", "Secret", "ConfigMap", "Pod", "Role", "RoleBinding", "ClusterRole",
         "ClusterRoleBinding", "NetworkPolicy", "Ingress", "PodDisruptionBudget", "CustomResourceDefinition",
         "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "Namespace", "HorizontalPodAutoscaler"}
VERSIONS = {"v1", "v2"}


def without_descriptions(value):
    if isinstance(value, dict):
        return {key: without_descriptions(inner) for key, inner in value.items()
                if not (key == "description" and isinstance(inner, str)) and not key.startswith("x-kubernetes-patch")}
    return [without_descriptions(each) for each in value] if isinstance(value, list) else value


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].rsplit("/", 1)[-1]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def schemas_of(definitions):
    kept, kinds = {}, {}
    for name, schema in definitions.items():
        served_as = schema.get("x-kubernetes-group-version-kind", [])
        for gvk in served_as if len(served_as) == 1 else []:
            if gvk["kind"] in KINDS and gvk["version"] in VERSIONS:
                group = gvk["group"].split(".")[0]
                kinds[f"{gvk['kind'].lower()}{'-' + group if group else ''}-{gvk['version']}"] = name
    left = list(kinds.values())
    while left:
        name = left.pop()
        if name not in kept:
            kept[name] = without_descriptions(definitions[name])
            left += references(kept[name])
    return {"kinds": kinds, "definitions": kept}


def main():
    json.dump(schemas_of(json.load(sys.stdin)["definitions"]), sys.stdout, separators=(",", ":"), sort_keys=True)
    print()


if __name__ == "__main__":
    main()

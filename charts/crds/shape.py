"""The shape of specs for common/resource: types, required fields and bounds as compact JSON, in which a
type that is used twice stands once."""

import json

KEPT = {"type": "t", "maxLength": "maxLength", "minLength": "minLength", "maxItems": "maxItems",
        "maxProperties": "maxProperties", "enum": "enum", "required": "required",
        "x-kubernetes-list-map-keys": "keys"}
LINE = 110


def reduce(schema):
    """What the checker looks at, without descriptions, rules and defaults."""
    out = {short: schema[key] for key, short in KEPT.items() if key in schema}
    if "pattern" in schema:
        out["quantity"] = True
    if schema.get("x-kubernetes-int-or-string"):
        out["t"] = "int-or-string"
    if schema.get("format") == "int32":
        out["t"] = "int32"
    if "properties" in schema:
        out["fields"] = {name: reduce(inner) for name, inner in schema["properties"].items()}
    for key, short in (("items", "items"), ("additionalProperties", "values")):
        if key in schema:
            out[short] = reduce(schema[key])
    return out


def shared(root):
    """Objects that come more than once become {"ref": N} into a list."""
    counts, order = {}, []

    def text(value):
        return json.dumps(value, sort_keys=True)

    def count(value):
        if isinstance(value, dict):
            if "fields" in value:
                counts[text(value)] = counts.get(text(value), 0) + 1
                if counts[text(value)] > 1:
                    return
            for inner in value.values():
                count(inner)

    def replace(value):
        if not isinstance(value, dict):
            return value
        key = text(value)
        out = {name: replace(inner) for name, inner in value.items()}
        if counts.get(key, 0) < 2:
            return out
        if key not in seen:
            seen[key] = len(order)
            order.append(out)
        return {"ref": seen[key]}

    seen = {}
    count(root)
    return {"specs": replace(root), "types": order}


def write(specs):
    shapes = {kind: reduce(schema) for kind, schema in specs.items()}
    for shape in shapes.values():
        del shape["required"]  # The rules of common/resource say more about these.
    data = json.dumps(shared(shapes), separators=(",", ":"), ensure_ascii=False)
    lines = [f'    R"shape({data[at:at + LINE]})shape"' for at in range(0, len(data), LINE)]
    return "// Written by charts/crds/generate.py; do not edit.\n" + "\n".join(lines) + "\n"

"""Writes the custom resource definitions (charts/krypton/files/crds/), the shape that common/resource checks
manifests by (common/resource/shape_data.inc), and the tables of docs/agent.md and docs/model.md, from the protos,
table.py and core_types.json.

    python3 charts/crds/generate.py           writes them
    python3 charts/crds/generate.py --check   says which differ from what is checked in; exit status 1
"""

import json
import sys
from pathlib import Path

import proto_reader
import reference
import shape
import table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROTOS = [ROOT / "proto/krypton/v1" / f"{name}.proto" for name in ("resource", "agent", "model")]
CORE = json.loads((HERE / "core_types.json").read_text(encoding="utf-8"))

SCALARS = {
    "string": {"type": "string"},
    "bool": {"type": "boolean"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "google.protobuf.Duration": {"type": "string"},
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
}
QUANTITY = {"x-kubernetes-int-or-string": True, "maxLength": 40}


def bounded(schema):
    """Every string, list and map has a bound."""
    kind = schema.get("type")
    if kind == "string" and "enum" not in schema and schema.get("format") != "date-time":
        schema.setdefault("maxLength", table.STRING)
    if kind == "array":
        schema.setdefault("maxItems", table.LIST)
    if "additionalProperties" in schema:
        schema.setdefault("maxProperties", table.MAP)
    return schema


def list_of(items, entry):
    schema = {"type": "array", "items": items}
    if "maxItems" in entry:
        schema["maxItems"] = entry["maxItems"]
    if "key" in entry:
        schema |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": entry["key"]}
    else:
        schema["x-kubernetes-list-type"] = "atomic"
    return bounded(schema)


def with_rules(schema, rules):
    return schema | {"x-kubernetes-validations": list(rules)} if rules else schema


def core_field(field):
    if field.get("ref") == "Quantity":
        schema = QUANTITY | {"pattern": table.QUANTITY}
    elif field.get("ref") == "IntOrString":
        schema = {"x-kubernetes-int-or-string": True, "maxLength": 253}
    elif "ref" in field:
        schema = core_type(field["ref"])
    elif field["type"] == "array":
        keys = {"key": field["x-kubernetes-list-map-keys"]} if field.get("x-kubernetes-list-type") == "map" else {}
        schema = list_of(core_field(field["items"]), keys)
    else:
        schema = {key: field[key] for key in ("type", "format") if key in field}
        if schema.get("format") == "int32":  # A format alone is not looked at.
            schema |= {"minimum": -2**31, "maximum": 2**31 - 1}
        if "additionalProperties" in field:
            schema["additionalProperties"] = core_field(field["additionalProperties"])
        bounded(schema)
    return schema | ({"description": field["description"]} if "description" in field else {})


def core_type(name):
    source = CORE[name]
    schema = {"type": "object", "description": source["description"],
              "properties": {key: core_field(field) for key, field in source["properties"].items()}}
    for key in ("required", "x-kubernetes-map-type"):
        if key in source:
            schema[key] = source[key]
    return schema


class Generator:
    def __init__(self, types):
        self.types = types
        self.used = set()

    def entry(self, key):
        self.used.add(key)
        return table.TABLE.get(key, {})

    def message(self, name):
        fields = list(self.types[name].fields)
        properties = {}
        for field in fields:
            if field.name == "pod":
                continue
            properties[field.name] = self.field(name, field)
        if any(field.name == "pod" for field in fields):
            for field in self.types["PodTemplate"].fields:
                if field.name not in properties:
                    properties[field.name] = self.field(name, field)
        entry = self.entry(name)
        schema = {"type": "object", "properties": properties}
        if "required" in entry:
            schema["required"] = entry["required"]
        return with_rules(schema, entry.get("rules"))

    def field(self, owner, field):
        entry = self.entry(f"{owner}.{field.name}")
        schema = self.list(field, entry) if field.repeated else self.single(field, entry)
        if "default" in entry:
            schema["default"] = entry["default"]
        if not field.comment:
            sys.exit(f"{owner}.{field.name} has no comment in its proto: it is what `kubectl explain` shows")
        return schema | {"description": field.comment}

    def list(self, field, entry):
        if "names" in entry:
            item = {"type": "object", "required": ["name"],
                    "properties": {"name": {"type": "string", "maxLength": 253, "description": "Its name."}}}
            rules = [table.matches(table.SUBDOMAIN, f"is not the name of {entry['names']}", ".name", "self.name")]
            return list_of(with_rules(item, rules), {"key": ["name"]})
        if "items" in entry:
            item = with_rules(core_type(entry["items"]), entry.get("item rules"))
        elif field.type in self.types:
            item = self.message(field.type)
        else:
            item = bounded(SCALARS[field.type] | {key: entry[key] for key in ("maxLength",) if key in entry})
        return list_of(item, entry)

    def single(self, field, entry):
        own = {key: entry[key] for key in ("maxLength", "minLength", "enum", "maxProperties") if key in entry}
        if "with" in entry:
            schema = self.message(field.type) if field.type in self.types else {"type": "object", "properties": {}}
            for name in entry["with"]:
                schema["properties"][name[0].lower() + name[1:]] = core_type(name)
        elif "type" in entry:
            schema = core_type(entry["type"])
        elif field.type.startswith("map<"):
            values = with_rules(dict(QUANTITY), [table.QUANTITY_RULE]) if entry.get("quantities") else (
                bounded({"type": "string"} | entry.get("values", {})))
            schema = {"type": "object", "additionalProperties": values, "maxProperties": 32, **own}
        elif field.type in SCALARS:
            schema = SCALARS[field.type] | own
        elif isinstance(self.types[field.type], proto_reader.Enum):
            schema = {"type": "string", "enum": [word for word, _ in self.types[field.type].values]}
        else:
            schema = self.message(field.type)
        return with_rules(bounded(schema), entry.get("rules"))

    def definition(self, kind):
        names = table.RESOURCES[kind]
        schema = {
            "type": "object", "required": ["spec"], "description": self.types[kind].comment,
            "properties": {
                "apiVersion": {"type": "string", "description": "krypton.ai/v1alpha1."},
                "kind": {"type": "string", "description": f"{kind}."},
                "metadata": {"type": "object"},
                "spec": {"description": f"What the {kind.lower()} shall be."} | self.message(f"{kind}Spec"),
                "status": {"description": "How it does; Krypton writes it."} | self.message(f"{kind}Status"),
            },
            "x-kubernetes-validations": [table.NAME_RULE],
        }
        version = {
            "name": "v1alpha1", "served": True, "storage": True,
            "additionalPrinterColumns": [
                {"name": name, "type": kind_, "jsonPath": path, "description": description, "priority": priority}
                for name, kind_, path, description, priority in table.COLUMNS],
            "subresources": {"status": {}, "scale": {
                "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector"}},
            "schema": {"openAPIV3Schema": schema},
        }
        return {
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{names['plural']}.krypton.ai"},
            "spec": {"group": "krypton.ai", "scope": "Namespaced",
                     "names": {"kind": kind, "listKind": f"{kind}List", "plural": names["plural"],
                               "singular": kind.lower(), "shortNames": [names["short"]], "categories": ["krypton"]},
                     "versions": [version]},
        }


def yaml_lines(value, indent=0):
    """Block style; what could be read as something else is quoted."""
    pad = " " * indent
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, (dict, list)) and inner:
                yield f"{pad}{key}:"
                yield from yaml_lines(inner, indent + 2)
            else:
                yield f"{pad}{key}: {scalar(inner)}"
    else:
        for inner in value:
            if isinstance(inner, (dict, list)) and inner:
                first, *rest = yaml_lines(inner, indent + 2)
                yield f"{pad}- {first.lstrip()}"
                yield from rest
            else:
                yield f"{pad}- {scalar(inner)}"


NOT_STRINGS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")


def scalar(value):
    if isinstance(value, str) and value.isidentifier() and value.lower() not in NOT_STRINGS:
        return value
    return json.dumps(value, ensure_ascii=False)


def outputs():
    generator = Generator(proto_reader.read(PROTOS))
    definitions = {kind: generator.definition(kind) for kind in table.RESOURCES}
    unused = set(table.TABLE) - generator.used
    if unused:
        sys.exit(f"table.py names what no proto has: {', '.join(sorted(unused))}")
    head = "# Written by charts/crds/generate.py from the protos and charts/crds/table.py; edit those."
    files = {ROOT / "charts/krypton/files/crds" / f"{table.RESOURCES[kind]['plural']}.yaml":
             "\n".join([head, *yaml_lines(definition)]) + "\n" for kind, definition in definitions.items()}
    specs = {kind: definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
             for kind, definition in definitions.items()}
    files[ROOT / "common/resource/shape_data.inc"] = shape.write(specs)
    for kind, definition in definitions.items():
        page = ROOT / "docs" / f"{kind.lower()}.md"
        files[page] = reference.page(page, kind, definition)
    return files


def main(arguments):
    differing = []
    for path, text in outputs().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        differing.append(str(path.relative_to(ROOT)))
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for name in differing:
        print(("differs: " if "--check" in arguments else "wrote ") + name)
    sys.exit(1 if differing and "--check" in arguments else 0)


if __name__ == "__main__":
    main(sys.argv[1:])

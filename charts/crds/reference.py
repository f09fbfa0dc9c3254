"""The tables of docs/agent.md and docs/model.md, out of the definitions."""

import json
import re

import table

# Defaults that depend on another field: the manager sets them, the definition cannot.
DEPENDENT = {"minReplicas": "1; on serverless 0", "scaleToZeroAfter": "300s on serverless"}
BEGIN, END = "<!-- {}: charts/crds/generate.py -->", "<!-- /{} -->"


def core_name(kind, field):
    """The Kubernetes type that a field of a spec takes, and whether it is a list of them."""
    entry = table.TABLE.get(f"{kind}Spec.{field}", {})
    return entry.get("type"), entry.get("items")


def link(name):
    return f"Kubernetes' {name}"


def type_of(schema):
    rules = json.dumps(schema.get("x-kubernetes-validations", []))
    if "must be a duration" in rules:
        return "duration"
    if "enum" in schema:
        return " \\| ".join(f"`{word}`" for word in schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return "quantity"
    if schema["type"] == "array":
        return f"list of {type_of(schema['items'])}s" if "properties" not in schema["items"] else "list"
    if "additionalProperties" in schema:
        return f"map of {type_of(schema['additionalProperties']).replace('quantity', 'quantitie')}s"
    return "timestamp" if schema.get("format") == "date-time" else schema["type"]


def rows(kind, properties, prefix=""):
    for name, schema in properties.items():
        path = f"{prefix}{name}"
        single, many = core_name(kind, name) if not prefix else (None, None)
        description = schema.get("description", "")
        default = DEPENDENT.get(name) if not prefix else None
        if default is None and "default" in schema:
            default = f"`{json.dumps(schema['default']).strip(chr(34))}`"
        if single or many:
            kind_ = f"list of {link(many)}" if many else link(single)
            yield path, kind_, default, description
        elif name == "affinity" and not prefix:
            yield path, link("Affinity"), default, description
            if "header" in schema["properties"]:
                yield from rows(kind, {"header": schema["properties"]["header"]}, f"{path}.")
        elif name == "valueFrom":
            yield path, link("EnvVarSource"), default, description
        elif schema["type"] == "object" and "properties" in schema:
            yield from rows(kind, schema["properties"], f"{path}.")
        elif schema["type"] == "array" and "properties" in schema["items"]:
            yield from rows(kind, schema["items"]["properties"], f"{path}[].")
        else:
            yield path, type_of(schema), default, description


def fields(kind, schema):
    required = set(schema.get("required", []))
    lines = ["| field | type | default | what it is |", "|---|---|---|---|"]
    for path, type_, default, description in rows(kind, schema["properties"]):
        value = default or ("required" if path in required else "")
        lines.append(f"| `{path}` | {type_} | {value} | {description.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def words(rule):
    """A rule's message for people: what stands for a value is named."""
    if "message" in rule:
        return rule["message"]
    text = re.match(r"'((?:[^'\\]|\\.)*)'", rule["messageExpression"])[1]
    return text.replace("\\'", "'").replace("%s", "X")


def rules(schema):
    """field → what is said, once each."""
    lines, seen = ["| field | is refused when |", "|---|---|"], set()

    def visit(node, path):
        for each in node.get("x-kubernetes-validations", []):
            row = (f"{path}{each.get('fieldPath', '')}", words(each))
            if row not in seen:
                seen.add(row)
                lines.append(f"| `{row[0]}` | {row[1].replace('|', chr(92) + '|')} |")
        for name, inner in node.get("properties", {}).items():
            visit(inner, f"{path}.{name}")
        if "items" in node:
            visit(node["items"], f"{path}[]")
        if isinstance(node.get("additionalProperties"), dict):
            visit(node["additionalProperties"], f"{path}.*")

    visit(schema, "spec")
    return "\n".join(lines)


def between(text, name, content):
    begin, end = BEGIN.format(name), END.format(name)
    head, rest = text.split(begin)
    return f"{head}{begin}\n{content}\n{end}{rest.split(end)[1]}"


def page(path, kind, definition):
    """The page with its three tables anew."""
    properties = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    text = path.read_text(encoding="utf-8")
    text = between(text, "fields", fields(kind, properties["spec"]))
    text = between(text, "rules", rules(properties["spec"]))
    return between(text, "status", fields(kind, properties["status"]))

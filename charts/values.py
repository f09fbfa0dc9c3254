"""Writes what follows from the chart's values.yaml: values.schema.json, and the table of values in the chart's
README and in docs/chart-values.md.

    python3 charts/values.py           writes them
    python3 charts/values.py --check   says which differ from what is checked in; exit status 1

A key's description is the line "# -- ..." above it. What it takes follows from its default; a line
"# @schema {...}" (JSON Schema) narrows that. Unknown keys are refused everywhere but in maps that are empty by
default, and in those marked {"free": true}.
"""

import json
import re
import sys
from pathlib import Path

import yaml

CHART = Path(__file__).resolve().parent / "krypton"
DOCS = CHART.parent.parent / "docs"
KEY = re.compile(r"^( *)([A-Za-z][A-Za-z0-9]*):( .*)?$")


def comments(text):
    """{path of a key: (description, schema)}."""
    found, path, indents, description, schema = {}, [], [], "", {}
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            description = stripped[5:]
        elif stripped.startswith("# @schema "):
            schema = json.loads(stripped[10:])
        elif key := KEY.match(line):
            while indents and len(key[1]) <= indents[-1]:
                indents.pop()
                path.pop()
            indents.append(len(key[1]))
            path.append(key[2])
            found[".".join(path)] = (description, schema)
            description, schema = "", {}
    return found


def leaf(value, schema):
    return not isinstance(value, dict) or not value or schema.get("free", False)


def rows(values, said, path=""):
    """(path, type, default, description) of each key that has no keys of its own."""
    for key, value in values.items():
        name = f"{path}.{key}" if path else key
        description, schema = said[name]
        if leaf(value, schema):
            yield name, type_of(value), json.dumps(value), description
        else:
            yield from rows(value, said, name)


def type_of(value):
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, kind):
            return name
    return "object"


def schema_of(value, said, path):
    description, extra = said[path] if path else ("", {})
    schema = {"description": description} if description else {}
    if leaf(value, extra):
        schema["type"] = type_of(value)
        if schema["type"] == "integer":
            schema["minimum"] = 0
    else:
        schema |= {"type": "object", "additionalProperties": False, "properties": {
            key: schema_of(inner, said, f"{path}.{key}" if path else key) for key, inner in value.items()}}
    return schema | {key: inner for key, inner in extra.items() if key != "free"}


def schema(values, said):
    out = schema_of(values, said, "")
    # What a chart that has this one inside hands down.
    out["properties"]["global"] = {"type": "object"}
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of the chart krypton"} | out


def table(values, said):
    lines = ["| key | type | default | what it is |", "|---|---|---|---|"]
    for name, kind, default, description in rows(values, said):
        text = description.replace("|", "\\|")
        lines.append(f"| `{name}` | {kind} | `{default}` | {text} |")
    return "\n".join(lines)


def between(path, text):
    """The file with `text` between its two markers."""
    content = path.read_text(encoding="utf-8")
    begin, end = "<!-- values: charts/values.py -->", "<!-- /values -->"
    head, rest = content.split(begin)
    return f"{head}{begin}\n{text}\n{end}{rest.split(end)[1]}"


def outputs():
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    values, said = yaml.safe_load(text), comments(text)
    undescribed = [name for name, *_, description in rows(values, said) if not description]
    if undescribed:
        sys.exit(f"values.yaml: no '# -- ' line above {', '.join(undescribed)}")
    return {
        CHART / "values.schema.json": json.dumps(schema(values, said), indent=2) + "\n",
        CHART / "README.md": between(CHART / "README.md", table(values, said)),
        DOCS / "chart-values.md": between(DOCS / "chart-values.md", table(values, said)),
    }


def main(arguments):
    differing = []
    for path, text in outputs().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        differing.append(str(path.relative_to(CHART.parent.parent)))
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
    for name in differing:
        print(("differs: " if "--check" in arguments else "wrote ") + name)
    sys.exit(1 if differing and "--check" in arguments else 0)


if __name__ == "__main__":
    main(sys.argv[1:])

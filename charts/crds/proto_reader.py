"""Reads the messages and enums of Krypton's protos, with their comments. The protos keep to one shape
(buf lint holds them to it), so that this needs no compiler: a comment stands on the lines before its
field, a field on one line."""

import re
from dataclasses import dataclass, field

FIELD = re.compile(r"(optional |repeated )?(map<\s*string\s*,\s*string\s*>|[\w.]+) (\w+) = \d+;")
VALUE = re.compile(r"([A-Z0-9_]+) = (\d+);")


@dataclass
class Field:
    name: str
    type: str
    repeated: bool
    comment: str


@dataclass
class Message:
    fields: list = field(default_factory=list)
    comment: str = ""


@dataclass
class Enum:
    # (word in a manifest, comment), without UNSPECIFIED.
    values: list = field(default_factory=list)
    comment: str = ""


def json_name(name):
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def word(enum, value):
    """SCALING_MODE_ALWAYS_ON -> always-on; phases and condition statuses are capitalised."""
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum).upper() + "_"
    text = value.removeprefix(prefix).lower().replace("_", "-")
    return text.capitalize() if enum.endswith(("Phase", "Status")) else text


def read(paths):
    """{name: Message or Enum} of all files."""
    types = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            _read_file(file.read(), types)
    return types


def _read_file(text, types):
    name, comment = None, []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("//"):
            comment.append(line[2:].strip())
            continue
        begin = re.match(r"(message|enum) (\w+) \{", line)
        if begin:
            name = begin[2]
            types[name] = (Message if begin[1] == "message" else Enum)(comment=" ".join(comment))
        elif line == "}":
            name = None
        elif name and isinstance(types[name], Message) and (found := FIELD.match(line)):
            types[name].fields.append(Field(json_name(found[3]), found[2], found[1] == "repeated ", " ".join(comment)))
        elif name and isinstance(types[name], Enum) and (found := VALUE.match(line)) and found[2] != "0":
            types[name].values.append((word(name, found[1]), " ".join(comment)))
        comment = []

"""The definitions follow from the protos and the table, and have what a good definition has."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(os.environ["KRYPTON_SOURCE_DIR"])
sys.path.insert(0, str(ROOT / "charts" / "crds"))

import proto_reader  # noqa: E402

CRDS = {path.stem: yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
        for path in (ROOT / "charts/krypton/files/crds").glob("*.yaml") if path.stem in ("agents", "models")}
PROTOS = proto_reader.read([ROOT / "proto/krypton/v1" / f"{name}.proto" for name in ("resource", "agent", "model")])


def version(plural):
    return CRDS[plural]["spec"]["versions"][0]


def schema(plural):
    return version(plural)["schema"]["openAPIV3Schema"]


def nodes(value, path=""):
    """(path, schema) of every node."""
    yield path, value
    for key, inner in value.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{key}")
    if "items" in value:
        yield from nodes(value["items"], f"{path}[]")
    if isinstance(value.get("additionalProperties"), dict):
        yield from nodes(value["additionalProperties"], f"{path}{{}}")


def test_what_is_checked_in_is_what_the_generator_writes():
    done = subprocess.run([sys.executable, ROOT / "charts/crds/generate.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_reader_finds_every_field_of_the_protos():
    """Against protoc's own list, so that a field that is written in another shape is not overlooked."""
    from google.protobuf import descriptor_pb2
    done = subprocess.run(["protoc", f"-I{ROOT / 'proto'}", f"-I{googleapis()}", "--descriptor_set_out=/dev/stdout",
                           *[f"krypton/v1/{name}.proto" for name in ("resource", "agent", "model")]],
                          capture_output=True)
    assert done.returncode == 0, done.stderr
    files = descriptor_pb2.FileDescriptorSet.FromString(done.stdout).file
    for message in [message for file in files for message in file.message_type]:
        mine = [field.name for field in PROTOS[message.name].fields]
        assert mine == [field.json_name for field in message.field], message.name


def googleapis():
    import google.api
    return Path(list(google.api.__path__)[0]).parent.parent


@pytest.mark.parametrize("plural, kind", [("agents", "Agent"), ("models", "Model")])
def test_every_field_of_the_protos_is_a_property_with_its_comment(plural, kind):
    for part in ("Spec", "Status"):
        properties = schema(plural)["properties"][part.lower()]["properties"]
        fields = {field.name: field for field in PROTOS[kind + part].fields}
        if fields.pop("pod", None):
            fields = {field.name: field for field in PROTOS["PodTemplate"].fields} | fields
        assert set(properties) == set(fields)
        for name, field in fields.items():
            if field.comment:
                assert properties[name]["description"] == field.comment


@pytest.mark.parametrize("plural", CRDS)
def test_the_schema_is_structural_and_bounded(plural):
    for path, node in nodes(schema(plural)):
        assert "x-kubernetes-preserve-unknown-fields" not in node, path
        if not node.get("x-kubernetes-int-or-string"):
            assert "type" in node, path
        if node.get("type") == "string" and path.startswith((".spec", ".status")):
            assert "maxLength" in node or "enum" in node or node.get("format") == "date-time", path
        if node.get("type") == "array":
            assert "maxItems" in node and "x-kubernetes-list-type" in node, path
        if "additionalProperties" in node:
            assert "maxProperties" in node, path
        if not path.endswith(("[]", "{}")) and path not in ("", ".metadata"):
            assert node.get("description"), path


@pytest.mark.parametrize("plural, short", [("agents", "ag"), ("models", "mdl")])
def test_names_columns_and_subresources(plural, short):
    names = CRDS[plural]["spec"]["names"]
    assert names["shortNames"] == [short] and names["categories"] == ["krypton"]
    assert [column["name"].upper() for column in version(plural)["additionalPrinterColumns"]] == [
        "MODE", "READY", "DESIRED", "PHASE", "URL", "AGE"]
    assert version(plural)["subresources"] == {"status": {}, "scale": {
        "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector"}}


@pytest.mark.parametrize("plural", CRDS)
def test_every_rule_has_words(plural):
    rules = [rule for _, node in nodes(schema(plural)) for rule in node.get("x-kubernetes-validations", [])]
    assert len(rules) > 40
    for rule in rules:
        text = rule.get("message") or rule["messageExpression"]
        assert not re.search(r"failed rule|invalid$", text), rule

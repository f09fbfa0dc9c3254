"""Files of JSON Schema for kubeconform, out of what a cluster said of itself (schemas.json) and our definitions."""

import json
import os
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent.parent
CRDS = Path(os.environ["KRYPTON_SOURCE_DIR"]) / "charts" / "krypton" / "files" / "crds"
# What the description calls strings and the API server takes as numbers too.
EITHER = {"io.k8s.apimachinery.pkg.util.intstr.IntOrString", "io.k8s.apimachinery.pkg.api.resource.Quantity"}


def strict(schema, name=""):
    """Unknown keys are refused; references lead into one file."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if name in EITHER:
        return {"type": ["string", "number"]}
    if isinstance(schema.get("$ref"), str):
        return {"$ref": "definitions.json#/definitions/" + schema["$ref"].rsplit("/", 1)[-1]}
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["string", "integer"]}
    out = {key: {name: strict(inner) for name, inner in value.items()} if key == "properties" else
           strict(value) if key in ("items", "additionalProperties") else value for key, value in schema.items()}
    if "properties" in out and "additionalProperties" not in out and name != "metadata":
        out["additionalProperties"] = False
    return out


def write(folder):
    data = json.loads((HERE / "schemas.json").read_text())
    definitions = {name: strict(schema, name) for name, schema in data["definitions"].items()}
    (folder / "definitions.json").write_text(json.dumps({"definitions": definitions}))
    for file, name in data["kinds"].items():
        (folder / f"{file}.json").write_text(json.dumps({"$ref": f"definitions.json#/definitions/{name}"}))
    for plural in ("agents", "models"):
        definition = yaml.safe_load((CRDS / f"{plural}.yaml").read_text())
        schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        kind = definition["spec"]["names"]["singular"]
        (folder / f"{kind}-krypton-v1alpha1.json").write_text(json.dumps(strict(schema)))
    return folder

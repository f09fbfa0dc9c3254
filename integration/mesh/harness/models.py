"""Models as the tests declare them: the real llama.cpp over the tiny model, and what it says of itself."""

import json
import os
import re
import subprocess
from pathlib import Path

from . import http
from .mesh import SOURCE
from .processes import processes_of

SERVE = SOURCE / "examples" / "models" / "serve.py"
RECORDER = Path(__file__).resolve().parent.parent / "agents" / "recorder.py"
STAND_IN = Path(__file__).resolve().parent.parent / "agents" / "model_stand_in.py"


def python():
    """The interpreter that has llama.cpp's server."""
    return os.environ["KRYPTON_TEST_PYTHON_MODELS"]


def tiny_command():
    return f'exec {python()} {SERVE} --from tiny --threads 1 "$@"'


def recorded_command(folder):
    """The same behind a recorder of all bytes."""
    folder.mkdir(exist_ok=True)
    return f'exec python3 -S {RECORDER} {folder} {python()} {SERVE} --from tiny --threads 1 "$@"'


def model_manifest(name, namespace="default", command=None, annotations=True, **spec):
    """A Model as YAML (which JSON is): the tiny one, unless `command` says what else serves it."""
    spec = {"source": {"path": "tiny.gguf"}, **spec}
    if spec.get("mode") == "serverless":
        spec = {"minReplicas": 0, **spec}
    own = {"krypton.ai/local-command": command or tiny_command()} if annotations else {}
    return json.dumps({
        "apiVersion": "krypton.ai/v1alpha1", "kind": "Model",
        "metadata": {"name": name, "namespace": namespace, "annotations": own}, "spec": spec}, indent=1)


def apply_model(mesh, name, namespace="default", **options):
    mesh.write(f"{namespace}-{name}-model.yaml", model_manifest(name, namespace, **options))


def delete_model(mesh, name, namespace="default"):
    (mesh.manifests / f"{namespace}-{name}-model.yaml").unlink()


def status_of(mesh, name, namespace="default"):
    """What the control plane says of a model; None: there is none."""
    answer = http.call(mesh.address("control_plane", "http"), target=f"/v1/models/{namespace}/{name}/status")
    if answer.status == 404:
        return None
    assert answer.status == 200, answer
    status = json.loads(answer.body)
    return {**status, "phase": status["phase"].removeprefix("MODEL_PHASE_").capitalize()}


def servers_of(mesh, name):
    """(pid, port) of the llama.cpp processes that serve a model."""
    found = []
    for pid, line in processes_of(mesh.root):
        if "serve.py" in line and "recorder.py" not in line and "/bin/sh" not in line \
                and re.search(rf"--alias {name} ", line):
            found.append((pid, int(re.search(r"--port (\d+)", line)[1])))
    return found


def busy_slots(port):
    """How many of a llama.cpp server's slots are at work, by its own word."""
    slots = json.loads(http.call(f"127.0.0.1:{port}", target="/slots").body)
    return sum(slot["is_processing"] for slot in slots)


def weights():
    """The path of the tiny model's file, written if it is not there yet."""
    return subprocess.run(
        [python(), "-c", "import serve, argparse; print(serve.weights(argparse.Namespace(origin='tiny')))"],
        cwd=SERVE.parent, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def exchanges(folder, marker):
    """The recorded (request, response) pairs of the connections on which `marker` was sent."""
    pairs = []
    for file in sorted(folder.glob("*.request")):
        request = file.read_bytes()
        if marker in request:
            pairs.append((request, file.with_suffix(".response").read_bytes()))
    return pairs

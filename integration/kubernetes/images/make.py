#!/usr/bin/env python3
"""The images of the tests' agents and model, pushed to a registry: Debian's Python and a program of this repository.

    make.py --push HOST/PATH --models-python VENV/bin/python

They stand on one layer, Debian's Python, made as Krypton's own images are (scripts/images). The model's server is that
of examples/models, whose Python environment has llama.cpp (xllamacpp) and writes the tiny model's file.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts" / "images"))

import libraries  # noqa: E402
import oci  # noqa: E402

PYTHON = "/usr/bin/python3"
# What no agent imports: half of the standard library by size.
LEFT_OUT = re.compile(r"/(__pycache__|test|tests|idlelib|lib2to3|pydoc_data|tkinter|ensurepip|turtledemo|doc|man)/")
PROBE = ROOT / "integration" / "mesh" / "agents"
# Image → (files of the program, what Python runs).
AGENTS = {
    "hello": ([ROOT / "examples" / "hello.py"], ["hello.py"]),
    "echo": ([ROOT / "examples" / "echo.py"], ["echo.py"]),
    "slow": ([ROOT / "examples" / "slow.py"], ["slow.py"]),
    "tools": ([ROOT / "examples" / "tools.py"], ["tools.py"]),
    "probe": ([PROBE / "probe.py", PROBE / "behaviours.py"], ["probe.py"]),
    "crash": ([], ["-c", "import sys; sys.exit('this agent ends at once')"]),
}


def python_layer():
    """Debian's python3, its standard library, and the shared libraries of both."""
    version = Path(PYTHON).resolve().name
    names = [f"{version}-minimal", f"lib{version}-minimal", f"lib{version}-stdlib"]
    files = [path for path in libraries.files_of(names)
             if not LEFT_OUT.search(path) and path.startswith(("/usr/bin/", f"/usr/lib/{version}/"))]
    layer = oci.Layer()
    layer.add_link("/lib", "usr/lib")
    layer.add_link("/lib64", "usr/lib64")
    layer.add_link(PYTHON, version)
    layer.add_folder("/tmp", 0o1777)
    layer.add_bytes("/etc/passwd", b"agent:x:65532:65532::/:/sbin/nologin\n")
    for path in files:
        if os.path.islink(path):
            layer.add_link(path, os.readlink(path))
        else:
            layer.add_file(path, path)
    modules = [path for path in files if path.endswith(".so")]
    add_libraries(layer, [os.path.realpath(PYTHON), *modules])
    return oci.Packed(layer)


def add_libraries(layer, programs):
    for path in set().union(*map(libraries.needed, programs)):
        layer.add_file(libraries.in_image(path), path, 0o755)


def agent_image(python, files, arguments):
    program = oci.Layer()
    program.add_folder("/app")
    for file in files:
        program.add_file(f"/app/{file.name}", file, 0o644)
    return oci.Image([python, oci.Packed(program)], [PYTHON, *arguments], working_dir="/app",
                     environment={"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"})


def model_image(python, models_python, folder):
    """Takes llama-server's flags, and serves the tiny model whatever they name: it is in the image."""
    models = ROOT / "examples" / "models"
    weights = Path(folder) / "tiny.gguf"
    subprocess.run([models_python, "tiny.py", weights], cwd=models, check=True)
    find = "import xllamacpp, tiny; print(xllamacpp.__path__[0], tiny.VERSION)"
    found, version = subprocess.run([models_python, "-c", find], cwd=models, check=True,
                                    capture_output=True, text=True).stdout.split()
    layer = oci.Layer()
    for file in sorted(Path(found).glob("*.*")):
        layer.add_file(f"/app/xllamacpp/{file.name}", file, 0o644)
    add_libraries(layer, map(str, Path(found).glob("*.so")))
    for name in ("serve.py", "tiny.py"):
        layer.add_file(f"/app/{name}", models / name, 0o644)
    layer.add_file(f"/usr/models/tiny-{version}.gguf", weights, 0o644)
    return oci.Image([python, oci.Packed(layer)], [PYTHON, "serve.py", "--from", "tiny"], working_dir="/app",
                     environment={"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--push", metavar="HOST/PATH", required=True)
    parser.add_argument("--models-python", required=True, help="of the environment of examples/models")
    options = parser.parse_args()
    python = python_layer()
    images = {name: agent_image(python, *program) for name, program in AGENTS.items()}
    with tempfile.TemporaryDirectory() as folder:
        images["llama"] = model_image(python, options.models_python, folder)
        for name, image in images.items():
            archive = f"{folder}/{name}.tar"
            oci.write_archive(image, f"{name}:test", archive)
            subprocess.run(["skopeo", "copy", "--quiet", f"oci-archive:{archive}",
                            f"docker://{options.push}/{name}:test"], check=True)
            print(f"{options.push}/{name}:test", flush=True)


if __name__ == "__main__":
    main()

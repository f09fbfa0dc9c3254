#!/usr/bin/env python3
"""The images of the tests' agents and model, pushed to a registry: Debian's Python and a program of this repository.

    make.py --push HOST/PATH [--model-python VENV/bin/python]

They stand on one layer, Debian's Python, made as Krypton's own images are (scripts/images).
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
# Image → (files of the program, what is run). A name ends in what its agent does.
AGENTS = {
    "hello": ([ROOT / "examples" / "hello.py"], ["hello.py"]),
    "echo": ([ROOT / "examples" / "echo.py"], ["echo.py"]),
    "slow": ([ROOT / "examples" / "slow.py"], ["slow.py"]),
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--push", metavar="HOST/PATH", required=True)
    options = parser.parse_args()
    images = {name: agent_image(python, *program) for python in [python_layer()] for name, program in AGENTS.items()}
    with tempfile.TemporaryDirectory() as folder:
        for name, image in images.items():
            archive = f"{folder}/{name}.tar"
            oci.write_archive(image, f"{name}:test", archive)
            subprocess.run(["skopeo", "copy", "--quiet", f"oci-archive:{archive}",
                            f"docker://{options.push}/{name}:test"], check=True)
            print(f"{options.push}/{name}:test", flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Images of the monitoring stack, pushed to a registry: `images.py --push HOST/PATH FOLDER` (build.sh's folder)."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts" / "images"))

import oci  # noqa: E402


def image(program, path):
    """One program: what Go builds here needs no libraries."""
    layer = oci.Layer()
    layer.add_folder("/tmp", 0o1777)
    layer.add_bytes("/etc/passwd", b"nobody:x:65534:65534::/:/sbin/nologin\n")
    layer.add_file(path, program, 0o755)
    return oci.Image([oci.Packed(layer)], [path])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--push", metavar="HOST/PATH", required=True)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    images = {
        "prometheus-operator": (options.folder / "operator", "/bin/operator"),
        "prometheus-config-reloader": (options.folder / "prometheus-config-reloader",
                                       "/bin/prometheus-config-reloader"),
        "prometheus2": (options.folder / "prometheus2", "/bin/prometheus"),
        "prometheus3": (options.folder / "prometheus3", "/bin/prometheus"),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, (program, path) in images.items():
            archive = f"{folder}/{name}.tar"
            oci.write_archive(image(str(program), path), f"{name}:test", archive)
            subprocess.run(["skopeo", "copy", "--quiet", f"oci-archive:{archive}",
                            f"docker://{options.push}/{name}:test"], check=True)
            print(f"{options.push}/{name}:test", flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""OCI images of Krypton's programs: the program, its shared libraries, CA certificates, a user; nothing else.

All images stand on one layer: what every program needs. On it lies, for all but the sidecar (which has its libraries
linked in), one more with what those share; the last is the program and what it alone needs. Beside each archive lies
its bill of materials (SPDX). `--push` copies both to a registry.
"""

import argparse
import glob
import hashlib
import os
import subprocess
import sys
import tempfile

import libraries
import oci
import sbom

PROGRAMS = {
    "krypton-manager": ("Runs agents and models on the cluster: registry, scaler, operator", [7070, 8080]),
    "krypton-gateway": ("Carries calls to agents and models", [8080, 7080, 8081]),
    "krypton-control-plane": ("Answers what runs and how it does", [8090, 7090, 8091]),
    "krypton-proxy": ("The sidecar of one replica", [8889, 8888]),
    "krypton": ("Krypton's command line", []),
}
# Images are named for what they hold; the command line's own name is the project's.
IMAGE_NAMES = {"krypton": "krypton-cli"}
LINKED_STATICALLY = {"krypton-proxy"}
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# The package's own, not those that an administrator added to this machine.
AUTHORITIES = "/usr/share/ca-certificates/mozilla/*.crt"
USER = 65532
SOURCE = "https://github.com/krypton-ai/krypton"


def base_layer(shared):
    """What every image has: a file system's frame, the user, the certificates, the libraries all need."""
    layer = oci.Layer()
    layer.add_link("/lib", "usr/lib")
    layer.add_link("/lib64", "usr/lib64")
    layer.add_folder("/tmp", 0o1777)
    layer.add_bytes("/etc/passwd", b"root:x:0:0:root:/:/sbin/nologin\n"
                    b"krypton:x:%d:%d:krypton:/:/sbin/nologin\n" % (USER, USER))
    layer.add_bytes("/etc/group", b"root:x:0:\nkrypton:x:%d:\n" % USER)
    layer.add_bytes("/etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")
    layer.add_bytes(CERTIFICATES, b"".join(read(path) for path in sorted(glob.glob(AUTHORITIES))))
    return add_libraries(layer, shared)


def add_libraries(layer, paths):
    for path in paths:
        layer.add_file(libraries.in_image(path), path, 0o755)
    return layer


def read(path):
    with open(path, "rb") as file:
        return file.read()


def stripped(program, folder):
    """A copy without debugging information: a fifth of the size."""
    copy = os.path.join(folder, os.path.basename(program))
    subprocess.run(["strip", "--strip-unneeded", "-o", copy, program], check=True)
    return copy


def labels(name, description, options):
    return {f"org.opencontainers.image.{key}": value for key, value in {
        "title": name, "description": description, "version": options.version, "revision": options.revision,
        "created": oci.created(), "source": SOURCE, "url": SOURCE, "vendor": "Krypton",
        "licenses": "Apache-2.0", "documentation": f"{SOURCE}/blob/main/README.md"}.items()}


def shared_layers(needs):
    """For each program its layers below the last, as (packed layer, paths of the libraries in it)."""
    everywhere = set.intersection(*needs.values())
    services = set.intersection(*(needs[name] for name in PROGRAMS if name not in LINKED_STATICALLY)) - everywhere
    base = oci.Packed(base_layer(everywhere)), everywhere
    more = oci.Packed(add_libraries(oci.Layer(), services)), services
    return {name: [base] if name in LINKED_STATICALLY else [base, more] for name in PROGRAMS}


def bill_of(image_name, digest, name, program, binary, needed, version):
    data = read(program)
    checksums = {"SHA1": hashlib.sha1(data).hexdigest(), "SHA256": hashlib.sha256(data).hexdigest()}
    shared = libraries.packages_of(needed) + [libraries.package("ca-certificates")]
    linked = libraries.packages_of(libraries.linked_in(binary))
    return sbom.document(image_name, version, digest, {"path": f"./usr/bin/{name}", "checksums": checksums},
                         shared, linked)


def build(options):
    """Writes all archives and bills; yields (image name, archive, its manifest's descriptor, size of its layers)."""
    binaries = {name: os.path.join(options.binaries, name) for name in PROGRAMS}
    needs = {name: libraries.needed(path) for name, path in binaries.items()}
    below = shared_layers(needs)
    os.makedirs(options.out, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name, (description, ports) in PROGRAMS.items():
            image_name = IMAGE_NAMES.get(name, name)
            program = stripped(binaries[name], scratch)
            own = add_libraries(oci.Layer(), needs[name].difference(*(paths for _, paths in below[name])))
            own.add_file(f"/usr/bin/{name}", program, 0o755)
            image = oci.Image([layer for layer, _ in below[name]] + [oci.Packed(own)], [f"/usr/bin/{name}"],
                              f"{USER}:{USER}", ports=ports, labels=labels(image_name, description, options),
                              environment={"PATH": "/usr/bin", "SSL_CERT_FILE": CERTIFICATES})
            archive = os.path.join(options.out, f"{image_name}-{options.version}.tar")
            manifest = oci.write_archive(image, f"{image_name}:{options.version}", archive)
            bill = bill_of(image_name, manifest["digest"], name, program, binaries[name], needs[name], options.version)
            with open(archive.removesuffix(".tar") + ".spdx.json", "w", encoding="utf-8") as file:
                file.write(bill)
            yield image_name, archive, manifest, sum(layer.descriptor["size"] for layer in image.layers)


def push(archive, image_name, manifest, options):
    """The image, and its bill of materials as an artifact that refers to it."""
    repository = f"docker://{options.push}/{image_name}"
    copy(archive, f"{repository}:{options.version}", "--preserve-digests")
    with tempfile.TemporaryDirectory() as scratch:
        attachment = os.path.join(scratch, "bill.tar")
        bill = read(archive.removesuffix(".tar") + ".spdx.json")
        tag = oci.write_attachment(bill, "application/spdx+json", manifest, attachment)
        copy(attachment, f"{repository}:{tag}", "--all")


def copy(archive, target, *flags):
    subprocess.run(["skopeo", "copy", "--quiet", *flags, f"oci-archive:{archive}", target], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", required=True, help="folder of the built programs")
    parser.add_argument("--out", required=True, help="folder for the archives")
    parser.add_argument("--version", required=True)
    parser.add_argument("--revision", required=True, help="the commit they were built from")
    parser.add_argument("--push", metavar="HOST/PATH", help="copy them to this registry")
    options = parser.parse_args()
    for image_name, archive, manifest, size in build(options):
        if options.push:
            push(archive, image_name, manifest, options)
        print(f"{image_name}:{options.version} {size / 2**20:.1f} MiB {manifest['digest']}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

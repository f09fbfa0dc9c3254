"""The images: what is in them, that they run, that the same input gives the same bytes, and how programs are hardened."""

import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

SOURCE = Path(os.environ["KRYPTON_SOURCE_DIR"])
BINARIES = Path(os.environ["KRYPTON_BINARY_DIR"])
IMAGES = ["krypton-manager", "krypton-gateway", "krypton-control-plane", "krypton-proxy", "krypton-cli"]
VERSION, REVISION = "1.2.3", "0" * 40
sanitized = int(os.environ.get("KRYPTON_TEST_SLOWNESS", 1)) > 1
pytestmark = pytest.mark.skipif(sanitized, reason="images are made of programs without sanitizers")


def make_images(out):
    command = [sys.executable, SOURCE / "scripts/images/build.py", "--binaries", BINARIES, "--out", out,
               "--version", VERSION, "--revision", REVISION]
    done = subprocess.run(command, capture_output=True, text=True,
                          env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})
    assert done.returncode == 0, done.stderr
    return {line.split(":")[0]: line.split()[-1] for line in done.stdout.splitlines()}


class Archive:
    def __init__(self, path):
        with tarfile.open(path) as tar:
            self.blobs = {member.name.removeprefix("blobs/sha256/"): tar.extractfile(member).read()
                          for member in tar if member.isfile()}
        self.digest = json.loads(self.blobs["index.json"])["manifests"][0]["digest"]
        self.manifest = json.loads(self.blob(self.digest))
        self.config = json.loads(self.blob(self.manifest["config"]["digest"]))

    def blob(self, digest):
        return self.blobs[digest.removeprefix("sha256:")]

    def unpack(self, folder):
        for layer in self.manifest["layers"]:
            archive = folder / "layer.tar"
            archive.write_bytes(self.blob(layer["digest"]))
            with tarfile.open(archive) as tar:
                # Ours: as it is. Debian 12's Python 3.11.2 knows no filter, and newer ones ask for one.
                tar.extractall(folder, **({"filter": "fully_trusted"} if hasattr(tarfile, "data_filter") else {}))
            archive.unlink()
        return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("images")
    return out, make_images(out)


@pytest.fixture(params=IMAGES)
def image(request, built):
    image = Archive(built[0] / f"{request.param}-{VERSION}.tar")
    image.name, image.program = request.param, request.param.removesuffix("-cli")
    image.bill = json.loads((built[0] / f"{request.param}-{VERSION}.spdx.json").read_text())
    return image


def test_the_same_input_gives_the_same_digests(built, tmp_path):
    assert make_images(tmp_path) == built[1]
    for name in os.listdir(tmp_path):
        assert (tmp_path / name).read_bytes() == (built[0] / name).read_bytes(), name


def test_an_image_is_small_and_stands_on_the_layer_of_all(image, built):
    assert sum(layer["size"] for layer in image.manifest["layers"]) <= 60 * 2**20
    others = [Archive(built[0] / f"{name}-{VERSION}.tar").manifest["layers"][0] for name in IMAGES]
    assert all(layer == image.manifest["layers"][0] for layer in others)


def test_it_runs_as_nobody_in_particular_and_says_what_it_is(image):
    config = image.config["config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == [f"/usr/bin/{image.program}"]
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in config["Labels"].items()}
    assert labels["title"] == image.name and labels["version"] == VERSION and labels["revision"] == REVISION
    assert {"description", "created", "source", "licenses", "vendor", "url", "documentation"} <= labels.keys()
    assert image.manifest["annotations"] == config["Labels"]


def test_it_holds_the_program_its_libraries_and_certificates_and_nothing_else(image, tmp_path):
    image.unpack(tmp_path)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file() or path.is_symlink()}
    program = f"usr/bin/{image.program}"
    others = {file for file in files if not re.search(r"/(lib|ld-linux)[^/]*\.so[.\d]*$", file)}
    assert others == {"lib", "lib64", program, "etc/passwd", "etc/group", "etc/nsswitch.conf",
                      "etc/ssl/certs/ca-certificates.crt"}
    assert (tmp_path / "etc/ssl/certs/ca-certificates.crt").read_text().count("BEGIN CERTIFICATE") > 100
    for path in tmp_path.rglob("*"):
        assert path.is_symlink() or path.stat().st_mode & 0o7002 == 0 or path.name == "tmp", path


@pytest.mark.skipif(os.getuid() != 0, reason="needs root (chroot)")
def test_its_program_runs_in_it(image, tmp_path):
    image.unpack(tmp_path).chmod(0o755)
    run = [*"chroot --userspec=65532:65532".split(), tmp_path, image.config["config"]["Entrypoint"][0], "--version"]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert image.program in done.stdout


def test_the_bill_names_the_package_of_each_library(image, tmp_path):
    image.unpack(tmp_path)
    bill = image.bill
    assert bill["spdxVersion"] == "SPDX-2.3"
    own = {package["SPDXID"]: package for package in bill["packages"] if "primaryPackagePurpose" in package}
    names = {package["name"] for package in bill["packages"]}
    assert own["SPDXRef-program"]["name"] == image.program and own["SPDXRef-image"]["name"] == image.name
    assert own["SPDXRef-image"]["checksums"][0]["checksumValue"] == image.digest.removeprefix("sha256:")
    for package in bill["packages"]:
        if package["SPDXID"] not in own:
            assert package["versionInfo"] and package["externalRefs"][0]["referenceLocator"].startswith("pkg:deb/")
    # Debian's packages know a library under /lib or /usr/lib, as it was before the one became the other.
    libraries = {f"/{path.relative_to(tmp_path)}" for path in tmp_path.rglob("*.so*")}
    asked = libraries | {path.removeprefix("/usr") for path in libraries}
    found = subprocess.run(["dpkg-query", "--search", *asked], capture_output=True, text=True).stdout
    owners = {}
    for line in found.splitlines():
        if line.startswith("diversion by "):
            continue
        packages, _, path = line.partition(": ")
        owners.setdefault(path.removeprefix("/usr"), set()).update(re.findall(r"([^ ,:]+):", packages + ":"))
    for library in libraries:
        assert owners[library.removeprefix("/usr")] & names, library
    identifiers = {each["SPDXID"] for each in bill["packages"]} | {"SPDXRef-DOCUMENT"}
    for relation in bill["relationships"]:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= identifiers


def readelf(program, *options):
    return subprocess.run(["readelf", "--wide", *options, BINARIES / program], capture_output=True, text=True,
                          check=True).stdout


@pytest.mark.parametrize("program", [name.removesuffix("-cli") for name in IMAGES] + ["krypton-supervisor"])
def test_a_program_is_hardened(program):
    assert re.search(r"Type:\s+DYN", readelf(program, "--file-header")), "not position independent"
    segments = readelf(program, "--program-headers")
    assert "GNU_RELRO" in segments
    stack = next(line for line in segments.splitlines() if "GNU_STACK" in line)
    assert " RW " in stack and "E" not in stack.split()[6], stack
    assert not [line for line in segments.splitlines() if "LOAD" in line and "RWE" in line]
    assert re.search(r"\(FLAGS(_1)?\).*NOW", readelf(program, "--dynamic")), "symbols are bound late"
    symbols = readelf(program, "--symbols", "--dyn-syms")
    assert "__stack_chk_fail" in symbols
    if BINARIES.parent.name == "release":
        assert re.search(r"__(memcpy|read|recv|vsnprintf|snprintf|strcpy|memmove|memset|fprintf)_chk", symbols)

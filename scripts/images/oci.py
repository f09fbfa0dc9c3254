"""OCI images without a container engine: layers from files, a config, a manifest, one archive.

The same files give the same bytes: entries are sorted, owned by root, dated by SOURCE_DATE_EPOCH (else 1970),
and compressed without a time. https://github.com/opencontainers/image-spec
"""

import gzip
import hashlib
import io
import json
import os
import platform
import stat
import tarfile
from dataclasses import dataclass, field
from datetime import datetime, timezone

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def epoch():
    return int(os.environ.get("SOURCE_DATE_EPOCH", 0))


def created():
    return datetime.fromtimestamp(epoch(), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Layer:
    """Files by their absolute path in the image; folders above them come by themselves."""

    def __init__(self):
        self.entries = {}

    def add_bytes(self, path, data, mode=0o644):
        self.entries[path] = (tarfile.REGTYPE, mode, data)

    def add_file(self, path, source, mode=None):
        mode = stat.S_IMODE(os.stat(source).st_mode) if mode is None else mode
        self.entries[path] = (tarfile.REGTYPE, mode, source)

    def add_link(self, path, target):
        self.entries[path] = (tarfile.SYMTYPE, 0o777, target)

    def add_folder(self, path, mode=0o755):
        self.entries[path] = (tarfile.DIRTYPE, mode, None)

    def tar(self):
        for path in list(self.entries):
            while (path := os.path.dirname(path)) != "/":
                self.entries.setdefault(path, (tarfile.DIRTYPE, 0o755, None))
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path, (kind, mode, content) in sorted(self.entries.items()):
                info = tarfile.TarInfo(path.lstrip("/"))
                info.type, info.mode, info.mtime = kind, mode, epoch()
                if kind == tarfile.SYMTYPE:
                    info.linkname = content
                data = self.data(content) if kind == tarfile.REGTYPE else b""
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        return out.getvalue()

    @staticmethod
    def data(content):
        if isinstance(content, bytes):
            return content
        with open(content, "rb") as file:
            return file.read()


@dataclass
class Image:
    """What a container of it runs, as whom, and where; labels and annotations say what it is."""
    layers: list
    entrypoint: list
    user: str = "65532:65532"
    environment: dict = field(default_factory=dict)
    working_dir: str = "/"
    ports: list = field(default_factory=list)
    labels: dict = field(default_factory=dict)


class Packed:
    """A layer as it is stored; made once, used by every image that stands on it."""

    def __init__(self, layer):
        raw = layer.tar()
        self.diff_id = digest(raw)
        self.blob = gzip.compress(raw, 6, mtime=0)
        self.descriptor = reference(LAYER, self.blob)


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def encode(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def config_of(image):
    return encode({
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()), "os": "linux",
        "created": created(),
        "config": {
            "User": image.user, "Entrypoint": image.entrypoint, "WorkingDir": image.working_dir,
            "Env": [f"{name}={value}" for name, value in sorted(image.environment.items())],
            "ExposedPorts": {f"{port}/tcp": {} for port in image.ports}, "Labels": image.labels},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in image.layers]},
        "history": [{"created": created(), "created_by": "krypton images"} for _ in image.layers]})


def reference(media_type, data, **more):
    """A descriptor: how one blob names another."""
    return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}


def write_layout(path, blobs, root):
    """An OCI archive of the blobs, whose one entry is the descriptor `root`."""
    files = {f"blobs/sha256/{digest(blob)[7:]}": blob for blob in blobs}
    files |= {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
              "index.json": encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": [root]})}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for file, data in sorted(files.items()):
            info = tarfile.TarInfo(file)
            info.size, info.mtime = len(data), epoch()
            tar.addfile(info, io.BytesIO(data))


def write_archive(image, name, path):
    """Writes the image, to be known as NAME (with its tag), as an OCI archive; returns its manifest's descriptor."""
    config = config_of(image)
    manifest = encode({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": reference(CONFIG, config),
        "layers": [layer.descriptor for layer in image.layers], "annotations": image.labels})
    names = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
    write_layout(path, [config, manifest, *(layer.blob for layer in image.layers)],
                 reference(MANIFEST, manifest, annotations=names))
    return reference(MANIFEST, manifest)


def write_attachment(data, media_type, subject, path):
    """Writes DATA as an artifact that refers to the image SUBJECT; returns the tag under which registries without
    the referrers API look for it. https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
    """
    config = b"{}"
    manifest = encode({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": media_type, "subject": subject,
        "config": reference("application/vnd.oci.empty.v1+json", config), "layers": [reference(media_type, data)]})
    referrers = encode({"schemaVersion": 2, "mediaType": INDEX,
                        "manifests": [reference(MANIFEST, manifest, artifactType=media_type)]})
    write_layout(path, [config, data, manifest, referrers], reference(INDEX, referrers))
    return subject["digest"].replace(":", "-")

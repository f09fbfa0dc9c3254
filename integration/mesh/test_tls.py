"""Mutual TLS between the processes: who has no certificate ends in the handshake."""

import ssl
import subprocess
import time

import grpc
import pytest
from harness.mesh import Mesh
from harness.waiting import eventually

LIST = "/krypton.v1.ControlPlaneService/ListAgents"


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def certificate(folder, name, authority=None):
    """A key and a certificate for 127.0.0.1, signed by `authority` or by itself."""
    key, cert = folder / f"{name}.key", folder / f"{name}.crt"
    extra = ["-CA", folder / f"{authority}.crt", "-CAkey", folder / f"{authority}.key"] if authority else []
    names = ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"] if authority else []
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 2,
            "-subj", f"/CN={name}", "-keyout", key, "-out", cert, *names, *extra)
    return key, cert


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """A mesh all of whose gRPC demands a certificate of one authority; and its folder of keys."""
    folder = tmp_path_factory.mktemp("keys")
    certificate(folder, "ca")
    certificate(folder, "mesh", "ca")
    certificate(folder, "other-ca")
    certificate(folder, "stranger", "other-ca")
    flags = ["--tls-cert", folder / "mesh.crt", "--tls-key", folder / "mesh.key", "--tls-ca", folder / "ca.crt"]
    mesh = Mesh(manager=flags, gateway=flags, control_plane_flags=flags)
    try:
        mesh.start()
        yield mesh, folder
        mesh.stop()
    finally:
        mesh.remove()


def channel(mesh, component, folder=None, name=None, authority="ca"):
    address = mesh.address(component, "grpc")
    if folder is None:
        return grpc.insecure_channel(address)
    parts = [(folder / f"{name}.{kind}").read_bytes() for kind in ("key", "crt")] if name else [None, None]
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(
        (folder / f"{authority}.crt").read_bytes(), *parts))


def test_the_mesh_works_with_tls(secure):
    mesh, folder = secure
    mesh.apply("probe", maxReplicas=1, scaleToZeroAfter="1s")
    assert mesh.call("probe", "/pid").status == 200
    mesh.wait_replicas("probe", 0)

    def listed():
        with channel(mesh, "control_plane", folder, "mesh") as secured:
            return b"probe" in secured.unary_unary(LIST)(b"", timeout=5)
    eventually(listed, 10, "who has a certificate is answered")


@pytest.mark.parametrize("component", ["manager", "gateway", "control_plane"])
def test_strangers_end_in_the_handshake(secure, component):
    mesh, folder = secure
    for way in ({}, {"folder": folder}, {"folder": folder, "name": "stranger"}):
        with channel(mesh, component, **way) as strange, pytest.raises(grpc.RpcError) as refused:
            strange.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=2)
        assert refused.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert mesh.components[component].alive()


def test_certificates_are_turned_without_a_restart(secure):
    mesh, folder = secure
    mesh.apply("turned", maxReplicas=1)
    assert mesh.call("turned", "/pid").status == 200
    host, port = mesh.address("control_plane", "grpc").rsplit(":", 1)
    before = ssl.get_server_certificate((host, port))
    certificate(folder, "mesh", "ca")  # not at once: the key comes before its certificate
    for component in ("manager", "gateway", "control_plane"):
        address = mesh.address(component, "grpc").rsplit(":", 1)
        eventually(lambda to=address: ssl.get_server_certificate(tuple(to)) != before, 10, f"{component} shows the new one")
        assert mesh.components[component].alive()
    assert mesh.call("turned", "/pid").status == 200
    with channel(mesh, "control_plane", folder, "mesh") as secured:
        assert b"turned" in secured.unary_unary(LIST)(b"", timeout=5)


def test_the_end_of_certificates_is_a_series(secure):
    mesh, _ = secure
    for component in ("manager", "gateway", "control_plane"):
        family = mesh.scrape(component).families["krypton_tls_certificate_expiry_timestamp_seconds"]
        ends = {sample.labels["file"]: sample.value for sample in family.samples}
        assert set(ends) == {"cert", "ca"}
        assert all(1.9 * 86400 < end - time.time() < 2.1 * 86400 for end in ends.values()), ends

"""New certificates for a component, as cert-manager would write them into its Secret."""

import base64
import subprocess
import tempfile
from pathlib import Path

from .mesh import SYSTEM


def renew(api, component):
    """Signs a new key with the mesh's authority, for the same names."""
    authority = api.secret(SYSTEM, "krypton-ca")
    name = f"krypton-{component}"
    names = ",".join(f"DNS:{each}" for each in (name, f"{name}.{SYSTEM}", f"{name}.{SYSTEM}.svc",
                                               f"{name}.{SYSTEM}.svc.cluster.local", "localhost"))
    with tempfile.TemporaryDirectory() as folder:
        for file, data in authority.items():
            (Path(folder) / file).write_bytes(data)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "30", "-subj", f"/CN={name}", "-keyout", "tls.key", "-out", "tls.crt", "-CA", "ca.crt",
                        "-CAkey", "ca.key", "-addext", f"subjectAltName={names},IP:127.0.0.1",
                        "-addext", "basicConstraints=critical,CA:FALSE",
                        "-addext", "extendedKeyUsage=serverAuth,clientAuth"],
                       cwd=folder, check=True, capture_output=True)
        data = {file: base64.b64encode((Path(folder) / file).read_bytes()).decode() for file in ("tls.crt", "tls.key")}
    api.merge("secrets", SYSTEM, f"{name}-tls", {"data": data})

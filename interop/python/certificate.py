"""A certification authority and one certificate for the loopback address, made for this run only."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    authority: Path
    certificate: Path
    key: Path


def make(folder: Path) -> Certificate:
    authority_key = folder / "authority.key"
    made = Certificate(folder / "authority.pem", folder / "gateway.pem", folder / "gateway.key")
    ca_extensions = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign")
    leaf_extensions = (
        "basicConstraints=critical,CA:FALSE",
        "extendedKeyUsage=serverAuth",
        "subjectAltName=IP:127.0.0.1,DNS:localhost",
    )
    request(made.authority, authority_key, "tidegate interop authority", ca_extensions)
    request(made.certificate, made.key, "localhost", leaf_extensions, "-CA", made.authority, "-CAkey", authority_key)
    return made


def request(certificate: Path, key: Path, name: str, extensions: tuple[str, ...], *signer: str | Path) -> None:
    command: list[str | Path] = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    # A configuration of our own: the system's would add extensions that contradict these.
    command += ["-noenc", "-days", "2", "-config", "/dev/stdin", "-subj", f"/CN={name}"]
    command += ["-out", certificate, "-keyout", key, *signer]
    for extension in extensions:
        command += ["-addext", extension]
    subprocess.run(
        command, input=b"[req]\ndistinguished_name=dn\n[dn]\n", check=True, capture_output=True, timeout=30
    )

"""Certification authorities and certificates that are made for this run only."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    certificate: Path
    key: Path


class Authority:
    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.certificate = folder / f"{name}.pem"
        self.key = folder / f"{name}.key"
        extensions = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign")
        request(self.certificate, self.key, f"tidegate interop {name}", extensions)

    def issue(self, name: str, *alternatives: str) -> Certificate:
        """A server's certificate for these names, each with its kind before it: `DNS:localhost`, `IP:127.0.0.1`."""
        made = Certificate(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        extensions = (
            "basicConstraints=critical,CA:FALSE",
            "extendedKeyUsage=serverAuth",
            f"subjectAltName={','.join(alternatives)}",
        )
        request(made.certificate, made.key, name, extensions, "-CA", self.certificate, "-CAkey", self.key)
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

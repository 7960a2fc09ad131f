"""An ssh server of the run, which knows one user, by key, and commands through it."""

import asyncio
import getpass
import os
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import AsyncExitStack
from pathlib import Path

import gateway
from services import START_SECONDS_MAX, reachable, stop, until

CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile none
UsePAM no
StrictModes no
AuthorizedKeysFile {folder}/client.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
"""
HOST = "ssh.example"


class Ssh:
    def __init__(self, folder: Path, unpacked: Path) -> None:
        """`folder` is for its keys. `unpacked` has the files of its package where that is not installed."""
        self.folder = folder
        self.unpacked = unpacked
        self.port = gateway.free_port()
        # Of root it would want a user and a folder of the system's. PostgreSQL's user has a shell, and no rights.
        self.owner = "postgres" if os.geteuid() == 0 else None

    async def start(self, stack: AsyncExitStack) -> None:
        if self.owner:
            shutil.chown(self.folder, self.owner)
        for name in ("host", "client"):
            await self.make_key(self.folder / name)
        config = self.folder / "sshd_config"
        config.write_text(CONFIG.format(port=self.port, folder=self.folder) + self.session_programs())
        known = (self.folder / "host.pub").read_text()
        (self.folder / "known_hosts").write_text(f"{HOST} {known}")
        command = [self.server(), "-D", "-f", config, "-E", self.folder / "log"]
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=DEVNULL, user=self.owner)
        stack.push_async_callback(stop, process, signal.SIGTERM)
        await until(process, "sshd", lambda: reachable(self.port))

    async def make_key(self, file: Path) -> None:
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file]
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, user=self.owner)
        async with asyncio.timeout(START_SECONDS_MAX):
            if await process.wait() != 0:
                raise RuntimeError(f"ssh-keygen ended with status {process.returncode}")

    def server(self) -> Path:
        installed = Path("/usr/sbin/sshd")
        return installed if installed.exists() else self.unpacked / "usr/sbin/sshd"

    def session_programs(self) -> str:
        """Since 9.8 it starts others for each connection, and has to be told where they are if not where it expects."""
        folder = self.unpacked / "usr/lib/openssh"
        programs = {"SshdSessionPath": folder / "sshd-session", "SshdAuthPath": folder / "sshd-auth"}
        unpacked = self.server().is_relative_to(self.unpacked)
        return "".join(f"{key} {path}\n" for key, path in programs.items() if unpacked and path.exists())

    async def run(self, way: str, command: str, data: bytes) -> tuple[int, bytes, str]:
        """A command with this input, reached by the command `way`: its status, output, and what ssh says."""
        options = {
            "ProxyCommand": way,
            "UserKnownHostsFile": self.folder / "known_hosts",
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
        }
        ssh = ["ssh", "-F", "none", "-T", "-i", self.folder / "client", "-l", self.owner or getpass.getuser()]
        for name, value in options.items():
            ssh += ["-o", f"{name}={value}"]
        process = await asyncio.create_subprocess_exec(*ssh, HOST, command, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        output, errors = await process.communicate(data)
        return process.returncode, output, errors.decode(errors="replace").strip()

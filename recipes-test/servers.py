"""The servers of a recipe: started, waited for, stopped by their process group."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

LISTEN_SECONDS_MAX = 10
STOP_SECONDS_MAX = 5
LISTENING = "0A"  # the state in /proc/net/tcp


class Failed(Exception):
    """A step of a recipe did not do what the page says."""


@dataclass
class Server:
    command: str
    process: subprocess.Popen[bytes]
    log: Path


class Servers:
    """All servers of one recipe."""

    def __init__(self, folder: Path, logs: Path, environment: dict[str, str], ports: set[int]) -> None:
        self._folder = folder
        self._logs = logs
        self._environment = environment
        self._ports = ports
        self._running: list[Server] = []
        self._started = 0

    def start(self, command: str) -> None:
        """Starts `command` and waits until one more of the recipe's ports listens."""
        before = listening(self._ports)
        self._started += 1
        log = self._logs / f"server-{self._started}.log"
        with log.open("wb") as errors, self.access_log.open("ab") as output:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output if command.startswith("tidegate ") else errors,
                stderr=errors,
                start_new_session=True,
            )
        server = Server(command, process, log)
        self._running.append(server)
        deadline = time.monotonic() + LISTEN_SECONDS_MAX
        while not listening(self._ports) - before:
            if process.poll() is not None:
                raise Failed(f"`{command}` ended with {process.returncode}: {tail(log)}")
            if time.monotonic() > deadline:
                raise Failed(f"`{command}` does not listen after {LISTEN_SECONDS_MAX} s: {tail(log)}")
            time.sleep(0.02)

    def stop(self, name: str) -> str:
        """Stops the server whose command contains `name`, and says what its command was."""
        found = [server for server in self._running if name in server.command]
        if len(found) != 1:
            raise Failed(f"{len(found)} running servers have {name!r} in their command; one is needed")
        self._running.remove(found[0])
        end(found[0].process)
        return found[0].command

    def stop_all(self) -> None:
        while self._running:
            end(self._running.pop().process)

    @property
    def access_log(self) -> Path:
        return self._logs / "access.log"


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the group that we started, SIGKILL if that is not enough."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS_MAX)
            return


def listening(ports: set[int]) -> set[int]:
    """Which of `ports` some process listens at. Asks the kernel: a trial connection would be a client too many."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(FileNotFoundError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING:
                    found.add(int(fields[1].rpartition(":")[2], 16))
    return found & ports


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def tail(log: Path) -> str:
    return " | ".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-4:])

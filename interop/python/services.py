"""Servers that know nothing of WebSockets, each for this run only: Redis at a TCP port, PostgreSQL at a Unix socket."""

import asyncio
import os
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import gateway

START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 10.0


class Redis:
    def __init__(self, password: str = "") -> None:
        self.port = gateway.free_port()
        self.password = password

    async def start(self, stack: AsyncExitStack) -> None:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir", folder]
        if self.password:
            command += ["--requirepass", self.password]
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=DEVNULL)
        stack.push_async_callback(stop, process, signal.SIGTERM)
        await until(process, "redis-server", lambda: reachable(self.port))


class Postgres:
    """Whoever reaches the socket is believed to be USER, and its folder lets nobody else in."""

    USER = "tide"

    def __init__(self, folder: Path) -> None:
        """The folder is for its data, too; its name must be short, as a socket's has to be."""
        self.folder = folder
        self.socket = folder / ".s.PGSQL.5432"

    async def start(self, stack: AsyncExitStack) -> None:
        # It refuses to run as root; its package brings a user for it.
        owner = "postgres" if os.geteuid() == 0 else None
        if owner:
            shutil.chown(self.folder, owner)
        data = self.folder / "data"
        options = {"stdin": DEVNULL, "stdout": DEVNULL, "user": owner, "cwd": self.folder}
        initdb = ["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", f"--username={self.USER}", data]
        made = await asyncio.create_subprocess_exec(program("initdb"), *initdb, stderr=STDOUT, **options)
        async with asyncio.timeout(START_SECONDS_MAX):
            if await made.wait() != 0:
                raise RuntimeError(f"initdb ended with status {made.returncode}")
        server = ["-D", data, "-k", self.folder, "-c", "listen_addresses=", "-c", "fsync=off"]
        process = await asyncio.create_subprocess_exec(program("postgres"), *server, stderr=DEVNULL, **options)
        stack.push_async_callback(stop, process, signal.SIGINT)
        await until(process, "postgres", self.answers)

    async def answers(self) -> bool:
        ready = [program("pg_isready"), "-q", "-h", self.folder]
        return await (await asyncio.create_subprocess_exec(*ready, stdin=DEVNULL)).wait() == 0


def program(name: str) -> Path:
    """The newest PostgreSQL's; Debian does not put a server's programs on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    if not found:
        raise RuntimeError(f"there is no {name} below /usr/lib/postgresql")
    return found[-1]


async def reachable(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def until(process: Process, name: str, answers: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(START_SECONDS_MAX):
        while not await answers():
            if process.returncode is not None:
                raise RuntimeError(f"{name} ended with status {process.returncode}")
            await asyncio.sleep(0.05)


async def stop(process: Process, politely: signal.Signals) -> None:
    if process.returncode is not None:
        return
    process.send_signal(politely)
    try:
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()

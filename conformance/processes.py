"""The programs of a run: the backend, the gateway and the suite; each is started here and ended here."""

import asyncio
import json
import socket
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

# A busy machine is slow to import a suite; one that is broken ends sooner by itself.
START_SECONDS_MAX = 90.0
DRAIN_SECONDS_MAX = 45.0


class Failed(Exception):
    """A program did not do what it is for."""


@asynccontextmanager
async def started(log: Path, *command: str | Path, stdout: int | None = None) -> AsyncIterator[Process]:
    """A program whose output goes to `log`. When the block is left, it has ended."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=output if stdout is None else stdout, stderr=output
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def server(log: Path, *command: str | Path) -> AsyncIterator[tuple[Process, int]]:
    """A server that chooses its port and prints it, and that port."""
    async with started(log, *command, stdout=PIPE) as process:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                line = await process.stdout.readline()
        except TimeoutError:
            raise Failed(f"{log.stem} says nothing within {START_SECONDS_MAX:.0f} s; see {log.name}") from None
        if not line:
            raise Failed(f"{log.stem} does not start; see {log.name}")
        yield process, int(line)


@asynccontextmanager
async def gateway(binary: Path, config: Path, log: Path) -> AsyncIterator[tuple[Process, int]]:
    """The gateway under test, listening, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with started(log, binary, "serve", "-c", config, "--listen", f"127.0.0.1:{port}") as process:
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                await until_listening(process, port)
        except TimeoutError:
            raise Failed(f"the gateway does not listen after {START_SECONDS_MAX:.0f} s; see {log.name}") from None
        yield process, port


async def until_listening(process: Process, port: int) -> None:
    while True:
        if process.returncode is not None:
            raise Failed(f"the gateway ended with status {process.returncode} instead of listening")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


async def drain(process: Process) -> None:
    """The gateway must be there after the last case, and leave in good order when it is told to."""
    if process.returncode is not None:
        raise Failed(f"it ended by itself, with status {process.returncode}")
    process.terminate()
    try:
        async with asyncio.timeout(DRAIN_SECONDS_MAX):
            status = await process.wait()
    except TimeoutError:
        raise Failed(f"still there {DRAIN_SECONDS_MAX:.0f} s after SIGTERM") from None
    if status != 0:
        raise Failed(f"SIGTERM ended it with status {status}")


async def fuzzing_client(suite: Path, url: str, cases: list[str], folder: Path) -> None:
    """The suite as a client: runs `cases` against the server at `url`; its report is then in `folder`."""
    spec = write_spec(folder, cases, servers=[{"agent": "tidegate", "url": url}])
    async with started(folder / "suite.log", suite / "wstest", "-m", "fuzzingclient", "-s", spec) as process:
        status = await process.wait()
    if status != 0:
        raise Failed(f"the suite ended with status {status}; see {folder.name}/suite.log")


async def fuzzing_server(
    suite: Path, program: Path, client: Sequence[str | Path], cases: list[str], folder: Path
) -> None:
    """The suite as a server: `client` calls it for each of `cases`; its report is then in `folder`."""
    spec = write_spec(folder, cases)
    async with (
        server(folder / "suite.log", suite / "python2.7", program, spec) as (_, port),
        started(folder / "client.log", *client, f"127.0.0.1:{port}") as process,
    ):
        status = await process.wait()
    if status != 0:
        raise Failed(f"the client ended with status {status}; see {folder.name}/client.log")


def write_spec(folder: Path, cases: list[str], **role: object) -> Path:
    folder.mkdir(parents=True)
    spec = folder / "spec.json"
    common = {"outdir": str(folder), "cases": cases, "exclude-cases": [], "exclude-agent-cases": {}}
    spec.write_text(json.dumps(common | role))
    return spec

"""`tidegate connect` as a process: its start, what it says, and its end."""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from report import Failed, equal

LISTENING = "listening on tcp://127.0.0.1:"


async def start(binary: Path, *arguments: str | Path) -> Process:
    command = (binary, "connect", "--no-proxy", *arguments)
    return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE)


class Connector:
    """One that listens at a local port."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.port = 0
        self.lines: list[str] = []
        self.news = asyncio.Condition()

    async def read(self) -> None:
        """Takes down all that it says, so that it never waits for a reader."""
        while line := (await self.process.stderr.readline()).decode():
            async with self.news:
                self.lines.append(line.rstrip())
                self.news.notify_all()

    async def says(self, text: str) -> str:
        """The first line with this text; the time for it is that of the check."""
        async with self.news:
            await self.news.wait_for(lambda: any(text in line for line in self.lines))
        return next(line for line in self.lines if text in line)


@asynccontextmanager
async def listening(binary: Path, *flags: str | Path, url: str = "") -> AsyncIterator[Connector]:
    """At a free port, until the end of the block; then ended by SIGTERM. Without `url` a description among `flags`."""
    process = await start(binary, *flags, "tcp://127.0.0.1:0", *filter(None, (url,)))
    connector = Connector(process)
    reader = asyncio.create_task(connector.read())
    try:
        said = asyncio.create_task(connector.says(LISTENING))
        await asyncio.wait((reader, said), return_when=asyncio.FIRST_COMPLETED)
        if not said.done():
            said.cancel()
            raise Failed(f"`tidegate connect` does not listen: {connector.lines}")
        connector.port = int(said.result().split(LISTENING)[1].split(";")[0])
        yield connector
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await reader
    equal("exit status after SIGTERM", process.returncode, 0)

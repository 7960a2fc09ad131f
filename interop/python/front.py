"""A web server of others in front of the gateway, as a process of the run."""

import asyncio
import signal
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path

import gateway


class Front:
    """Its configuration stands in `folder` already, and so will its log."""

    def __init__(self, command: list[str | Path], folder: Path, port: int) -> None:
        self.command = command
        self.log = folder / "front.log"
        self.port = port
        self.process: Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                *self.command, stdin=DEVNULL, stdout=output, stderr=output
            )
        async with asyncio.timeout(gateway.START_SECONDS_MAX):
            await gateway.until_listening(gateway.Gateway(self.process, self.log, {}), self.port)

    async def stop(self) -> None:
        """By a signal that it can hear: its workers would outlive a killed master."""
        if self.process and self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            await self.process.wait()

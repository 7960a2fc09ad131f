"""The gateway under test: its configuration, its start, and its end by process id."""

import asyncio
import json
import random
import signal
import socket
from asyncio.subprocess import Process
from dataclasses import dataclass
from pathlib import Path

START_SECONDS_MAX = 20.0
DRAIN_SECONDS_MAX = 45.0


@dataclass
class Gateway:
    process: Process
    log: Path
    ports: dict[str, int]
    """Name of a listener → its port."""

    def alive(self) -> bool:
        return self.process.returncode is None

    async def drain(self) -> int:
        """Tells the gateway to end in good order; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(DRAIN_SECONDS_MAX):
            return await self.process.wait()

    async def kill(self) -> None:
        if self.alive():
            self.process.kill()
            await self.process.wait()

    def diagnosis(self) -> list[str]:
        """What it told the operator; access lines, which are JSON, are not among it."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if not line.startswith("{")]

    def access_lines(self) -> list[dict[str, object]]:
        lines = self.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def log_tail(self, lines: int = 20) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


async def start(binary: Path, config: Path, ports: dict[str, int]) -> Gateway:
    """`ports` are those of the configuration's listeners; the log stands beside it."""
    log = config.with_suffix(".log")
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            binary, "serve", "-c", config, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
        )
    gateway = Gateway(process, log, ports)
    try:
        async with asyncio.timeout(START_SECONDS_MAX):
            for port in ports.values():
                await until_listening(gateway, port)
    except TimeoutError:
        await gateway.kill()
        raise RuntimeError(f"the gateway does not listen after {START_SECONDS_MAX:.0f} s\n{gateway.log_tail()}") from None
    return gateway


async def until_listening(gateway: Gateway, port: int) -> None:
    while True:
        if not gateway.alive():
            raise RuntimeError(f"the gateway ended with status {gateway.process.returncode}\n{gateway.log_tail()}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


def free_port() -> int:
    """A port below the ephemeral range, so that no outgoing connection of anybody takes it before the gateway does."""
    for _ in range(100):
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port between 20000 and 32000")

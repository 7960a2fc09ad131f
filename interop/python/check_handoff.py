"""Connections that are handed over to another process: `examples/handoff.py`, as it is."""

import asyncio
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

import gateway
import payload
from report import Check, equal, same_bytes
from stage import Stage

EXAMPLE = Path(__file__).parents[2] / "examples" / "handoff.py"
AT_ONCE = 20


def checks(stage: Stage) -> Iterator[Check]:
    yield Check("handoff: the example in Python takes connections over, and keeps them", partial(handed_over, stage))


async def handed_over(stage: Stage) -> None:
    async with AsyncExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()), "handoff.sock")
        await start_example(stack, place)
        port = gateway.free_port()
        config = stage.folder / "handoff.toml"
        config.write_text(
            f'[[listener]]\naddress = "127.0.0.1:{port}"\n[[route]]\npath = "/*"\nbackend = "handoff:unix:{place}"\n'
        )
        running = await gateway.start(stage.binary, config, {"ws": port})
        stack.push_async_callback(running.kill)
        clients = [
            await stack.enter_async_context(connect(f"ws://127.0.0.1:{port}/{n}", compression=None, proxy=None))
            for n in range(AT_ONCE)
        ]
        await asyncio.gather(*map(exchange, clients))
        # They are the other process's alone now.
        equal("exit status", await running.drain(), 0)
        await asyncio.gather(*map(exchange, clients))
        for client in clients:
            await client.close(4000, "done")
            equal("the echo of the Close", (client.close_code, client.close_reason), (4000, "done"))


async def exchange(client: ClientConnection) -> None:
    await client.send("grüße")
    equal("text", await client.recv(), "grüße")
    for size in (0, 125, 126, 65_535, 65_536):
        sent = payload.binary(size, size)
        await client.send(sent)
        same_bytes(f"{size} bytes", await client.recv(), sent)
    await client.send(["in ", "three ", "pieces"])
    equal("fragments", await client.recv(), "in three pieces")
    await (await client.ping())


async def start_example(stack: AsyncExitStack, place: Path) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, EXAMPLE, place, stdin=DEVNULL, stdout=PIPE)
    stack.push_async_callback(end, process)
    async with asyncio.timeout(20):
        equal("the example says", await process.stdout.readline(), f"waiting at {place}\n".encode())


async def end(process: Process) -> None:
    process.kill()
    await process.wait()

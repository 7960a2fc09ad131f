"""Sockets that systemd's own tool opens: the gateway starts with the first client, who waits for it. And the units."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from websockets.asyncio.client import connect

import gateway
from report import Check, equal
from stage import Stage

UNITS = Path(__file__).parents[2] / "packaging" / "systemd"


def checks(stage: Stage) -> Iterator[Check]:
    for how, address in (("name", "systemd:web"), ("address", "127.0.0.1:{port}")):
        yield Check(f"systemd-socket-activate: a socket by its {how}", partial(activated, stage, address))
    yield Check("systemd-analyze: nothing to complain about in the units", partial(units, stage))


async def activated(stage: Stage, address: str) -> None:
    port = gateway.free_port()
    config = stage.folder / "systemd.toml"
    listener = f'[[listener]]\naddress = "{address.format(port=port)}"\n'
    config.write_text(f'{listener}[[route]]\npath = "/echo"\nbackend = "echo:"\n')
    command = ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", "--fdname=web", stage.binary]
    async with AsyncExitStack() as stack:
        log = stack.enter_context((stage.folder / "systemd.log").open("wb"))
        process = await asyncio.create_subprocess_exec(
            *command, "serve", "-c", config, stdin=DEVNULL, stdout=log, stderr=log
        )
        running = gateway.Gateway(process, stage.folder / "systemd.log", {"ws": port})
        stack.push_async_callback(running.kill)
        async with asyncio.timeout(gateway.START_SECONDS_MAX):
            await gateway.until_listening(running, port)
        async with connect(f"ws://127.0.0.1:{port}/echo", proxy=None, compression=None) as client:
            await client.send("ahoy")
            equal("echo", await client.recv(), "ahoy")
        equal("exit status", await running.drain(), 0)


async def units(stage: Stage) -> None:
    """As they are, but for the place of the binary, which systemd looks for."""
    folder = stage.folder / "units"
    folder.mkdir(exist_ok=True)
    for unit in UNITS.iterdir():
        (folder / unit.name).write_text(unit.read_text().replace("/usr/bin/tidegate", str(stage.binary.absolute())))
    command = ["systemd-analyze", "verify", *folder.iterdir()]
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
    said, _ = await process.communicate()
    equal("what systemd-analyze has to say", (said.decode(), process.returncode), ("", 0))

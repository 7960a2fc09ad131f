"""The backend's process is killed while data flows: its clients are told, nobody else is disturbed, and while it is
gone newcomers get 502; as soon as it is back, they are served."""

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import get_args

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

import victim
from check_relay import read_stream
from report import Check, Failed, equal, same_bytes
from stage import SCHEMES, Stage
from watcher import Habit, Watcher

KINDS = ("tcp", "websocket")
WATCHERS_PER_HABIT = 5
CANARY_PATHS = ("/tcp", "/python/echo")
TRIPS_MEANWHILE = 20


def checks(stage: Stage) -> Iterator[Check]:
    for scheme in SCHEMES:
        for kind in KINDS:
            yield Check(f"killed: {kind} backend, clients by {scheme}", partial(killed, stage, scheme, kind))


async def killed(stage: Stage, scheme: str, kind: str) -> None:
    async with AsyncExitStack() as stack:
        canaries = [await start_canary(stack, stage, scheme, path) for path in CANARY_PATHS]
        await gone(stage, scheme, kind)
        process = await start_victim(stack, stage, kind)
        await serves(stage, scheme, kind)

        await while_killed(stage, scheme, kind, process)
        await gone(stage, scheme, kind)
        for canary in canaries:
            await canary.more(TRIPS_MEANWHILE)
        await gone(stage, scheme, kind)

        await start_victim(stack, stage, kind)
        await serves(stage, scheme, kind)
        for canary in canaries:
            await canary.end()


async def while_killed(stage: Stage, scheme: str, kind: str, process: Process) -> None:
    port, tls = stage.port(scheme), stage.tls(scheme)
    habits = get_args(Habit) * WATCHERS_PER_HABIT
    watchers = [await Watcher.open(port, tls, f"/victim/{kind}", kind, habit) for habit in habits]
    async with asyncio.TaskGroup() as group:
        for watcher in watchers:
            group.create_task(watcher.run())
        for watcher in watchers:
            await watcher.under_way()
        process.send_signal(signal.SIGKILL)
        await process.wait()
        for watcher in watchers:
            watcher.killed.set()
    for watcher in watchers:
        watcher.check()


async def gone(stage: Stage, scheme: str, kind: str) -> None:
    try:
        async with stage.connect(scheme, f"/victim/{kind}/{victim.ECHO}"):
            raise Failed("a connection to a backend that is not there")
    except InvalidStatus as refusal:
        equal("status without the backend", refusal.response.status_code, 502)


async def serves(stage: Stage, scheme: str, kind: str) -> None:
    async with stage.connect(scheme, f"/victim/{kind}/{victim.ECHO}") as client:
        if kind == "tcp":
            await client.send(victim.ECHO)
        await client.send(victim.BLOCK[:1000])
        same_bytes("echo", await read_stream(client, 1000), victim.BLOCK[:1000])


async def start_victim(stack: AsyncExitStack, stage: Stage, kind: str) -> Process:
    script = Path(__file__).with_name("victim.py")
    command = [sys.executable, script, kind, str(stage.victims[kind])]
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE)
    stack.push_async_callback(end_victim, process)
    async with asyncio.timeout(20):
        equal("the victim says", await process.stdout.readline(), b"listening\n")
    return process


async def end_victim(process: Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


class Canary:
    """Round trips without a pause on somebody else's route; an error of it is one of `more` or `end`."""

    def __init__(self, client: ClientConnection) -> None:
        self.client = client
        self.trips = 0
        self.changed = asyncio.Event()
        self.task = asyncio.create_task(self.run())

    async def run(self) -> None:
        try:
            while True:
                data = self.trips.to_bytes(100)
                await self.client.send(data)
                same_bytes("the canary's echo", await read_stream(self.client, 100), data)
                self.trips += 1
                self.changed.set()
        finally:
            self.changed.set()

    async def more(self, trips: int) -> None:
        wanted = self.trips + trips
        while self.trips < wanted and not self.task.done():
            self.changed.clear()
            await self.changed.wait()
        if self.task.done():
            await self.task

    async def end(self) -> None:
        await self.more(1)
        self.task.cancel()
        await asyncio.wait([self.task])
        await self.client.close()
        equal("the canary's ending", self.client.close_code, 1000)


async def start_canary(stack: AsyncExitStack, stage: Stage, scheme: str, path: str) -> Canary:
    canary = Canary(await stack.enter_async_context(stage.connect(scheme, path)))
    stack.callback(canary.task.cancel)
    return canary

"""One run of the abrupt ends: a gateway of its own, all connections at once, and what was wrong with each."""

import asyncio
import contextlib
import itertools
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import gateway
import raw_websocket
from abrupt_backends import Backends
from abrupt_oracle import Oracle
from abrupt_peer import Peer
from abrupt_plan import Plan
from gateway import Gateway
from report import reason
from stage import SCHEMES, Stage

CONFIGURATION = """
[[listener]]
address = "127.0.0.1:{ws}"

[[listener]]
address = "127.0.0.1:{wss}"
tls = {{ cert = "{certificate}", key = "{key}" }}

[[route]]
path = "/tcp/*"
backend = "tcp://127.0.0.1:{tcp}"
ping_interval = 0

[[route]]
path = "/websocket/*"
backend = "ws://127.0.0.1:{websocket}"
ping_interval = 0
"""
"""Without pings: nobody here answers them."""

WARM_UP = 32
"""Connections at once, enough for every thread of the gateway to get some."""

OPENING_AT_ONCE = 64
"""This one process makes the handshakes of both sides, and the gateway does not wait for them without end."""

SETTLE_SECONDS_MAX = 15.0
"""More than the gateway's longest wait for a peer that has gone."""


@dataclass
class Results:
    complaints: dict[int, list[str]] = field(default_factory=dict)
    """By the number of the connection."""
    descriptors: tuple[int, int] = (0, 0)
    """Open in the gateway before the run, and after it."""
    status: int | None = None
    """The gateway's exit status, after TERM."""


async def run(stage: Stage, plans: dict[int, Plan]) -> Results:
    results = Results()
    async with AsyncExitStack() as stack:
        backends = Backends(plans)
        await backends.start(stack)
        running = await start_gateway(stack, stage, backends.ports)
        idle = sockets(running)

        # The gateway's threads begin in their own time: the level is what is left when each has served somebody.
        await wave(stage, running, backends, dict(itertools.islice(plans.items(), WARM_UP)))
        await until(lambda: sockets(running) <= idle)
        level = len(descriptors(running))

        results.complaints = await wave(stage, running, backends, plans)
        await until(lambda: len(descriptors(running)) <= level)
        results.descriptors = level, len(descriptors(running))
        results.status = await running.drain()
    return results


async def wave(
    stage: Stage, running: Gateway, backends: Backends, plans: dict[int, Plan]
) -> dict[int, list[str]]:
    """All of them are open before the first says anything. What was wrong, by number."""
    backends.begin()
    opening = asyncio.Semaphore(OPENING_AT_ONCE)
    clients = await asyncio.gather(*(open_client(stage, running, plan, opening) for plan in plans.values()))
    backends.go.set()
    failures = await asyncio.gather(*(play(client) for client in clients))
    await backends.all_done()
    complaints = {}
    for (number, plan), client, failure in zip(plans.items(), clients, failures):
        seen = [complaint for complaint in (failure, backends.failures.get(number)) if complaint]
        complaints[number] = seen or list(Oracle(plan, client, backends.peers.get(number)).complaints())
    return complaints


async def start_gateway(stack: AsyncExitStack, stage: Stage, backend_ports: dict[str, int]) -> Gateway:
    ports = {scheme: gateway.free_port() for scheme in SCHEMES}
    own = {"certificate": stage.certificate.certificate, "key": stage.certificate.key}
    config = stage.folder / "abrupt.toml"
    config.write_text(CONFIGURATION.format(**ports, **backend_ports, **own))
    running = await gateway.start(stage.binary, config, ports)
    stack.push_async_callback(running.kill)
    return running


async def open_client(stage: Stage, running: Gateway, plan: Plan, opening: asyncio.Semaphore) -> Peer:
    port, path = running.ports[plan.scheme], f"/{plan.kind}/{plan.number}"
    async with opening:
        opened = await raw_websocket.open(port, stage.tls(plan.scheme), path, plan.client.narrow)
    return Peer(plan, plan.client, plan.backend, *opened)


async def play(client: Peer) -> str | None:
    try:
        await client.run()
    except Exception as error:  # noqa: BLE001 — whatever it stumbles over is this connection's result
        return f"at the client: {reason(error)}"


def descriptors(running: Gateway) -> list[str]:
    """What each of the gateway's stands for; one that is closed while we look is not among them."""
    folder = Path(f"/proc/{running.process.pid}/fd")
    found = []
    for entry in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(entry))
    return found


def sockets(running: Gateway) -> set[str]:
    return {name for name in descriptors(running) if name.startswith("socket:")}


async def until(condition: Callable[[], bool]) -> None:
    """Or until the end of patience: whoever asks looks for himself what came of it."""
    for _ in range(int(SETTLE_SECONDS_MAX / 0.05)):
        if condition():
            return
        await asyncio.sleep(0.05)

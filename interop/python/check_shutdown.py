"""TERM: everybody is told 1001, clients and WebSocket backends alike, and the gateway ends with status 0. Comes last."""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from report import Check, equal
from stage import SCHEMES, WEBSOCKET_BACKENDS, Stage

CLIENTS_PER_KIND = 10


def checks(stage: Stage) -> Iterator[Check]:
    yield Check("python: SIGTERM closes every connection with 1001 and ends with status 0", partial(shutdown, stage))


async def shutdown(stage: Stage) -> None:
    backends: list[tuple[str, str]] = []
    async with AsyncExitStack() as stack:
        clients = []
        for scheme in SCHEMES:
            for _ in range(CLIENTS_PER_KIND):
                clients.append(await stack.enter_async_context(stage.connect(scheme, "/tcp")))
                for backend in WEBSOCKET_BACKENDS:
                    backends.append((backend, uuid.uuid4().hex))
                    path = f"/{backend}/echo?id={backends[-1][1]}"
                    clients.append(await stack.enter_async_context(stage.connect(scheme, path)))
        # Each is relayed, not merely accepted, when the signal comes.
        for client in clients:
            await client.send(b"here")
            equal("echo", await client.recv(), b"here")
        codes, status = await asyncio.gather(asyncio.gather(*map(close_code, clients)), stage.gateway.drain())
    equal("clients' close codes", codes, [1001] * len(clients))
    equal("exit status", status, 0)
    endings = [(await stage.websocket[backend].endings.of(id_))[0] for backend, id_ in backends]
    equal("WebSocket backends' close codes", endings, [1001] * len(backends))


async def close_code(client: ClientConnection) -> int | None:
    try:
        await client.recv()
    except ConnectionClosed:
        pass
    return client.close_code

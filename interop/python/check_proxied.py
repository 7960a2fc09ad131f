"""Behind nginx, which ends TLS: the gateway believes what it says about the client, and what nobody else says."""

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial

from websockets.asyncio.client import connect

import nginx
import payload
from check_front import refusal
from check_relay import read_stream
from configuration import PROXY_ADDRESS
from report import Check, equal, same_bytes
from stage import Stage

CLIENT_ADDRESS = "127.0.0.3"
INVENTED = "192.0.2.1"


def checks(stage: Stage) -> Iterator[Check]:
    for title, run in (
        ("1 MiB there and back, to TCP and to WebSocket", relayed),
        ("the same-origin check is about the browser's origin", same_origin),
        ("the backend is told the whole way of the request", forwarded),
    ):
        yield Check(f"behind nginx: {title}", partial(behind_nginx, stage, run))
    yield Check("trusted_proxies: nobody else is believed", partial(not_believed, stage))


async def behind_nginx(stage: Stage, run: Callable[[Stage, int], Awaitable[None]]) -> None:
    async with AsyncExitStack() as stack:
        port = await nginx.start(stack, stage.folder, stage.certificate, stage.port("proxied"))
        await run(stage, port)


def dial(stage: Stage, port: int, path: str, **options: object) -> connect:
    options |= {"ssl": stage.tls("wss"), "proxy": None, "local_addr": (CLIENT_ADDRESS, 0), "max_size": None}
    return connect(f"wss://localhost:{port}{path}", host="127.0.0.1", port=port, compression=None, **options)


async def relayed(stage: Stage, port: int) -> None:
    data = payload.binary("proxied", payload.MIB)
    for path in ("/tcp", "/python/echo", "/aiohttp/echo"):
        async with dial(stage, port, path) as client:
            await client.send(data)
            same_bytes(f"echo from {path}", await read_stream(client, len(data)), data)
            await client.close(4000, "enough")
        equal(f"close code from {path}", client.close_code, 4000)


async def same_origin(stage: Stage, port: int) -> None:
    own = f"https://localhost:{port}"
    for origin, status in (
        (own, 101),
        (own.replace("https", "http"), 403),
        ("https://localhost", 403),
        (f"http://127.0.0.1:{stage.port('proxied')}", 403),
        ("https://evil.example", 403),
        ("null", 403),
    ):
        for path in ("/tcp", "/python/echo"):
            equal(f"{path} from a page of {origin}", await refusal(dial(stage, port, path, origin=origin)), status)


async def forwarded(stage: Stage, port: int) -> None:
    said = {"X-Forwarded-For": INVENTED, "X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "evil.example"}
    async with dial(stage, port, "/python/headers", additional_headers=said) as client:
        seen = fields(await client.recv())
    wanted = {
        "x-forwarded-for": [f"{INVENTED}, {CLIENT_ADDRESS}, {PROXY_ADDRESS}"],
        "x-forwarded-proto": ["https"],
        "x-forwarded-host": [f"localhost:{port}"],
        "x-forwarded-port": [str(port)],
    }
    equal("fields", {name: seen.get(name) for name in wanted}, wanted)


async def not_believed(stage: Stage) -> None:
    said = {"X-Forwarded-For": INVENTED, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "localhost"}
    url = f"ws://127.0.0.1:{stage.port('proxied')}/python/headers"

    def attempt(**options: object) -> connect:
        return connect(url, proxy=None, local_addr=(CLIENT_ADDRESS, 0), additional_headers=said, **options)

    async with attempt() as client:
        seen = fields(await client.recv())
    equal("X-Forwarded-For", seen["x-forwarded-for"], [CLIENT_ADDRESS])
    equal("X-Forwarded-Proto", seen["x-forwarded-proto"], ["http"])
    equal("from a page of the host that it only says it has", await refusal(attempt(origin="https://localhost")), 403)


def fields(told: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in json.loads(told)["headers"]:
        found.setdefault(name.lower(), []).append(value)
    return found

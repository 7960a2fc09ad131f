"""Backends behind TLS: what a route is told about their certificate is what counts, and no other one is believed."""

import json
import ssl
from collections.abc import Iterator
from functools import partial

import aiohttp
from websockets.exceptions import InvalidStatus

import payload
from check_relay import read_stream
from configuration import TLS_BACKENDS, TRUST
from report import Check, Failed, equal, same_bytes
from stage import Stage

REFUSED = ("stranger", "misnamed")


def checks(stage: Stage) -> Iterator[Check]:
    for kind in TLS_BACKENDS:
        for case in TRUST:
            path = f"/{kind}/{case}"
            if case in REFUSED:
                yield Check(f"{kind}:// backend, {case}: 502", partial(refused, stage, f"{path}/echo"))
            else:
                yield Check(f"{kind}:// backend, {case}: 300 kB there and back", partial(served, stage, f"{path}/echo"))
    yield Check("https:// backend: plain requests too", partial(plain_requests, stage))
    yield Check("backend_tls = { verify = false } is warned about", partial(warned, stage))


async def served(stage: Stage, path: str) -> None:
    data = payload.binary(path, 300_000)
    async with stage.connect("ws", path) as client:
        await client.send(data)
        same_bytes("echo", await read_stream(client, len(data)), data)
    equal("close code", client.close_code, 1000)


async def refused(stage: Stage, path: str) -> None:
    try:
        async with stage.connect("ws", path):
            raise Failed("connected to a backend with the wrong certificate")
    except InvalidStatus as error:
        equal("status", error.response.status_code, 502)


async def plain_requests(stage: Stage) -> None:
    tls = ssl.create_default_context(cafile=stage.authority)
    async with aiohttp.ClientSession(f"https://127.0.0.1:{stage.port('wss')}") as session:
        for case in TRUST:
            async with session.get(f"/https/{case}/headers", ssl=tls) as response:
                equal(f"status of {case}", response.status, 502 if case in REFUSED else 200)
                if case not in REFUSED:
                    seen = {name.lower(): value for name, value in json.loads(await response.text())["headers"]}
                    equal("X-Forwarded-Proto", seen.get("x-forwarded-proto"), "https")


async def warned(stage: Stage) -> None:
    for kind in TLS_BACKENDS:
        route = f"/{kind}/unverified/*"
        warnings = [line for line in stage.gateway.diagnosis() if "verify = false" in line and route in line]
        equal(f"warnings about {route}", len(warnings), 1)

"""Plain HTTP through an `http://` route, asked for with curl: the same route and backend that serve WebSockets."""

import json
import uuid
from collections.abc import Iterator
from functools import partial

import payload
from curl import curl, spawn
from report import Check, digest, equal, same_bytes
from stage import Stage

SCHEMES = {"http": "ws", "https": "wss"}
DATA_BYTES = 10_000_000


def checks(stage: Stage) -> Iterator[Check]:
    for scheme, listener in SCHEMES.items():
        url = f"{scheme}://127.0.0.1:{stage.port(listener)}/aiohttp"
        for title, run in (
            ("GET and HEAD of 10 MB", download),
            ("POST of 10 MB", upload),
            ("POST of 10 MB in chunks", upload_in_chunks),
            ("an answer reaches the client while it is still being made", stream),
            ("404 is the backend's own", missing),
            ("fields are passed on and added", fields),
        ):
            yield Check(f"curl {scheme}: {title}", partial(run, stage, url))


async def download(stage: Stage, url: str) -> None:
    data = payload.binary("curl", DATA_BYTES)
    address = f"{url}/bytes?seed=curl&size={DATA_BYTES}"
    answer = await curl(stage, address)
    equal("status", answer.status, 200)
    equal("length", answer.fields.get("content-length"), str(DATA_BYTES))
    same_bytes("body", answer.body, data)
    head = await curl(stage, address, "--head")
    equal("HEAD", (head.status, head.fields.get("content-length"), head.body), (200, str(DATA_BYTES), b""))


async def upload(stage: Stage, url: str) -> None:
    await post(stage, url, str(DATA_BYTES), None)


async def upload_in_chunks(stage: Stage, url: str) -> None:
    await post(stage, url, None, "chunked", "--header", "Transfer-Encoding: chunked")


async def post(stage: Stage, url: str, length: str | None, coding: str | None, *options: str) -> None:
    data = payload.binary("post", DATA_BYTES)
    answer = await curl(stage, f"{url}/digest", "--data-binary", "@-", *options, data=data)
    equal("status", answer.status, 200)
    size, sha256 = digest(data)
    wanted = {"bytes": size, "sha256": sha256, "length": length, "coding": coding}
    equal("at the backend", json.loads(answer.body), wanted)


async def stream(stage: Stage, url: str) -> None:
    """The backend sends the last part only after the client has shown that it has the first."""
    id_ = uuid.uuid4().hex
    process = await spawn(stage, f"{url}/stream?id={id_}")
    equal("first part", await process.stdout.readexactly(5), b"first")
    equal("status of the release", (await curl(stage, f"{url}/release?id={id_}")).status, 204)
    equal("rest", await process.stdout.read(), b"last")
    equal("status of curl", await process.wait(), 0)


async def missing(stage: Stage, url: str) -> None:
    answer = await curl(stage, f"{url}/missing")
    equal("status and body", (answer.status, answer.body), (404, b"the backend's own words"))
    equal("field", answer.fields.get("x-backend"), "aiohttp")


async def fields(stage: Stage, url: str) -> None:
    said = ("Cookie: a=1; b=2", "X-Own: kept", "X-Secret: dropped", "Connection: X-Secret")
    said += ("X-Forwarded-For: 192.0.2.1",)
    options = [part for field in said for part in ("--header", field)]
    answer = await curl(stage, f"{url}/headers?q=%20x", *options)
    told = json.loads(answer.body)
    seen = {name.lower(): value for name, value in told["headers"]}
    wanted = {
        "cookie": "a=1; b=2",
        "x-own": "kept",
        "x-secret": None,
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": url.partition(":")[0],
    }
    equal("fields", {name: seen.get(name) for name in wanted}, wanted)
    equal("path and query", told["path"], "/aiohttp/headers?q=%20x")

"""What only a WebSocket backend can show: the handshake, extensions and the Close are the endpoints' own affair."""

import json
import uuid
from collections.abc import Iterator
from functools import partial
from urllib.parse import quote

from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import PerMessageDeflate

import payload
from backends import SUBPROTOCOL
from report import Check, Failed, equal
from stage import SCHEMES, WEBSOCKET_BACKENDS, Stage

CLOSINGS = ((1000, ""), (1000, "done"), (1001, "going away"), (3000, "prêt"), (4999, "last of the private codes"))


def checks(stage: Stage) -> Iterator[Check]:
    for scheme in SCHEMES:
        for backend in WEBSOCKET_BACKENDS:
            name = f"python {scheme} to {backend} backend"
            for code, why in CLOSINGS:
                yield Check(f"{name}: client closes {code} {why!r}", partial(client_closes, stage, scheme, backend, code, why))
                yield Check(f"{name}: backend closes {code} {why!r}", partial(backend_closes, stage, scheme, backend, code, why))
            yield Check(f"{name}: client vanishes", partial(client_vanishes, stage, scheme, backend))
            yield Check(f"{name}: subprotocol is the backend's choice", partial(subprotocol, stage, scheme, backend))
            yield Check(f"{name}: permessage-deflate end to end", partial(deflate, stage, scheme, backend))
            yield Check(f"{name}: cookies, path and X-Forwarded-*", partial(headers, stage, scheme, backend))


async def client_closes(stage: Stage, scheme: str, backend: str, code: int, why: str) -> None:
    id_ = uuid.uuid4().hex
    async with stage.connect(scheme, f"/{backend}/echo?id={id_}") as client:
        await client.send("one")
        equal("echo", await client.recv(), "one")
        await client.close(code, why)
    equal("at the backend", await stage.websocket[backend].endings.of(id_), (code, why))
    equal("answer to the client", (client.close_code, client.close_reason), (code, why))


async def backend_closes(stage: Stage, scheme: str, backend: str, code: int, why: str) -> None:
    async with stage.connect(scheme, f"/{backend}/close?code={code}&reason={quote(why)}") as client:
        equal("the message before the Close", await client.recv(), "last words")
        try:
            raise Failed(f"another message: {await client.recv()!r}")
        except ConnectionClosed:
            pass
    equal("at the client", (client.close_code, client.close_reason), (code, why))


async def client_vanishes(stage: Stage, scheme: str, backend: str) -> None:
    """No Close of the client's: none may be invented for the backend, which then reports 1006."""
    id_ = uuid.uuid4().hex
    async with stage.connect(scheme, f"/{backend}/echo?id={id_}") as client:
        await client.send("one")
        equal("echo", await client.recv(), "one")
        client.transport.abort()
        equal("at the backend", await stage.websocket[backend].endings.of(id_), (1006, ""))


async def subprotocol(stage: Stage, scheme: str, backend: str) -> None:
    path = f"/{backend}/echo"
    async with stage.connect(scheme, path, subprotocols=["unheard-of", SUBPROTOCOL]) as client:
        equal("selected", client.subprotocol, SUBPROTOCOL)
    async with stage.connect(scheme, path) as client:
        equal("selected from no offer", client.subprotocol, None)


async def deflate(stage: Stage, scheme: str, backend: str) -> None:
    """The long message is far over the route's `max_message`, which counts bytes on the wire: only compressed it passes."""
    short = [payload.text(number, 2000) for number in range(20)]
    long = payload.text("repeated", 1000) * 4000
    if len(long.encode()) < 8 * payload.MIB:
        raise Failed("the long message must be longer")
    async with stage.connect(scheme, f"/{backend}/echo", compression="deflate") as client:
        equal("extensions", [type(extension) for extension in client.protocol.extensions], [PerMessageDeflate])
        for text in (*short, long, *short):
            await client.send(text)
            equal("echo is the text that was sent", await client.recv() == text, True)
        data = payload.binary("deflate", 100_000)
        await client.send(data)
        equal("echo is the data that was sent", await client.recv() == data, True)


async def headers(stage: Stage, scheme: str, backend: str) -> None:
    path = f"/{backend}/headers?a=1&b=%20two"
    # An untrusted client must not be able to choose what the backend takes for its address.
    said = {"Cookie": "session=abc; theme=dark", "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "gopher"}
    async with stage.connect(scheme, path, additional_headers=said) as client:
        seen = json.loads(await client.recv())
    equal("path and query", seen["path"], path)
    found = {}
    for name, value in seen["headers"]:
        found.setdefault(name.lower(), []).append(value)
    wanted = {
        "cookie": ["session=abc; theme=dark"],
        "x-forwarded-for": ["127.0.0.1"],
        "x-forwarded-proto": ["https" if scheme == "wss" else "http"],
        "x-forwarded-host": [f"127.0.0.1:{stage.port(scheme)}"],
        "x-forwarded-port": [str(stage.port(scheme))],
    }
    for name, values in wanted.items():
        equal(name, found.get(name), values)

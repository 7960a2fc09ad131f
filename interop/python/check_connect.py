"""`tidegate connect` as the client of servers that others wrote, and of the gateway in front of them."""

import asyncio
import json
from asyncio import StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial

import connector
import nginx
import payload
from connector import Connector
from report import Check, equal, same_bytes
from stage import SCHEMES, WEBSOCKET_BACKENDS, Stage

PARALLEL = 100
BULK_BYTES = 8 * payload.MIB
EXITS = ((1000, 0), (1001, 0), (1008, 108), (1011, 111), (3000, 120), (4999, 121))


def checks(stage: Stage) -> Iterator[Check]:
    for name in WEBSOCKET_BACKENDS:
        url = f"ws://127.0.0.1:{stage.websocket[name].port}/any"
        yield Check(f"connect to {name}: 8 MiB there and back", partial(bulk, stage, f"{url}/echo"))
        yield Check(f"connect to {name}: {PARALLEL} connections at once", partial(parallel, stage, f"{url}/echo"))
        yield Check(f"connect to {name}: what it asks for", partial(asks, stage, f"{url}/headers"))
        yield Check(f"connect to {name}: Close codes are exit statuses", partial(exits, stage, url))
    for name in ("python", "node"):
        yield Check(f"connect to {name}: its Close is answered", partial(closes, stage, name))
    yield Check("connect to node behind nginx: 8 MiB there and back", partial(behind_nginx, stage))
    for scheme in SCHEMES:
        yield Check(f"connect over {scheme} through the gateway: 8 MiB to TCP and back", partial(bulk, stage, stage.url(scheme, "/tcp")))
        yield Check(f"connect over {scheme} through the gateway: Redis by its own client", partial(redis, stage, scheme))


def trust(stage: Stage, url: str) -> tuple[str, ...]:
    return ("--ca", str(stage.authority)) if url.startswith("wss:") else ()


async def start(stage: Stage, *arguments: str) -> Process:
    return await connector.start(stage.binary, *trust(stage, arguments[-1]), *arguments)


async def end(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.communicate()


def listening(stage: Stage, url: str) -> AbstractAsyncContextManager[Connector]:
    """A client at a free port."""
    return connector.listening(stage.binary, *trust(stage, url), url=url)


async def there_and_back(port: int, data: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sending = asyncio.create_task(send(writer, data))
    same_bytes("echo", await reader.readexactly(len(data)), data)
    await sending
    writer.write_eof()
    equal("bytes behind the end", await reader.read(), b"")
    writer.close()


async def send(writer: StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def bulk(stage: Stage, url: str) -> None:
    async with listening(stage, url) as client:
        await there_and_back(client.port, payload.binary(url, BULK_BYTES))


async def behind_nginx(stage: Stage) -> None:
    """Nothing of ours at the other end: nginx ends TLS, and ws answers."""
    async with AsyncExitStack() as stack:
        port = await nginx.start(stack, stage.folder, stage.certificate, stage.websocket["node"].port)
        await bulk(stage, f"wss://localhost:{port}/any/echo")


async def parallel(stage: Stage, url: str) -> None:
    async with listening(stage, url) as client:
        await asyncio.gather(*(there_and_back(client.port, payload.binary(number, 10_000)) for number in range(PARALLEL)))


async def asks(stage: Stage, url: str) -> None:
    arguments = ("--subprotocol", "chat", "--origin", "https://example.com", "--header", "X-Test: yes")
    process = await start(stage, *arguments, "stdio:", url)
    try:
        seen = json.loads(await process.stdout.readuntil(b"]]}"))
    finally:
        await end(process)
    fields = {name.lower(): value for name, value in seen["headers"]}
    wanted = {"sec-websocket-protocol": "chat", "origin": "https://example.com", "x-test": "yes", "upgrade": "websocket"}
    equal("fields", {name: fields.get(name) for name in wanted}, wanted)


async def exits(stage: Stage, url: str) -> None:
    for code, status in EXITS:
        process = await start(stage, "stdio:", f"{url}/close?code={code}&reason=x")
        # The end of its input would be a Close of its own.
        output, diagnosis = await asyncio.gather(process.stdout.read(), process.stderr.read())
        await process.wait()
        equal(f"output before {code}", output, b"last words")
        equal(f"exit status for {code} ({diagnosis.decode().strip()})", process.returncode, status)


async def closes(stage: Stage, name: str) -> None:
    backend = stage.websocket[name]
    id_ = f"connect-{name}"
    process = await start(stage, "stdio:", f"ws://127.0.0.1:{backend.port}/echo?id={id_}")
    process.stdin.write(b"and good-bye")
    equal("output", await process.stdout.readexactly(12), b"and good-bye")
    process.stdin.close()
    await process.communicate()
    equal("exit status", process.returncode, 0)
    equal("how it ended for the server", (await backend.endings.of(id_))[0], 1000)


async def redis(stage: Stage, scheme: str) -> None:
    async with listening(stage, stage.url(scheme, "/redis")) as client:
        await redis_session(client.port)


async def redis_session(port: int) -> None:
    cli = await asyncio.create_subprocess_exec(
        "redis-cli", "-p", str(port), "--raw", stdin=PIPE, stdout=PIPE, stderr=DEVNULL
    )
    value = payload.binary("connect", 1 << 15).hex()
    output, _ = await cli.communicate(f"SET connect {value}\nGET connect\nDEL connect\nECHO good-bye\n".encode())
    same_bytes("what Redis answers", output, f"OK\n{value}\n1\ngood-bye\n".encode())

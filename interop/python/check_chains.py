"""`tidegate connect`, Apache or nginx, `tidegate serve`, a service: with the configurations of docs/rpc-frmwrk.md."""

import asyncio
import hashlib
import shutil
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

import payload
import stream
from chain import APACHE, HOST, NGINX, PAGE, REWRITE, SETUPS, Chain, Setup, chain, folder_of_all
from check_connect import redis_session, there_and_back
from check_postgres import ROWS, psql, rows
from connector import Connector
from raw_client import BINARY, HEAD_END, RawClient, fields, frame
from report import Check, Failed, digest, equal
from stage import Stage

BULK_BYTES = 200_000_000
PARALLEL = 100
LOADED = 5
UNDER_WAY_BYTES = 4 * payload.MIB
CLIENT_ADDRESS = "127.0.0.3"
QUICKLY = ("--reconnect", "--reconnect-first", "100ms", "--reconnect-max", "1s")

OLD_KEY = "BVk27NoJaxQ="
OLD_ACCEPT = "/mYE/17pbLxAW2R1S+Bb4/zsPZY="
"""Base64 of SHA-1 of `OLD_KEY` and the GUID of RFC 6455 §1.3."""

OF_THE_EXAMPLE = {"RewriteCond %{HTTP:Upgrade}": "RewriteCond ${HTTP:Upgrade}"}


def checks(stage: Stage) -> Iterator[Check]:
    shutil.rmtree(folder_of_all(stage), ignore_errors=True)
    for setup in SETUPS:
        name = f"chain by {setup.name}"
        yield Check(f"{name}: {PARALLEL} connections at once", partial(parallel, stage, setup))
        yield Check(f"{name}: redis-cli, psql and ssh", partial(sessions, stage, setup))
        yield Check(f"{name}: a client of old and its key of 8 bytes", partial(old_client, stage, setup))
        in_turn, run = ("", there_and_back_at_once) if setup.at_once else (", one after the other", up_and_down)
        yield Check(f"{name}: {BULK_BYTES // 10**6} MB each way{in_turn}", partial(run, stage, setup))
    for setup in (APACHE, NGINX):
        yield Check(f"chain by {setup.name}: restarted under load", partial(restarted, stage, setup))
    yield Check("chain by Apache: it is believed as trusted_proxies says", partial(believed, stage))
    for setup in SETUPS:
        if setup.secure:
            believes = "is not believed" if setup.verified else "is believed, as that is what it asks for"
            yield Check(f"chain by {setup.name}: a stranger's certificate {believes}", partial(stranger, stage, setup))
    yield Check("chain by Apache, RewriteRule: with the mistakes of the example it does nothing", partial(mistaken, stage))
    yield Check("chain: no configuration of the page was left out", left_out)


def echo(stage: Stage) -> str:
    return f"tcp://127.0.0.1:{stage.tcp.ports['echo']}"


async def parallel(stage: Stage, setup: Setup) -> None:
    async with chain(stage, setup, echo(stage)) as way, way.connector() as device:
        data = (payload.binary(number, 10_000) for number in range(PARALLEL))
        await asyncio.gather(*(there_and_back(device.port, each) for each in data))


async def sessions(stage: Stage, setup: Setup) -> None:
    async with chain(stage, setup, f"tcp://127.0.0.1:{stage.redis.port}") as way, way.connector() as device:
        await redis_session(device.port)
    async with chain(stage, setup, f"unix:{stage.postgres.socket}") as way, way.connector() as device:
        query = f"copy (select n, md5(n::text) from generate_series(1, {ROWS}) n) to stdout"
        equal("rows", digest(await psql(device.port, query)), digest(rows()))
    async with chain(stage, setup, f"tcp://127.0.0.1:{stage.ssh.port}") as way:
        data = payload.binary(setup.name, payload.MIB)
        status, output, said = await stage.ssh.run(way.command(), "sha256sum && exit 7", data)
        equal(f"exit status of a command by ssh ({said})", status, 7)
        equal("what it got", output.split()[:1], [hashlib.sha256(data).hexdigest().encode()])


async def there_and_back_at_once(stage: Stage, setup: Setup) -> None:
    async with chain(stage, setup, echo(stage)) as way, way.connector() as device:
        reader, writer = await asyncio.open_connection("127.0.0.1", device.port, limit=payload.MIB)
        received = stream.Sum()
        await asyncio.gather(stream.send(writer, setup.name, BULK_BYTES), received.read(reader, BULK_BYTES))
        equal("what came back", received.digest(), stream.digest(setup.name, BULK_BYTES))
        writer.write_eof()
        equal("bytes behind the end", await reader.read(), b"")
        writer.close()


async def up_and_down(stage: Stage, setup: Setup) -> None:
    up, down = stream.Sum(), stream.Sum()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await up.read(reader, BULK_BYTES)
        await stream.send(writer, "down", BULK_BYTES)
        writer.close()

    service = await asyncio.start_server(serve, "127.0.0.1", 0, limit=payload.MIB)
    address = f"tcp://127.0.0.1:{service.sockets[0].getsockname()[1]}"
    async with service, chain(stage, setup, address) as way, way.connector() as device:
        reader, writer = await asyncio.open_connection("127.0.0.1", device.port, limit=payload.MIB)
        await stream.send(writer, "up", BULK_BYTES)
        await down.read(reader, BULK_BYTES)
        equal("what came up", up.digest(), stream.digest("up", BULK_BYTES))
        equal("what came down", down.digest(), stream.digest("down", BULK_BYTES))
        equal("bytes behind the end", await reader.read(), b"")
        writer.close()


async def ask(stage: Stage, way: Chain, *, origin: str = "https://example.com") -> tuple[RawClient, str, dict[str, str]]:
    """What an old client sends to the web server, and the answer to it: status and fields."""
    place = {"server_hostname": HOST, "ssl": stage.tls("wss"), "local_addr": (CLIENT_ADDRESS, 0)}
    client = RawClient(*await asyncio.open_connection("127.0.0.1", way.front.port, **place))
    lines = (
        "GET /chat HTTP/1.1",
        f"Host: {HOST}",
        "Upgrade: WebSocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {OLD_KEY}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: chat",
        f"Origin: {origin}",
        "\r\n",
    )
    client.writer.write("\r\n".join(lines).encode())
    status, *answered = (await client.reader.readuntil(HEAD_END)).decode("latin-1").split("\r\n")
    return client, status.split(" ")[1], fields(answered)


async def old_client(stage: Stage, setup: Setup) -> None:
    async with chain(stage, setup, echo(stage)) as way:
        client, status, answered = await ask(stage, way)
        equal("status", status, "101")
        wanted = {"sec-websocket-accept": OLD_ACCEPT, "sec-websocket-protocol": "chat"}
        equal("answer", {name: answered.get(name) for name in wanted}, wanted)
        client.writer.write(frame(BINARY, b"and a frame", b"mask"))
        equal("echo", (await client.read_until(11)).data, b"and a frame")
        await client.close(b"mask")
        _, status, _ = await ask(stage, way, origin="https://example.net")
        equal("status for a page from elsewhere", status, "403")
    async with chain(stage, setup, echo(stage), changes={"lenient_key = true": "lenient_key = false"}) as way:
        _, status, _ = await ask(stage, way)
        equal("status without lenient_key", status, "400")


async def believed(stage: Stage) -> None:
    """Who the client is, which the access line tells: whom Apache names, or else Apache."""
    for changes, client in (({}, CLIENT_ADDRESS), ({'trusted_proxies = ["127.0.0.1"]': ""}, "127.0.0.1")):
        async with chain(stage, APACHE, echo(stage), changes=changes) as way:
            asked, status, _ = await ask(stage, way)
            equal("status", status, "101")
            await asked.close(b"mask")
            while not (lines := way.gateway.access_lines()):
                await asyncio.sleep(0.02)
            equal("client of the access line", str(lines[0]["client"]).split(":")[0], client)


async def stranger(stage: Stage, setup: Setup) -> None:
    async with chain(stage, setup, echo(stage), certificate=stage.forged) as way, way.connector() as device:
        if not setup.verified:
            await there_and_back(device.port, b"in spite of it")
            return
        reader, _ = await asyncio.open_connection("127.0.0.1", device.port)
        try:
            equal("bytes", await reader.read(), b"")
        except ConnectionResetError:
            pass
        await device.says("the server answered with status 50")
        equal("sessions of the gateway", way.gateway.access_lines(), [])


async def mistaken(stage: Stage) -> None:
    """What the page says of the example's `$`: with it, the same rule does not apply."""
    async with chain(stage, replace(REWRITE, mistakes=OF_THE_EXAMPLE), echo(stage)) as way:
        _, status, _ = await ask(stage, way)
        equal("status", status, "404")
        equal("sessions of the gateway", way.gateway.access_lines(), [])


async def left_out() -> None:
    equal(f"blocks of {PAGE.name} that nothing has run", PAGE.unused, set())


async def restarted(stage: Stage, setup: Setup) -> None:
    """The web server ends while bytes flow, and is back later: a connection that was made meanwhile has waited."""
    async with chain(stage, setup, echo(stage)) as way, way.connector(*QUICKLY) as device, AsyncExitStack() as stack:
        loads = [await Load.start(stack, device, number) for number in range(LOADED)]
        await way.front.stop()
        for load in loads:
            await load.until_broken()
        waiting = asyncio.create_task(there_and_back(device.port, b"nobody was there"))
        await device.says("next attempt in")
        equal("whether it is done without a web server", waiting.done(), False)
        await way.front.start()
        await waiting
        await device.says("is there again")


class Load:
    """A connection on which bytes flow both ways until it breaks."""

    def __init__(self, number: int, reader: StreamReader, writer: StreamWriter) -> None:
        self.number, self.reader, self.writer = number, reader, writer
        self.received = stream.Sum()
        self.sending = asyncio.create_task(stream.send(writer, number, 1 << 40))

    @classmethod
    async def start(cls, stack: AsyncExitStack, device: Connector, number: int) -> "Load":
        load = cls(number, *await asyncio.open_connection("127.0.0.1", device.port, limit=payload.MIB))
        stack.callback(load.writer.close)
        stack.callback(load.sending.cancel)
        if not await load.received.read(load.reader, UNDER_WAY_BYTES):
            raise Failed(f"load {number} ended after {load.received.bytes} bytes")
        return load

    async def until_broken(self) -> None:
        """All that came is the beginning of what was sent, and then comes the end."""
        try:
            await self.received.read(self.reader, 1 << 40)
        except ConnectionError:
            pass
        equal("what came back", self.received.digest(), stream.digest(self.number, self.received.bytes))

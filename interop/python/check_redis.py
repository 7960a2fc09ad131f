"""Redis behind a route to TCP, by its own protocol: long values, a thousand commands at once, messages nobody asked for."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

import payload
from report import Check, Failed, equal, same_bytes
from stage import SCHEMES, Stage

VALUES = 4
COMMANDS = 1000
PUBLISHED = 100
WRITE_BYTES = 1 << 16

Reply = bytes | int | list["Reply"] | None


def checks(stage: Stage) -> Iterator[Check]:
    for scheme in SCHEMES:
        name = f"redis over {scheme}"
        yield Check(f"{name}: SET and GET of 1 MiB values", partial(long_values, stage, scheme))
        yield Check(f"{name}: {COMMANDS} commands without waiting", partial(pipelined, stage, scheme))
        yield Check(f"{name}: messages of a subscription", partial(subscription, stage, scheme))
        yield Check(f"{name}: a token that Redis itself looks up", partial(by_token, stage, scheme))
        yield Check(f"{name}: QUIT ends the WebSocket with 1000", partial(quits, stage, scheme))


class Session:
    """Redis' protocol; where the borders of WebSocket messages are must not matter."""

    def __init__(self, client: ClientConnection) -> None:
        self.client = client
        self.reader = asyncio.StreamReader(limit=4 * payload.MIB)

    async def listen(self) -> None:
        try:
            async for message in self.client:
                self.reader.feed_data(message)
        except ConnectionClosed:
            pass
        self.reader.feed_eof()

    async def send(self, *commands: tuple[bytes, ...]) -> None:
        data = b"".join(map(encoded, commands))
        for start in range(0, len(data), WRITE_BYTES):
            await self.client.send(data[start : start + WRITE_BYTES])

    async def ask(self, *command: bytes) -> Reply:
        await self.send(command)
        return await self.reply()

    async def reply(self) -> Reply:
        line = (await self.reader.readuntil(b"\r\n"))[:-2]
        kind, rest = line[:1], line[1:]
        match kind:
            case b"+":
                return rest
            case b":":
                return int(rest)
            case b"$" if int(rest) < 0:
                return None
            case b"$":
                return (await self.reader.readexactly(int(rest) + 2))[:-2]
            case b"*":
                return [await self.reply() for _ in range(int(rest))]
        raise Failed(f"Redis answers {line[:200]!r}")


def encoded(command: tuple[bytes, ...]) -> bytes:
    parts = (b"$%d\r\n%s\r\n" % (len(part), part) for part in command)
    return b"*%d\r\n" % len(command) + b"".join(parts)


@asynccontextmanager
async def session(stage: Stage, scheme: str, path: str = "/redis") -> AsyncIterator[Session]:
    async with stage.connect(scheme, path) as client:
        made = Session(client)
        listener = asyncio.create_task(made.listen())
        yield made
        await client.close()
        await listener


async def by_token(stage: Stage, scheme: str) -> None:
    """Its keys say where a client goes: here back to itself."""
    async with session(stage, scheme) as redis:
        _, port = await redis.ask(b"CONFIG", b"GET", b"port")
        target = b"127.0.0.1:" + port
        equal("SET", await redis.ask(b"SET", b"desktops:plain", target), b"OK")
        equal("SET", await redis.ask(b"SET", b"desktops:json", b'{"host": "%s"}' % target), b"OK")
        equal("SET", await redis.ask(b"SET", b"elsewhere", target), b"OK")
        for token in "plain", "json":
            async with session(stage, scheme, f"/redis-by-token?token={token}") as found:
                equal("PING", await found.ask(b"PING"), b"PONG")
        equal("DEL", await redis.ask(b"DEL", b"desktops:plain"), 1)
    for token in "plain", "elsewhere", "unknown":
        try:
            async with stage.connect(scheme, f"/redis-by-token?token={token}"):
                raise Failed(f"{token} was let in")
        except InvalidStatus as refused:
            equal(token, refused.response.status_code, 403)


async def long_values(stage: Stage, scheme: str) -> None:
    async with session(stage, scheme) as redis:
        values = {b"long:%d" % n: payload.binary((scheme, n), payload.MIB) for n in range(VALUES)}
        for key, value in values.items():
            equal("SET", await redis.ask(b"SET", key, value), b"OK")
        for key, value in values.items():
            equal("STRLEN", await redis.ask(b"STRLEN", key), len(value))
            same_bytes("GET", await redis.ask(b"GET", key), value)


async def pipelined(stage: Stage, scheme: str) -> None:
    values = [payload.binary((scheme, "pipelined", n), n * 7919 % 3000) for n in range(COMMANDS // 2)]
    commands = []
    for number, value in enumerate(values):
        key = b"key:%d" % number
        commands += [(b"SET", key, value), (b"GET", key)]
    async with session(stage, scheme) as redis:
        async with asyncio.TaskGroup() as group:
            group.create_task(redis.send(*commands))
            for number, value in enumerate(values):
                equal(f"SET {number}", await redis.reply(), b"OK")
                same_bytes(f"GET {number}", await redis.reply(), value)
        equal("nothing more", await redis.ask(b"PING"), b"PONG")


async def subscription(stage: Stage, scheme: str) -> None:
    async with session(stage, scheme) as subscriber, session(stage, scheme) as publisher:
        equal("SUBSCRIBE", await subscriber.ask(b"SUBSCRIBE", b"news"), [b"subscribe", b"news", 1])
        for number in range(PUBLISHED):
            equal("receivers", await publisher.ask(b"PUBLISH", b"news", b"%d" % number), 1)
        for number in range(PUBLISHED):
            equal("message", await subscriber.reply(), [b"message", b"news", b"%d" % number])


async def quits(stage: Stage, scheme: str) -> None:
    async with session(stage, scheme) as redis:
        equal("QUIT", await redis.ask(b"QUIT"), b"OK")
        equal("what follows", await redis.reader.read(), b"")
        equal("close code", redis.client.close_code, 1000)

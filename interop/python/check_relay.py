"""What must hold on every route that answers with what it got, whatever kind of backend is behind it."""

import asyncio
import random
from collections.abc import Iterator
from functools import partial

from websockets.asyncio.client import ClientConnection

import payload
import raw_client
from raw_client import BINARY, CONTINUATION, PING, RawClient, frame
from report import Check, Failed, equal, same_bytes
from stage import SCHEMES, Stage

CONNECTIONS = 200
MESSAGES_PER_CONNECTION = 5
CHOPPED_SEEDS = range(8)
# With a ping in each: the node backend gives up a client that has more than 60 unanswered at a time.
CHOPPED_MESSAGES = 40


def checks(stage: Stage) -> Iterator[Check]:
    for scheme in SCHEMES:
        for kind, path in stage.echo_paths():
            name = f"python {scheme} to {kind}"
            for size in payload.SIZES:
                yield Check(f"{name}: {size} bytes", partial(one_message, stage, scheme, path, size))
            yield Check(f"{name}: text", partial(text_message, stage, scheme, path))
            yield Check(f"{name}: fragmented messages", partial(fragmented, stage, scheme, path))
            for seed in CHOPPED_SEEDS:
                yield Check(f"{name}: raw writes cut at random, seed {seed}", partial(chopped, stage, scheme, path, seed))
            yield Check(f"{name}: data in one segment with the handshake", partial(early_data, stage, scheme, path))
            yield Check(f"{name}: {CONNECTIONS} connections at once", partial(many, stage, scheme, path))


async def one_message(stage: Stage, scheme: str, path: str, size: int) -> None:
    data = payload.binary(size, size)
    async with stage.connect(scheme, path) as client:
        await client.send(data)
        if stage.is_websocket(path):
            same_bytes("echo", await client.recv(), data)
        elif data:
            same_bytes("echo", await read_stream(client, size), data)
        # An empty message is no byte of a TCP stream; that the next one comes back shows that it did no harm.
        await client.send(b"after")
        same_bytes("the next echo", await read_stream(client, 5), b"after")
    equal("close code", client.close_code, 1000)


async def text_message(stage: Stage, scheme: str, path: str) -> None:
    """Over WebSocket text stays text; from TCP bytes come back as the route's `message` says, binary by default."""
    words = payload.text("text", 5000)
    async with stage.connect(scheme, path) as client:
        await client.send(words)
        if stage.is_websocket(path):
            equal("echo", await client.recv(), words)
        else:
            same_bytes("echo", await read_stream(client, len(words.encode())), words.encode())


async def fragmented(stage: Stage, scheme: str, path: str) -> None:
    async with stage.connect(scheme, path) as client:
        for seed, count in enumerate((2, 3, 10, 100, 1000)):
            data = payload.binary(seed, 100_000)
            await client.send(payload.pieces(seed, data, count))
            if stage.is_websocket(path):
                same_bytes(f"{count} fragments", await client.recv(), data)
            else:
                same_bytes(f"{count} fragments", await read_stream(client, len(data)), data)


async def chopped(stage: Stage, scheme: str, path: str, seed: int) -> None:
    """Handshake, frames, fragments and pings as one stream of bytes, written in pieces of any size."""
    chooser = random.Random(seed)
    data = bytearray()
    stream = bytearray(raw_client.request(path, f"127.0.0.1:{stage.port(scheme)}"))
    for number in range(CHOPPED_MESSAGES):
        message = payload.binary((seed, number), chooser.choice((0, 1, 3, 125, 126, 1000, 20_000, 70_000)))
        parts = payload.pieces((seed, number), message, chooser.randint(1, 4))
        for index, part in enumerate(parts):
            opcode = CONTINUATION if index else BINARY
            stream += frame(opcode, part, chooser.randbytes(4), fin=index == len(parts) - 1)
            if index == 0:
                stream += frame(PING, b"%d" % number, chooser.randbytes(4))
        data += message

    client = await RawClient.open(stage.port(scheme), stage.tls(scheme))
    async with asyncio.TaskGroup() as group:
        group.create_task(client.send_chopped(bytes(stream), chooser))
        await client.read_answer()
        received = await client.read_until(len(data), last_pong=b"%d" % (CHOPPED_MESSAGES - 1))
    same_bytes("echo", bytes(received.data), bytes(data))
    # Of several pings only the newest has to be answered, but never out of turn and never twice as often as asked.
    order = [int(pong) for pong in received.pongs]
    equal("pongs in order", order, sorted(order))
    await client.close(chooser.randbytes(4))


async def early_data(stage: Stage, scheme: str, path: str) -> None:
    data = payload.binary("early", 3000)
    client = await RawClient.open(stage.port(scheme), stage.tls(scheme))
    handshake = raw_client.request(path, f"127.0.0.1:{stage.port(scheme)}")
    client.writer.write(handshake + frame(BINARY, data, b"mask"))
    await client.read_answer()
    received = await client.read_until(len(data))
    same_bytes("echo", bytes(received.data), data)
    await client.close(b"mask")


async def many(stage: Stage, scheme: str, path: str) -> None:
    """All of them are open before the first sends, and none ends before the last has its echoes."""
    everybody = asyncio.Barrier(CONNECTIONS)

    async def one(number: int) -> None:
        async with stage.connect(scheme, path, open_timeout=None) as client:
            await everybody.wait()
            for message in range(MESSAGES_PER_CONNECTION):
                data = payload.binary((number, message), 1 + (number * 977 + message * 7919) % 20_000)
                await client.send(data)
                same_bytes(f"connection {number}, message {message}", await read_stream(client, len(data)), data)
            await everybody.wait()

    async with asyncio.TaskGroup() as group:
        for number in range(CONNECTIONS):
            group.create_task(one(number))


async def read_stream(client: ClientConnection, size: int) -> bytes:
    """`size` bytes, in as many binary messages as they come in."""
    received = bytearray()
    while len(received) < size:
        message = await client.recv()
        if isinstance(message, str):
            raise Failed("a text message where binary ones were due")
        received += message
    return bytes(received)

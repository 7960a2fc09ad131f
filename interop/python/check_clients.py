"""Two more Python clients: aiohttp's, and websocket-client, which blocks and therefore runs in threads."""

import asyncio
import ssl
from collections.abc import Iterator
from functools import partial

import aiohttp
import websocket

import payload
from report import Check, equal, same_bytes
from stage import SCHEMES, Stage

SIZES = (1, 126, 65_536, 1_048_576)
MESSAGES_AT_ONCE = 300
# Less than a check may take, so that a thread never outlives it by much.
BLOCKED_SECONDS_MAX = 20


def checks(stage: Stage) -> Iterator[Check]:
    for scheme in SCHEMES:
        for kind, path in stage.echo_paths():
            name = f"{scheme} to {kind}"
            yield Check(f"aiohttp {name}: sizes, text, ping, Close", partial(of_aiohttp, stage, scheme, path))
            title = f"aiohttp {name}: {MESSAGES_AT_ONCE} messages without waiting"
            yield Check(title, partial(at_once, stage, scheme, path))
            if stage.is_websocket(path):
                yield Check(f"aiohttp {name}: permessage-deflate end to end", partial(compressed, stage, scheme, path))
            yield Check(f"websocket-client {name}: sizes, text, ping, Close", partial(blocking, stage, scheme, path))


async def of_aiohttp(stage: Stage, scheme: str, path: str) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(
            stage.url(scheme, path), ssl=stage.tls(scheme) or True, protocols=["chat"], max_msg_size=0
        ) as client:
            for size in SIZES:
                data = payload.binary((path, size), size)
                await client.send_bytes(data)
                same_bytes("echo", await aiohttp_stream(client, size), data)
            words = payload.text(path, 5000)
            await client.send_str(words)
            if stage.is_websocket(path):
                equal("text came back", await client.receive_str() == words, True)
            else:
                same_bytes("echo", await aiohttp_stream(client, len(words.encode())), words.encode())
            equal("subprotocol", client.protocol, "chat")
            await client.ping(b"still there?")
            await client.close(code=1000, message=b"done")
            equal("answer to the Close", client.close_code, 1000)


async def compressed(stage: Stage, scheme: str, path: str) -> None:
    """Twice the route's `max_message`, which counts bytes on the wire."""
    words = payload.text(path, 1000) * 1000
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(
            stage.url(scheme, path), ssl=stage.tls(scheme) or True, compress=15, max_msg_size=0
        ) as client:
            equal("compression was agreed", client.compress > 0, True)
            for text in ("short", words, "short again"):
                await client.send_str(text)
                equal("echo is the text that was sent", await client.receive_str() == text, True)


async def at_once(stage: Stage, scheme: str, path: str) -> None:
    messages = [payload.binary((path, number), 1 + number * 7919 % 9000) for number in range(MESSAGES_AT_ONCE)]

    async def send(client: aiohttp.ClientWebSocketResponse) -> None:
        for message in messages:
            await client.send_bytes(message)

    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(stage.url(scheme, path), ssl=stage.tls(scheme) or True) as client:
            async with asyncio.TaskGroup() as group:
                group.create_task(send(client))
                received = await aiohttp_stream(client, sum(map(len, messages)))
    same_bytes("all echoes", received, b"".join(messages))


async def aiohttp_stream(client: aiohttp.ClientWebSocketResponse, size: int) -> bytes:
    """`size` bytes, in as many binary messages as they come in."""
    received = bytearray()
    while len(received) < size:
        received += await client.receive_bytes()
    return bytes(received)


async def blocking(stage: Stage, scheme: str, path: str) -> None:
    await asyncio.to_thread(converse, stage, scheme, path)


def converse(stage: Stage, scheme: str, path: str) -> None:
    tls = {"ca_certs": str(stage.authority), "cert_reqs": ssl.CERT_REQUIRED}
    client = websocket.create_connection(
        stage.url(scheme, path), timeout=BLOCKED_SECONDS_MAX, sslopt=tls, subprotocols=["chat"], http_no_proxy=["*"]
    )
    try:
        equal("subprotocol", client.subprotocol, "chat")
        for size in SIZES:
            data = payload.binary((path, size), size)
            client.send_binary(data)
            same_bytes("echo", blocking_stream(client, size), data)
        words = payload.text(path, 5000)
        client.send(words)
        same_bytes("echo", blocking_stream(client, len(words.encode())), words.encode())
        client.ping("still there?")
        opcode, pong = client.recv_data(control_frame=True)
        equal("answer to the ping", (opcode, pong), (websocket.ABNF.OPCODE_PONG, b"still there?"))
        client.send_close(1000, b"done")
        opcode, closing = client.recv_data(control_frame=True)
        equal("answer to the Close", (opcode, closing), (websocket.ABNF.OPCODE_CLOSE, b"\x03\xe8done"))
    finally:
        client.shutdown()


def blocking_stream(client: websocket.WebSocket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        received += client.recv_data()[1]
    return bytes(received)

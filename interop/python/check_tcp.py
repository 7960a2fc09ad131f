"""What only a route to plain TCP can show: streams, half-open ends, and subprotocols that the gateway itself selects."""

from collections.abc import Iterator
from functools import partial

from websockets.exceptions import ConnectionClosedOK

import payload
from backends import DOWNLOAD
from check_relay import read_stream
from report import Check, digest, equal, same_bytes
from stage import SCHEMES, Stage

UPLOAD_MESSAGES = 8

SUBPROTOCOLS = (
    # path, offered by the client, selected by the gateway
    ("/tcp", ["binary", "other"], "binary"),
    ("/tcp", [], None),
    ("/tcp-mqtt-only", ["other", "mqtt"], "mqtt"),
    ("/tcp-mqtt-only", ["other"], None),
    ("/tcp-mqtt-only", [], None),
    ("/tcp-no-subprotocol", ["binary"], None),
)


def checks(stage: Stage) -> Iterator[Check]:
    for scheme in SCHEMES:
        name = f"python {scheme} to tcp"
        yield Check(f"{name}: 8 MiB up, then Close at once", partial(upload_then_close, stage, scheme))
        yield Check(f"{name}: 8 MiB down, then the backend ends", partial(download_then_end, stage, scheme))
        yield Check(f"{name}: text frames by configuration", partial(text_frames, stage, scheme))
        for path, offered, selected in SUBPROTOCOLS:
            title = f"{name}: subprotocols {offered} on {path} select {selected}"
            yield Check(title, partial(subprotocol, stage, scheme, path, offered, selected))


async def upload_then_close(stage: Stage, scheme: str) -> None:
    data = payload.binary("upload", UPLOAD_MESSAGES * payload.MIB)
    async with stage.connect(scheme, "/sink", close_timeout=30) as client:
        for start in range(0, len(data), payload.MIB):
            await client.send(data[start : start + payload.MIB])
        await client.close(1000, "that is all")
    equal("what the backend had at EOF", await stage.tcp.received.get(), digest(data))
    equal("close code", client.close_code, 1000)


async def download_then_end(stage: Stage, scheme: str) -> None:
    received = bytearray()
    async with stage.connect(scheme, "/source") as client:
        await client.send(b"!")
        try:
            while True:
                received += await client.recv()
        except ConnectionClosedOK:
            pass
    same_bytes("download", bytes(received), DOWNLOAD)
    equal("close code", client.close_code, 1000)


async def text_frames(stage: Stage, scheme: str) -> None:
    """Reads of the backend may end inside a character; the text frames made from them never do."""
    words = payload.text("text frames", 200_000)
    received = ""
    async with stage.connect(scheme, "/tcp-as-text") as client:
        await client.send(words.encode())
        while len(received) < len(words):
            message = await client.recv()
            equal("type of the message", type(message), str)
            received += message
    equal("text came back whole", received == words, True)


async def subprotocol(stage: Stage, scheme: str, path: str, offered: list[str], selected: str | None) -> None:
    async with stage.connect(scheme, path, subprotocols=offered or None) as client:
        equal("selected", client.subprotocol, selected)
        await client.send(b"still relayed")
        same_bytes("echo", await read_stream(client, 13), b"still relayed")

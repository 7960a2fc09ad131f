"""A WebSocket client made of a bare socket: it alone decides how bytes are cut into writes.

Its frames are written by hand, so that a mistake which the gateway might share with a library does not go unnoticed.
"""

import asyncio
import base64
import hashlib
import random
import ssl
import struct
from dataclasses import dataclass, field

from report import Failed, equal

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HEAD_END = b"\r\n\r\n"
KEY = base64.b64encode(b"sixteen bytes..!").decode()


def request(path: str, host: str, *extra: str) -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
        *extra,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def check_answer(head: bytes) -> None:
    status, *lines = head.decode("latin-1").split("\r\n")
    equal("status", status.split(" ")[1], "101")
    equal("Sec-WebSocket-Accept", fields(lines).get("sec-websocket-accept"), accept(KEY))


def fields(lines: list[str]) -> dict[str, str]:
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def accept(key: str) -> str:
    return base64.b64encode(hashlib.sha1((key + ACCEPT_GUID).encode()).digest()).decode()


def frame(opcode: int, payload: bytes, mask: bytes | None, fin: bool = True) -> bytes:
    """Without a mask it is a server's."""
    first = opcode | (0x80 if fin else 0)
    masked = 0 if mask is None else 0x80
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, masked | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, masked | 126, size)
    else:
        head = struct.pack("!BBQ", first, masked | 127, size)
    return head + payload if mask is None else head + mask + unmask(payload, mask)


def unmask(payload: bytes, mask: bytes) -> bytes:
    """Or mask: it is the same."""
    size = len(payload)
    key = int.from_bytes((mask * (size // 4 + 1))[:size])
    return (int.from_bytes(payload) ^ key).to_bytes(size)


@dataclass
class Received:
    """What came from the gateway, of all frames together."""

    data: bytearray = field(default_factory=bytearray)
    pongs: list[bytes] = field(default_factory=list)


class RawClient:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int, tls: ssl.SSLContext | None) -> "RawClient":
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls))

    async def send_chopped(self, stream: bytes, chooser: random.Random) -> None:
        """Writes of one byte and of thousands, each its own segment: asyncio turns Nagle's algorithm off."""
        position = 0
        while position < len(stream):
            size = chooser.randint(1, chooser.choice((1, 2, 8, 120, 1500, 20_000)))
            self.writer.write(stream[position : position + size])
            await self.writer.drain()
            position += size

    async def read_answer(self) -> None:
        check_answer(await self.reader.readuntil(HEAD_END))

    async def read_frame(self) -> tuple[int, bytes]:
        first, second = await self.reader.readexactly(2)
        if first & 0x70 or second & 0x80:
            raise Failed(f"a server frame must have no reserved bit and no mask, found {first:#04x} {second:#04x}")
        size = second
        if second == 126:
            (size,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif second == 127:
            (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
        return first & 0x0F, await self.reader.readexactly(size)

    async def read_until(self, data_bytes: int, last_pong: bytes | None = None) -> Received:
        """Until that much data and the Pong with that payload are here."""
        received = Received()
        while len(received.data) < data_bytes or (last_pong is not None and last_pong not in received.pongs):
            opcode, payload = await self.read_frame()
            if opcode in (CONTINUATION, TEXT, BINARY):
                received.data += payload
            elif opcode == PONG:
                received.pongs.append(payload)
            elif opcode == CLOSE:
                raise Failed(f"closed with {payload!r} after {len(received.data)} of {data_bytes} bytes")
            elif opcode != PING:  # one of the gateway's own may wait for its answer longer than any check takes
                raise Failed(f"a frame with opcode {opcode:#x}")
        return received

    async def close(self, mask: bytes) -> None:
        """A Close without a code; the gateway's answer, after whatever is still under way; its end of the stream."""
        self.writer.write(frame(CLOSE, b"", mask))
        while (await self.read_frame())[0] != CLOSE:
            pass
        equal("bytes after the Close", await self.reader.read(), b"")
        self.writer.close()

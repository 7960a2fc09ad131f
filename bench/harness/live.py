"""WebSockets that live through something: a backend that answers each message with itself, and clients that check it."""

import asyncio
import base64
import hashlib
import os
import struct
import time

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
BINARY, CLOSE, PING = 2, 8, 9
# Until a client that gets no answer counts as stranded. Far above what a busy machine takes.
PATIENCE = 15.0
HEAD_BYTES_MAX = 16 << 10


def frame(opcode, payload, mask=b""):
    """One frame of less than 64 KiB."""
    size = len(payload)
    length = bytes([size | (0x80 if mask else 0)]) if size < 126 else struct.pack("!BH", 126 | (0x80 if mask else 0), size)
    return bytes([0x80 | opcode]) + length + mask + (masked(payload, mask) if mask else payload)


def masked(payload, mask):
    key = (mask * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(len(payload))


async def read_frame(reader):
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
    elif size == 127:
        (size,) = struct.unpack("!Q", await reader.readexactly(8))
    mask = await reader.readexactly(4) if second & 0x80 else b""
    payload = await reader.readexactly(size)
    return first & 0x0F, masked(payload, mask) if mask else payload


async def serve(reader, writer):
    """The backend: any path is a WebSocket."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
        key = {name.lower(): value.strip() for name, value in fields.items()}[b"sec-websocket-key"]
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        while True:
            opcode, payload = await read_frame(reader)
            if opcode == PING:
                writer.write(frame(10, payload))
            elif opcode in (BINARY, CLOSE):
                writer.write(frame(opcode, payload))
            if opcode == CLOSE:
                break
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError, KeyError, ValueError):
        pass  # the gateway has let go of it, which its client sees
    except asyncio.CancelledError:
        pass  # all is over
    finally:
        writer.close()


class Refused(Exception):
    """No WebSocket; why."""


async def opened(port, path):
    """Reader and writer of a new WebSocket."""
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except TimeoutError:
        raise Refused("connect: no answer") from None
    except OSError as error:
        raise Refused(f"connect: {error.strerror}") from None
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
    try:
        async with asyncio.timeout(PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
    except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
        writer.close()
        raise Refused(f"handshake: {type(error).__name__}") from None
    if not head.startswith(b"HTTP/1.1 101 "):
        writer.close()
        raise Refused("handshake: " + head.split(b"\r\n")[0].decode(errors="replace"))
    return reader, writer


class Client:
    """One WebSocket that says something every `pause` seconds and wants to hear it again."""

    def __init__(self, port, path, pause):
        self.port, self.path, self.pause = port, path, pause
        self.answers = 0
        self.end = None  # what ended it
        self.ended_at = None

    async def run(self, ready):
        """Until it ends. `ready` is set with its first answer, or its end."""
        try:
            await self.talk(ready)
        except Refused as refused:
            self.over(str(refused))
        except TimeoutError:
            self.over("no answer")
        except (OSError, asyncio.IncompleteReadError):
            self.over("cut without a Close")
        finally:
            ready.set()

    async def talk(self, ready):
        reader, writer = await opened(self.port, self.path)
        try:
            while True:
                said = struct.pack("!Q", self.answers) + os.urandom(120)
                writer.write(frame(BINARY, said, os.urandom(4)))
                async with asyncio.timeout(PATIENCE):
                    opcode, heard = await read_frame(reader)
                    while opcode == PING:
                        writer.write(frame(10, heard, os.urandom(4)))
                        opcode, heard = await read_frame(reader)
                if opcode == CLOSE:
                    code = struct.unpack("!H", heard[:2])[0] if len(heard) > 1 else 1005
                    return self.over(f"Close {code}")
                if heard != said:
                    return self.over("other bytes than were said")
                self.answers += 1
                ready.set()
                await asyncio.sleep(self.pause)
        finally:
            writer.close()

    def over(self, why):
        self.end, self.ended_at = why, time.monotonic()

"""A TCP connection, with or without TLS, whose end is exactly the one that is asked for: FIN, or RST.

asyncio's own streams decide for themselves what a connection ends with, and when what was written leaves.
"""

import asyncio
import socket
import ssl
import struct


SEGMENT_BYTES = 1400
"""Where a segment is larger than the peer's buffer, as it is over loopback, the system stalls instead of slowing down."""

NARROW_BUFFER_BYTES = 16 << 10


class Wire:
    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.tls: ssl.SSLObject | None = None
        self.loop = asyncio.get_running_loop()

    @classmethod
    async def connect(cls, port: int, tls: ssl.SSLContext | None, narrow: bool = False) -> "Wire":
        wire = cls(socket.socket())
        try:
            if narrow:
                small_segments(wire.sock)
                wire.narrow()
            await wire.loop.sock_connect(wire.sock, ("127.0.0.1", port))
            if tls is not None:
                await wire.handshake(tls)
        except BaseException:
            wire.close()
            raise
        return wire

    async def handshake(self, context: ssl.SSLContext) -> None:
        self.coming, self.going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.coming, self.going, server_hostname="127.0.0.1")
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self.flush()
                await self.take(1 << 16)
            else:
                break
        await self.flush()

    def narrow(self) -> None:
        """Takes little at a time, so that whoever sends soon has to wait; needs small segments."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW_BUFFER_BYTES)

    async def send(self, data: bytes) -> None:
        """Returns when the system has taken it all."""
        if self.tls is None:
            await self.loop.sock_sendall(self.sock, data)
        elif data:
            self.tls.write(data)
            await self.flush()

    async def receive(self, size: int) -> bytes:
        """At least one byte; none at the peer's FIN. With TLS it is not asked whether a close_notify came before it."""
        if self.tls is None:
            return await self.loop.sock_recv(self.sock, size)
        while True:
            try:
                return self.tls.read(size)
            except ssl.SSLWantReadError:
                await self.take(size)
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    async def take(self, size: int) -> None:
        if data := await self.loop.sock_recv(self.sock, size):
            self.coming.write(data)
        else:
            self.coming.write_eof()

    async def flush(self) -> None:
        await self.loop.sock_sendall(self.sock, self.going.read())

    def fin(self) -> None:
        """Ends this direction; the other goes on."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """What the system has not sent yet is lost."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self.sock.close()


def small_segments(sock: socket.socket) -> None:
    """As on a real network. Of a socket that connects or listens; those that it accepts follow."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)

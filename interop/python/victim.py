"""victim.py KIND PORT: a backend that is made to be killed, so nothing else runs in its process.

KIND `tcp`: after a first byte `e` the rest comes back; after `s` comes BLOCK without end, and nothing more is read.
KIND `websocket`: the same for paths that end in `e` and `s`; there BLOCK comes in MESSAGES.
Prints a line when it listens.
"""

import asyncio
import contextlib
import itertools
import socketserver
import sys

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

import payload

BLOCK = payload.binary("victim", payload.MIB)
MESSAGES = payload.pieces("victim", BLOCK, 100)
ECHO, STREAM = "e", "s"


class Tcp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            echoes = self.request.recv(1) == ECHO.encode()
            while echoes and (data := self.request.recv(1 << 16)):
                self.request.sendall(data)
            while not echoes:
                self.request.sendall(BLOCK)


class TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100


async def websocket(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        if connection.request.path.endswith(ECHO):
            async for message in connection:
                await connection.send(message)
        else:
            for message in itertools.cycle(MESSAGES):
                await connection.send(message)


async def serve_websocket(port: int) -> None:
    async with serve(websocket, "127.0.0.1", port, compression=None) as server:
        print("listening", flush=True)
        await server.serve_forever()


def main(kind: str, port: int) -> None:
    if kind == "websocket":
        asyncio.run(serve_websocket(port))
    else:
        with TcpServer(("127.0.0.1", port), Tcp) as server:
            print("listening", flush=True)
            server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

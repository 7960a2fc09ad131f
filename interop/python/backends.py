"""The services behind the gateway: three over plain TCP, and WebSocket ones in Python and in node.

All WebSocket backends do what the last part of the path says:
  echo?id=ID       every message comes back as it was; the way it ended is kept under ID
  headers          one text message: the request as JSON {"path": …, "headers": [[name, value], …]}
  close?code=C&reason=R   one message "last words", then Close C with that reason
  bulk                    (node only) node/bulk_backend.mjs says what
"""

import asyncio
import json
import ssl
from asyncio import StreamReader, StreamWriter
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

import payload
from report import digest

SUBPROTOCOL = Subprotocol("chat")
DOWNLOAD = payload.binary("download", 8 * payload.MIB)

Ending = tuple[int, str]


class TcpBackends:
    """`echo`, `sink` (what it received until EOF goes to `received`) and `source` (DOWNLOAD, then FIN).

    The echo also stands behind TLS, `tls_echo`, and at a Unix socket, `unix_echo`.
    """

    def __init__(self, tls: ssl.SSLContext, unix_echo: Path) -> None:
        self.tls = tls
        self.unix_echo = unix_echo
        self.received: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        self.ports: dict[str, int] = {}

    async def start(self, stack: AsyncExitStack) -> None:
        services = (
            ("echo", self.echo, None),
            ("tls_echo", self.echo, self.tls),
            ("sink", self.sink, None),
            ("source", self.source, None),
        )
        for name, handler, tls in services:
            server = await asyncio.start_server(handler, "127.0.0.1", 0, limit=1 << 20, ssl=tls)
            stack.callback(server.close)
            self.ports[name] = server.sockets[0].getsockname()[1]
        # To a Unix socket whose queue is full nobody waits for a place: it refuses at once.
        server = await asyncio.start_unix_server(self.echo, self.unix_echo, limit=1 << 20, backlog=1024)
        stack.callback(server.close)

    async def echo(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 18):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def sink(self, reader: StreamReader, writer: StreamWriter) -> None:
        received = bytearray()
        try:
            # Small reads keep this backend behind its client, so that the Close arrives while data is still queued.
            while data := await reader.read(8192):
                received += data
        except ConnectionError as error:
            self.received.put_nowait((len(received), f"cut off: {error}"))
        else:
            self.received.put_nowait(digest(bytes(received)))
        writer.close()

    async def source(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await reader.readexactly(1)
            writer.write(DOWNLOAD)
            await writer.drain()
        finally:
            writer.close()


class Endings:
    """How each connection to a WebSocket backend ended, by the id that its client chose."""

    def __init__(self) -> None:
        self.futures: dict[str, asyncio.Future[Ending]] = defaultdict(asyncio.get_running_loop().create_future)

    def put(self, id_: str, code: int, reason: str) -> None:
        if not self.futures[id_].done():
            self.futures[id_].set_result((code, reason))

    async def of(self, id_: str) -> Ending:
        return await self.futures[id_]


def select(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The library's own choice would refuse a client that offers none."""
    return SUBPROTOCOL if SUBPROTOCOL in offered else None


class PythonBackend:
    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.endings = Endings()
        self.port = 0

    async def start(self, stack: AsyncExitStack) -> None:
        server = await stack.enter_async_context(
            serve(self.serve, "127.0.0.1", 0, select_subprotocol=select, max_size=None, ssl=self.tls)
        )
        self.port = server.sockets[0].getsockname()[1]

    async def serve(self, connection: ServerConnection) -> None:
        url = urlsplit(connection.request.path)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        match url.path.rsplit("/", 1)[-1]:
            case "headers":
                headers = list(connection.request.headers.raw_items())
                await connection.send(json.dumps({"path": connection.request.path, "headers": headers}))
                await connection.wait_closed()
            case "close":
                await connection.send("last words")
                await connection.close(int(query["code"]), query["reason"])
            case _:
                await self.echo(connection)
                received = connection.protocol.close_rcvd
                self.endings.put(query.get("id", ""), received.code if received else 1006, received.reason if received else "")

    async def echo(self, connection: ServerConnection) -> None:
        try:
            async for message in connection:
                await connection.send(message)
        except ConnectionClosed:
            pass


class NodeBackend:
    """node/backend.mjs: says its ports on the first line, and each ending on one of the following."""

    def __init__(self, node_folder: Path) -> None:
        self.script = node_folder / "backend.mjs"
        self.endings = Endings()
        self.port = 0
        self.socketio_port = 0
        self.bulk_port = 0

    async def start(self, stack: AsyncExitStack) -> None:
        process = await asyncio.create_subprocess_exec(
            "node", self.script, SUBPROTOCOL, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
        stack.push_async_callback(process.wait)
        stack.callback(process.kill)
        async with asyncio.timeout(20):
            ports = json.loads(await process.stdout.readline())
        self.port, self.socketio_port, self.bulk_port = ports["port"], ports["socketio"], ports["bulk"]
        listener = asyncio.create_task(self.listen(process.stdout))
        stack.callback(listener.cancel)

    async def listen(self, lines: StreamReader) -> None:
        while line := await lines.readline():
            ending = json.loads(line)
            self.endings.put(ending["id"], ending["code"], ending["reason"])

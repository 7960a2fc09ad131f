"""A local TCP port that leads through a WebSocket, for clients that know of none."""

import asyncio
from asyncio import StreamReader, StreamWriter
from contextlib import AsyncExitStack

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from stage import Stage

READ_BYTES = 1 << 16


async def start(stack: AsyncExitStack, stage: Stage, scheme: str, path: str) -> int:
    """Its port. Each connection to it becomes a WebSocket."""

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            async with stage.connect(scheme, path) as client, asyncio.TaskGroup() as group:
                group.create_task(up(reader, client))
                group.create_task(down(client, writer))
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    stack.callback(server.close)
    return server.sockets[0].getsockname()[1]


async def up(reader: StreamReader, client: ClientConnection) -> None:
    try:
        while data := await reader.read(READ_BYTES):
            await client.send(data)
    except (ConnectionClosed, ConnectionError):
        pass
    await client.close()


async def down(client: ClientConnection, writer: StreamWriter) -> None:
    try:
        async for message in client:
            writer.write(message)
            await writer.drain()
    except (ConnectionClosed, ConnectionError):
        pass
    writer.close()

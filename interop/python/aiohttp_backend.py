"""aiohttp as the backend: the WebSocket services of `backends.py`, and plain HTTP ones beside them.

  GET  …/bytes?seed=S&size=N       payload.binary(S, N), with its Content-Length
  GET  …/stream?id=ID              "first", then nothing until …/release?id=ID was asked for, then "last"; chunked
  POST …/digest                    what arrived, as JSON {"bytes", "sha256", "length", "coding"}
  GET  …/missing                   404 with a body and a field of its own
"""

import asyncio
import hashlib
import json
import ssl
from collections import defaultdict
from contextlib import AsyncExitStack

from aiohttp import WSMsgType, web

import payload
from backends import SUBPROTOCOL, Endings


class AiohttpBackend:
    def __init__(self, tls: ssl.SSLContext) -> None:
        self.tls = tls
        self.endings = Endings()
        self.released: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.port = 0
        self.tls_port = 0

    async def start(self, stack: AsyncExitStack) -> None:
        app = web.Application(client_max_size=64 * payload.MIB)
        for name in ("echo", "headers", "close", "bytes", "stream", "release", "missing"):
            app.router.add_get(f"/{{any:.*}}/{name}", getattr(self, name))
        app.router.add_post("/{any:.*}/digest", self.digest)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        for tls in (None, self.tls):
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        self.port, self.tls_port = (address[1] for address in runner.addresses)

    async def websocket(self, request: web.Request) -> web.WebSocketResponse:
        # A Close is answered by hand: the library would answer every one with 1000.
        socket = web.WebSocketResponse(protocols=(SUBPROTOCOL,), max_msg_size=0, autoclose=False)
        await socket.prepare(request)
        return socket

    async def echo(self, request: web.Request) -> web.WebSocketResponse:
        socket = await self.websocket(request)
        ending = (1006, "")
        try:
            while (message := await socket.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
                if message.type is WSMsgType.TEXT:
                    await socket.send_str(message.data)
                else:
                    await socket.send_bytes(message.data)
            if message.type is WSMsgType.CLOSE:
                ending = (message.data, message.extra or "")
                # A Close without a code is told as 0.
                await socket.close(code=message.data or 1000, message=(message.extra or "").encode())
        except ConnectionError:
            pass
        finally:
            self.endings.put(request.query.get("id", ""), *ending)
        return socket

    async def headers(self, request: web.Request) -> web.StreamResponse:
        seen = json.dumps({"path": request.path_qs, "headers": list(request.headers.items())})
        if "upgrade" not in request.headers:
            return web.Response(text=seen)
        socket = await self.websocket(request)
        await socket.send_str(seen)
        await socket.receive()
        await socket.close()
        return socket

    async def close(self, request: web.Request) -> web.WebSocketResponse:
        socket = await self.websocket(request)
        await socket.send_str("last words")
        await socket.close(code=int(request.query["code"]), message=request.query["reason"].encode())
        return socket

    async def bytes(self, request: web.Request) -> web.Response:
        return web.Response(body=payload.binary(request.query["seed"], int(request.query["size"])))

    async def stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b"first")
        await self.released[request.query["id"]].wait()
        await response.write(b"last")
        await response.write_eof()
        return response

    async def release(self, request: web.Request) -> web.Response:
        self.released[request.query["id"]].set()
        return web.Response(status=204)

    async def missing(self, _: web.Request) -> web.Response:
        return web.Response(status=404, text="the backend's own words", headers={"X-Backend": "aiohttp"})

    async def digest(self, request: web.Request) -> web.Response:
        body = await request.read()
        said = {"length": request.headers.get("Content-Length"), "coding": request.headers.get("Transfer-Encoding")}
        return web.json_response({"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), **said})

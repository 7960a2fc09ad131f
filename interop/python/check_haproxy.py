"""The PROXY protocol, between HAProxy and the gateway in both directions."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial

from websockets.asyncio.client import connect

import gateway
import haproxy
from report import Check, equal
from stage import Stage

CLIENT_ADDRESS = "127.0.0.3"


def checks(stage: Stage) -> Iterator[Check]:
    for version in haproxy.FRONTS:
        for send in ("v1", "v2"):
            yield Check(f"haproxy: {version} in, {send} out", partial(through, stage, version, send))


async def through(stage: Stage, version: str, send: str) -> None:
    """The client reaches HAProxy, that the gateway, and that HAProxy again, which tells who it was told the client is."""
    async with AsyncExitStack() as stack:
        ports, port = haproxy.ports(), gateway.free_port()
        config = stage.folder / "haproxy.toml"
        config.write_text(
            f'[[listener]]\naddress = "127.0.0.1:{port}"\nproxy_protocol = true\ntrusted_proxies = ["127.0.0.2"]\n'
            '[[route]]\npath = "/echo"\nbackend = "echo:"\n'
            f'[[route]]\npath = "/*"\nbackend = "http://127.0.0.1:{ports["told"]}"\nsend_proxy = "{send}"\n'
        )
        running = await gateway.start(stage.binary, config, {"ws": port})
        stack.push_async_callback(running.kill)
        await haproxy.start(stack, stage.folder, stage.certificate, ports, port)
        tls = stage.tls("wss") if "TLS" in version else None
        await told(ports[version], tls, send)
        await websocket(ports[version], tls)
        equal("exit status", await running.drain(), 0)


async def told(port: int, tls: ssl.SSLContext | None, send: str) -> None:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=tls, local_addr=(CLIENT_ADDRESS, 0), server_hostname="localhost" if tls else None
    )
    own_port = writer.get_extra_info("sockname")[1]
    writer.write(b"GET /who HTTP/1.1\r\nHost: gw.example\r\nConnection: close\r\n\r\n")
    answer = (await reader.read()).decode()
    writer.close()
    authority = "gw.example" if send == "v2" else ""
    equal("what HAProxy was told", answer.rpartition("\r\n\r\n")[2], f"{CLIENT_ADDRESS} {own_port} {port} {authority}")


async def websocket(port: int, tls: ssl.SSLContext | None) -> None:
    """From a page of the same origin, which for TLS is one by https."""
    scheme = "wss" if tls else "ws"
    origin = f"{scheme.replace('ws', 'http')}://localhost:{port}"
    url = f"{scheme}://localhost:{port}/echo"
    async with connect(url, host="127.0.0.1", port=port, ssl=tls, proxy=None, compression=None, origin=origin) as client:
        await client.send("ahoy")
        equal("echo", await client.recv(), "ahoy")

"""Everything that a check can use: the gateway's addresses, the backends behind it, and ways to connect."""

import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

import certificate
import gateway
from backends import NodeBackend, PythonBackend, TcpBackends

SCHEMES = ("ws", "wss")
WEBSOCKET_BACKENDS = ("python", "node")

ROUTES = """
[[route]]
path = "/tcp"
backend = "tcp://127.0.0.1:{echo}"

[[route]]
path = "/tcp-as-text"
backend = "tcp://127.0.0.1:{echo}"
message = "text"

[[route]]
path = "/tcp-mqtt-only"
backend = "tcp://127.0.0.1:{echo}"
subprotocols = ["mqtt"]

[[route]]
path = "/tcp-no-subprotocol"
backend = "tcp://127.0.0.1:{echo}"
subprotocols = []

[[route]]
path = "/sink"
backend = "tcp://127.0.0.1:{sink}"

[[route]]
path = "/source"
backend = "tcp://127.0.0.1:{source}"

[[route]]
path = "/python/*"
backend = "ws://127.0.0.1:{python}"

[[route]]
path = "/node/*"
backend = "ws://127.0.0.1:{node}"
"""


@dataclass
class Stage:
    gateway: gateway.Gateway
    tcp: TcpBackends
    websocket: dict[str, PythonBackend | NodeBackend]
    authority: Path

    def port(self, scheme: str) -> int:
        return self.gateway.ports[scheme]

    def url(self, scheme: str, path: str) -> str:
        return f"{scheme}://127.0.0.1:{self.port(scheme)}{path}"

    def tls(self, scheme: str) -> ssl.SSLContext | None:
        """Trusts this run's authority and nothing else."""
        return ssl.create_default_context(cafile=self.authority) if scheme == "wss" else None

    def connect(self, scheme: str, path: str, **options: Any) -> connect:
        """Plain frames and no limit on what the gateway sends, unless the options say otherwise."""
        options = {"compression": None, "max_size": None, "proxy": None, "ssl": self.tls(scheme)} | options
        return connect(self.url(scheme, path), **options)

    def echo_paths(self) -> Iterator[tuple[str, str]]:
        """What a message comes back from, on a route of each kind: (name for the reader, path)."""
        yield "tcp", "/tcp"
        for name in WEBSOCKET_BACKENDS:
            yield f"{name} backend", f"/{name}/echo"

    @staticmethod
    def is_websocket(path: str) -> bool:
        """Whether messages keep their borders on this route; over TCP only the bytes and their order remain."""
        return path.split("/")[1] in WEBSOCKET_BACKENDS


async def set_up(stack: AsyncExitStack, binary: Path, folder: Path, node_folder: Path) -> Stage:
    tcp = TcpBackends()
    websocket = {"python": PythonBackend(), "node": NodeBackend(node_folder)}
    for backend in (tcp, *websocket.values()):
        await backend.start(stack)
    made = certificate.make(folder)
    routes = ROUTES.format(**tcp.ports, **{name: backend.port for name, backend in websocket.items()})
    running = await gateway.start(binary, folder, routes, made.certificate, made.key)
    stack.push_async_callback(running.kill)
    return Stage(running, tcp, websocket, made.authority)

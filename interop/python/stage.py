"""Everything that a check can use: the gateway's addresses, the backends behind it, and ways to connect."""

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

import configuration
import gateway
from aiohttp_backend import AiohttpBackend
from backends import NodeBackend, PythonBackend, TcpBackends
from certificate import Authority, Certificate
from services import Postgres, Redis
from ssh import Ssh

SCHEMES = ("ws", "wss")
WEBSOCKET_BACKENDS = ("python", "node", "aiohttp")
LISTENERS = (*SCHEMES, "sni", "auto", "proxied", "named")
HERE = ("IP:127.0.0.1", "DNS:localhost")
SNI_NAMES = ("first.example", "second.example")

@dataclass
class Stage:
    binary: Path
    folder: Path
    """For what the run writes; its own configuration and log are there, too."""
    node_folder: Path
    """Of the node part, with the packages that it uses."""
    gateway: gateway.Gateway
    tcp: TcpBackends
    websocket: dict[str, PythonBackend | NodeBackend | AiohttpBackend]
    authority: Path
    certificate: Certificate
    front: Certificate
    """For server.example.com: of a web server in front of the gateway."""
    forged: Certificate
    """For what `certificate` is for, but by an authority that nobody knows."""
    ssh: Ssh
    postgres: Postgres
    redis: Redis
    files: Path
    """The folder behind `/files/`; checks put there what they need."""
    victims: dict[str, int]
    """Where a backend is expected that a check starts itself: its kind → its port."""
    seed: str
    """Of what is left to chance."""

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
        yield "unix", "/unix"
        yield "tls", "/tls/known/echo"
        yield "wss backend", "/wss/known/echo"
        for name in WEBSOCKET_BACKENDS:
            yield f"{name} backend", f"/{name}/echo"

    @staticmethod
    def is_websocket(path: str) -> bool:
        """Whether messages keep their borders on this route; over TCP only the bytes and their order remain."""
        return path.split("/")[1] in (*WEBSOCKET_BACKENDS, "wss", "https")


async def set_up(stack: AsyncExitStack, binary: Path, folder: Path, node_folder: Path, seed: str) -> Stage:
    # A Unix socket's path must be short, and where the run's folder is, is not ours to say.
    unix_echo = Path(stack.enter_context(tempfile.TemporaryDirectory()), "echo")
    postgres = Postgres(Path(stack.enter_context(tempfile.TemporaryDirectory())))
    authority, stranger = Authority(folder, "authority"), Authority(folder, "stranger")
    own = authority.issue("gateway", *HERE)
    front, forged = authority.issue("front", "DNS:server.example.com"), stranger.issue("forged", *HERE)
    tls = server_tls(authority.issue("backend", "IP:127.0.0.1", f"DNS:{configuration.CERTIFIED_NAME}"))

    tcp, behind_tls = TcpBackends(tls, unix_echo), PythonBackend(tls)
    websocket = {"python": PythonBackend(), "node": NodeBackend(node_folder), "aiohttp": AiohttpBackend(tls)}
    redis, ssh = Redis(), Ssh(Path(stack.enter_context(tempfile.TemporaryDirectory())), folder.parent / "ssh")
    for backend in (tcp, behind_tls, *websocket.values(), redis, postgres, ssh):
        await backend.start(stack)

    files = folder / "files"
    files.mkdir(exist_ok=True)
    ports = {name: gateway.free_port() for name in LISTENERS}
    backend_ports = tcp.ports | {name: backend.port for name, backend in websocket.items()}
    backend_ports |= {"socketio": websocket["node"].socketio_port, "redis": redis.port}
    backend_ports["bulk"] = websocket["node"].bulk_port
    victims = {kind: gateway.free_port() for kind in ("tcp", "websocket")}
    backend_ports |= {f"victim_{kind}": port for kind, port in victims.items()}
    backend_ports["absent"] = gateway.free_port()
    backend_ports |= {"wss": behind_tls.port, "https": websocket["aiohttp"].tls_port}
    places = {"authority": authority.certificate, "stranger": stranger.certificate}
    places |= {"unix_echo": unix_echo, "postgres": postgres.socket, "files": files}
    config = folder / "tidegate.toml"
    by_name = [authority.issue(name, f"DNS:{name}") for name in SNI_NAMES]
    config.write_text(configuration.listeners(ports, own, by_name) + configuration.routes(backend_ports, places))
    running = await gateway.start(binary, config, ports)
    stack.push_async_callback(running.kill)
    certificates = {"authority": authority.certificate, "certificate": own, "front": front, "forged": forged}
    services = {"tcp": tcp, "websocket": websocket, "ssh": ssh, "postgres": postgres, "redis": redis}
    return Stage(binary, folder, node_folder, running, **services, **certificates, files=files, victims=victims, seed=seed)


def server_tls(made: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    return context

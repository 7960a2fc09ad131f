"""A whole way, set up as docs/rpc-frmwrk.md says: `tidegate connect`, Apache or nginx, `tidegate serve`, a service."""

import shlex
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import connector
import gateway
from apache import apache
from certificate import Certificate
from connector import Connector
from document import Document, replaced
from front import Front
from gateway import Gateway
from nginx import nginx
from stage import Stage

PAGE = Document("rpc-frmwrk.md")
HOST = "server.example.com"
LISTENER = "127.0.0.1:4133"
SERVICE = "tcp://127.0.0.1:4132"
OUR_LISTENER = f'[[listener]]\naddress = "{LISTENER}"\n'
AUTHORITY = "/etc/ssl/certs/tidegate-ca.pem"
PUBLIC = {"apache": ("*:443", "127.0.0.1:{}"), "nginx": ("listen 443", "listen 127.0.0.1:{}")}
PASSES = {
    "apache": "    ProxyPass /chat http://127.0.0.1:4133/ upgrade=websocket timeout=3600\n",
    "nginx": "        proxy_pass http://127.0.0.1:4133/;\n",
}


@dataclass(frozen=True)
class Setup:
    """One of the page's ways to put a web server in front of tidegate."""

    name: str
    server: str
    """`apache` or `nginx`, which is also the name of the block with the whole of it."""
    block: str = ""
    """Which block stands in the place of the line that passes requests on; none for the line itself."""
    modules: tuple[str, ...] = ()
    """What Apache loads beside what it always needs: no more than the block is said to need."""
    mistakes: Mapping[str, str] = field(default_factory=dict)
    """What is to be wrong in its configuration: right → wrong."""

    @property
    def secure(self) -> bool:
        """Whether it is TLS from the web server to tidegate: wherever that has a block of its own."""
        return bool(self.block)

    @property
    def verified(self) -> bool:
        """Whether the web server looks at tidegate's certificate; for rpc-frmwrk's example it is a stranger's."""
        return self.secure and self.block != "tunnel"

    @property
    def at_once(self) -> bool:
        """Whether both directions can be full at the same time: not with mod_proxy_wstunnel, whose thread waits to write."""
        return self.block != "tunnel"

    def front(self, stage: Stage, folder: Path, gateway_port: int) -> Front:
        port = gateway.free_port()
        text = PAGE.block(self.server)
        if self.block:
            text = replaced(text, f"```{self.server}", {PASSES[self.server]: PAGE.block(f"{self.server} {self.block}")})
        public, ours = PUBLIC[self.server]
        changes: dict[str, object] = {
            public: ours.format(port),
            ":4133/": f":{gateway_port}/",
            "/etc/ssl/certs/server.pem": stage.front.certificate,
            "/etc/ssl/private/server.key": stage.front.key,
            **self.mistakes,
        }
        if self.verified:
            changes[AUTHORITY] = stage.authority
        text = replaced(text, f"```{self.server} {self.block}", changes)
        return apache(folder, port, self.modules, text) if self.server == "apache" else nginx(folder, port, text)


APACHE = Setup("Apache", "apache", modules=("proxy_http",))
REWRITE = Setup("Apache, RewriteRule", "apache", "rewrite", ("proxy_http", "proxy_wstunnel", "rewrite"))
NGINX = Setup("nginx", "nginx")
SETUPS = (
    APACHE,
    Setup("Apache, verified TLS behind it", "apache", "verified", ("proxy_http",)),
    Setup("Apache, mod_proxy_wstunnel", "apache", "tunnel", ("proxy_wstunnel",)),
    REWRITE,
    NGINX,
    Setup("nginx, verified TLS behind it", "nginx", "verified"),
)


@dataclass(frozen=True)
class Chain:
    front: Front
    gateway: Gateway
    binary: Path
    flags: tuple[str | Path, ...]

    def connector(self, *flags: str) -> AbstractAsyncContextManager[Connector]:
        """The device's end, as the page has it; the web server is at a port of the run."""
        return connector.listening(self.binary, *self.flags, *flags)

    def command(self) -> str:
        """The same for a program that starts it by itself, as ssh does."""
        return shlex.join(map(str, (self.binary, "connect", "--no-proxy", *self.flags, "stdio:")))


@asynccontextmanager
async def chain(
    stage: Stage,
    setup: Setup,
    service: str,
    certificate: Certificate | None = None,
    changes: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[Chain]:
    """In front of `service`; with another certificate for tidegate, or with changes to its configuration."""
    parent = folder_of_all(stage)
    parent.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{setup.server}-{setup.block or 'plain'}-", dir=parent))
    port = gateway.free_port()
    config = folder / "tidegate.toml"
    made = certificate or (stage.certificate if setup.verified else stage.forged)
    places = {LISTENER: f"127.0.0.1:{port}", SERVICE: service}
    config.write_text(replaced(service_end(setup, made), "```toml", {**places, **changes}))
    description = folder / "exampledesc.json"
    description.write_text(PAGE.block("json"))
    async with AsyncExitStack() as stack:
        running = await gateway.start(stage.binary, config, {"only": port})
        stack.push_async_callback(running.kill)
        front = setup.front(stage, folder, port)
        stack.push_async_callback(front.stop)
        await front.start()
        there = f"127.0.0.1:{front.port}"
        yield Chain(front, running, stage.binary, ("--ca", stage.authority, "--connect-to", there, "--desc", description))


def service_end(setup: Setup, made: Certificate) -> str:
    text = PAGE.block("toml")
    if not setup.secure:
        return text
    files = {"/etc/tidegate/cert.pem": made.certificate, "/etc/tidegate/key.pem": made.key}
    return replaced(text, "```toml", {OUR_LISTENER: replaced(PAGE.block("toml tls"), "```toml tls", files)})


def folder_of_all(stage: Stage) -> Path:
    """Each chain of a run has a folder of its own in it, with its configurations and logs."""
    return stage.folder / "chains"

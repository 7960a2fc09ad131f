"""A configuration of mod_wstunnel, as lighttpd serves it and as the gateway does once it is imported: both say the same."""

import asyncio
import shutil
import signal
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gateway
from report import Check, equal
from stage import Stage

CONFIG = """
var.here = "127.0.0.1"
server.port = {port}
server.bind = here
server.document-root = "{folder}"
server.modules = ( "mod_wstunnel" )
wstunnel.server = (
    "/ws" => ( ( "host" => here, "port" => {one} ) ),
    ".vnc" => ( ( "host" => here, "port" => {two} ) ),
    "/pre/" => ( ( "host" => here, "port" => {three} ) ),
    "end" => ( ( "host" => here, "port" => {four} ) )
)
$HTTP["host"] == "origins.test" {{ wstunnel.origins = ( "https://example.com", "example.com" ) }}
$HTTP["host"] =~ "^(bytes|more)\\.test$" {{ wstunnel.frame-type = "binary" }}
$HTTP["host"] == "all.test" {{ wstunnel.server = ( "" => ( ( "host" => here, "port" => {five} ) ) ) }}
else $HTTP["host"] == "never.test" {{ wstunnel.frame-type = "binary" }}
"""
BACKENDS = ("one", "two", "three", "four", "five")
OTHERWISE = {"400": "no WebSocket", "404": "no WebSocket", "403": "refused"}
"""Where no key fits lighttpd looks for a file, and the gateway says that there are only files."""


@dataclass(frozen=True)
class Question:
    path: str
    host: str = "plain.test"
    origin: str = "https://any.test"
    offer: str = ""


PATHS = (
    *("/ws", "/ws/", "/ws/x", "/wsx", "/a/ws", "/ws?x=1", "/%77s", "/WS"),
    *("/x.vnc", "/ws/x.vnc", "/x.vnc/y", "/x.vnc?y=.z", "/q.VNC"),
    *("/pre", "/pre/", "/pre/x", "/prex", "/the/end", "/blend", "/end/", "/none"),
)
ORIGINS = (
    *("https://example.com", "http://example.com", "https://www.example.com", "http://a.b.example.com"),
    *("https://evilexample.com", "https://evil-example.com", "https://www.example.com:8443", "null"),
)
HOSTS = ("bytes.test", "more.test", "all.test", "all.test:8080", "ALL.TEST", "xall.test", "never.test")


def checks(stage: Stage) -> Iterator[Check]:
    questions = {
        "keys": [Question(path) for path in PATHS],
        "origins": [Question("/ws", "origins.test", origin) for origin in ORIGINS],
        "hosts": [Question(path, host) for host in HOSTS for path in ("/ws", "/elsewhere")],
        "subprotocols": [
            Question("/ws", host, offer=offer)
            for host in ("plain.test", "bytes.test")
            for offer in ("binary", "chat, binary")
        ],
    }
    for name, asked in questions.items():
        yield Check(f"lighttpd: mod_wstunnel's {name} are those of its import", partial(alike, stage, asked))


async def alike(stage: Stage, questions: list[Question]) -> None:
    async with AsyncExitStack() as stack:
        backends = {name: await stack.enter_async_context(naming(name)) for name in BACKENDS}
        there, here = gateway.free_port(), gateway.free_port()
        folder = stage.folder / "lighttpd"
        folder.mkdir(exist_ok=True)
        for name, port in (("there", there), ("here", here)):
            text = CONFIG.format(port=port, folder=folder, **backends)
            (stage.folder / f"lighttpd-{name}.conf").write_text(text)
        await lighttpd(stack, stage.folder, there)
        running = await gateway.start(stage.binary, await imported(stage), {"ws": here})
        stack.push_async_callback(running.kill)
        for question in questions:
            wanted = await said(there, question)
            equal(str(question), await said(here, question), wanted)
        equal("exit status", await running.drain(), 0)


async def imported(stage: Stage) -> Path:
    config = stage.folder / "lighttpd.toml"
    with config.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            stage.binary, "import", "lighttpd", stage.folder / "lighttpd-here.conf", stdout=output, stderr=DEVNULL
        )
        equal("exit status of the import", await process.wait(), 0)
    return config


async def lighttpd(stack: AsyncExitStack, folder: Path, port: int) -> None:
    """It ends with the stack."""
    binary = shutil.which("lighttpd") or "/usr/sbin/lighttpd"
    log = folder / "lighttpd.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            binary, "-D", "-f", folder / "lighttpd-there.conf", stdin=DEVNULL, stdout=output, stderr=output
        )
    stack.push_async_callback(stop, process)
    async with asyncio.timeout(gateway.START_SECONDS_MAX):
        await gateway.until_listening(gateway.Gateway(process, log, {}), port)


async def stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        await process.wait()


@asynccontextmanager
async def naming(name: str) -> AsyncIterator[int]:
    """The port of a backend that says its name and hangs up when its client does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(name.encode())
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def said(port: int, question: Question) -> object:
    """The backend that was reached, the type of its message and the subprotocol; or why there is none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    fields = {
        "Host": question.host,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Origin": question.origin,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": question.offer,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    writer.write(f"GET {question.path} HTTP/1.1\r\n{lines}\r\n".encode())
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        status = head[0].split()[1]
        if status != "101":
            return OTHERWISE.get(status, status)
        kind, length = await reader.readexactly(2)
        payload = await reader.readexactly(length)
        protocol = [line.partition(": ")[2] for line in head if line.startswith("sec-websocket-protocol")]
        # There are versions of lighttpd that answer one to those who offer none, which clients must not take.
        return payload.decode(), {0x81: "text", 0x82: "binary"}.get(kind), protocol if question.offer else []
    finally:
        writer.close()

"""Listeners: certificates by name, versions of TLS, TLS and plain on one port, hosts served, connections of one client."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

import gateway
from configuration import SERVED_NAME
from report import Check, Failed, equal
from stage import SNI_NAMES, Stage

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
CONNECTIONS_PER_CLIENT = 3


def checks(stage: Stage) -> Iterator[Check]:
    for name in SNI_NAMES:
        yield Check(f"a client that asks for {name} gets its certificate", partial(by_name, stage, name))
    title = "a client that asks for another name, or none, gets the first certificate"
    yield Check(title, partial(first_certificate, stage))
    for version in VERSIONS:
        yield Check(f"{version.name} alone is spoken", partial(one_version, stage, version))
    yield Check("TLS and plain connections on one port", partial(one_port, stage))
    yield Check("server_names: other hosts are 421, for both kinds of request", partial(server_names, stage))
    yield Check("max_connections_per_client: 503 for one address only, until one leaves", partial(quota, stage))


def dial(stage: Stage, url: str, listener: str, tls: ssl.SSLContext | None = None, **options: object) -> connect:
    """What the URL says, but to a listener of ours, wherever its name might lead."""
    address = {"host": "127.0.0.1", "port": stage.port(listener)}
    return connect(url, ssl=tls, proxy=None, compression=None, **address, **options)


async def echo(client: ClientConnection) -> None:
    await client.send(b"hello")
    equal("echo", await client.recv(), b"hello")


async def by_name(stage: Stage, name: str) -> None:
    tls = stage.tls("wss")
    async with dial(stage, f"wss://{name}/tcp", "sni", tls, server_hostname=name) as client:
        certificate = client.transport.get_extra_info("ssl_object").getpeercert()
        equal("names in the certificate", certificate["subjectAltName"], (("DNS", name),))
        await echo(client)


async def first_certificate(stage: Stage) -> None:
    try:
        async with dial(stage, "wss://third.example/tcp", "sni", stage.tls("wss"), server_hostname="third.example"):
            raise Failed("a certificate for a name that nobody has")
    except ssl.SSLCertVerificationError:
        pass
    # An address is no name that TLS could ask for.
    async with dial(stage, "wss://127.0.0.1/tcp", "sni", stage.tls("wss")) as client:
        await echo(client)


async def one_version(stage: Stage, version: ssl.TLSVersion) -> None:
    tls = stage.tls("wss")
    tls.minimum_version = tls.maximum_version = version
    async with dial(stage, "wss://127.0.0.1/tcp", "wss", tls) as client:
        spoken = client.transport.get_extra_info("ssl_object").version()
        equal("version", spoken, version.name.replace("_", "."))
        await echo(client)


async def one_port(stage: Stage) -> None:
    """Both at once, so that neither decides for the other."""
    async with (
        dial(stage, "wss://127.0.0.1/tcp", "auto", stage.tls("wss")) as secret,
        dial(stage, "ws://127.0.0.1/tcp", "auto") as plain,
    ):
        await asyncio.gather(echo(secret), echo(plain))
        equal("the plain one has no TLS", plain.transport.get_extra_info("ssl_object"), None)
    for scheme, tls in (("http", None), ("https", stage.tls("wss"))):
        async with dial(stage, f"{scheme.replace('http', 'ws')}://127.0.0.1/aiohttp/headers", "auto", tls) as client:
            equal(f"{scheme} is what the backend is told", f'"{scheme}"' in await client.recv(), True)


async def server_names(stage: Stage) -> None:
    for host in (SERVED_NAME, SERVED_NAME.upper()):
        async with dial(stage, f"ws://{host}:{stage.port('named')}/tcp", "named") as client:
            await echo(client)
    for host in ("other.example", f"www.{SERVED_NAME}", "127.0.0.1"):
        equal(f"status of an upgrade for {host}", await refusal(dial(stage, f"ws://{host}/tcp", "named")), 421)
        equal(f"status of a request for {host}", await plain_status(stage.port("named"), host), 421)


async def plain_status(port: int, host: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /files/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    line = await reader.readline()
    writer.close()
    return int(line.split()[1])


async def refusal(attempt: connect) -> int:
    try:
        async with attempt:
            return 101
    except InvalidStatus as error:
        return error.response.status_code


async def quota(stage: Stage) -> None:
    """With a gateway of its own: the limit is one of the whole gateway."""
    port = gateway.free_port()
    config = stage.folder / "quota.toml"
    config.write_text(
        f'max_connections_per_client = {CONNECTIONS_PER_CLIENT}\n[[listener]]\naddress = "127.0.0.1:{port}"\n'
        '[[route]]\npath = "/echo"\nbackend = "echo:"\n'
    )
    running = await gateway.start(stage.binary, config, {"ws": port})
    try:
        await fill_quota(f"ws://127.0.0.1:{port}/echo")
        equal("exit status", await running.drain(), 0)
    finally:
        await running.kill()


async def fill_quota(url: str) -> None:
    def client_at(address: str) -> connect:
        return connect(url, proxy=None, local_addr=(address, 0))

    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(client_at("127.0.0.3")) for _ in range(CONNECTIONS_PER_CLIENT)]
        equal("one too many", await refusal(client_at("127.0.0.3")), 503)
        equal("somebody else", await refusal(client_at("127.0.0.4")), 101)
        for client in clients:
            await echo(client)
        await clients[0].close()
        # The gateway may hear of the connection's end a moment after the client has.
        async with asyncio.timeout(10):
            while (status := await refusal(client_at("127.0.0.3"))) == 503:
                await asyncio.sleep(0.02)
        equal("after one has left", status, 101)

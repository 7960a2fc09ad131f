"""HAProxy in front of the gateway, which it announces its clients to, and behind it, where it says what it was told."""

import asyncio
import shutil
import signal
from asyncio.subprocess import DEVNULL
from contextlib import AsyncExitStack
from pathlib import Path

import gateway
from certificate import Certificate

FRONTS = {
    "version 1": ("", "send-proxy"),
    "version 2": ("", "send-proxy-v2 proxy-v2-options crc32c,unique-id"),
    "version 2 with TLS": ("ssl crt {pem}", "send-proxy-v2-ssl-cn"),
}
"""How it listens, and what it sends first."""

CONFIG = """
global
    maxconn 200
defaults
    timeout connect 20s
    timeout client 60s
    timeout server 60s
    unique-id-format %[uuid()]
frontend told
    mode http
    bind 127.0.0.1:{told} accept-proxy
    http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst_port] %[fc_pp_authority]"
{fronts}
"""

FRONT = """
listen front-{number}
    mode tcp
    bind 127.0.0.1:{port} {bind}
    server gateway 127.0.0.1:{gateway_port} source 127.0.0.2 {send}
"""


def ports() -> dict[str, int]:
    return {name: gateway.free_port() for name in ("told", *FRONTS)}


async def start(
    stack: AsyncExitStack, folder: Path, made: Certificate, ports: dict[str, int], gateway_port: int
) -> None:
    """It ends with the stack."""
    pem = folder / "haproxy.pem"
    pem.write_bytes(Path(made.certificate).read_bytes() + Path(made.key).read_bytes())
    fronts = "".join(
        FRONT.format(number=number, port=ports[name], bind=bind.format(pem=pem), send=send, gateway_port=gateway_port)
        for number, (name, (bind, send)) in enumerate(FRONTS.items())
    )
    config = folder / "haproxy.cfg"
    config.write_text(CONFIG.format(told=ports["told"], fronts=fronts))
    binary = shutil.which("haproxy") or "/usr/sbin/haproxy"
    log = folder / "haproxy.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            binary, "-db", "-f", config, stdin=DEVNULL, stdout=output, stderr=output
        )
    stack.push_async_callback(stop, process)
    async with asyncio.timeout(gateway.START_SECONDS_MAX):
        for port in ports.values():
            await gateway.until_listening(gateway.Gateway(process, log, {}), port)


async def stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        await process.wait()

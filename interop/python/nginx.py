"""nginx in front of the gateway, as its manual says a proxy for WebSockets is set up: it ends TLS and says so."""

import asyncio
import shutil
import signal
from asyncio.subprocess import Process
from contextlib import AsyncExitStack
from pathlib import Path

import gateway
from certificate import Certificate
from configuration import PROXY_ADDRESS

CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/nginx.body;
    proxy_temp_path {folder}/nginx.proxied;
    fastcgi_temp_path {folder}/nginx.fastcgi;
    uwsgi_temp_path {folder}/nginx.uwsgi;
    scgi_temp_path {folder}/nginx.scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        client_max_body_size 64m;
        location / {{
            proxy_pass http://127.0.0.1:{gateway_port};
            proxy_bind {proxy_address};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Forwarded-Port $server_port;
        }}
    }}
}}
"""


async def start(stack: AsyncExitStack, folder: Path, made: Certificate, gateway_port: int) -> int:
    """Its port. It ends with the stack."""
    port = gateway.free_port()
    config = folder / "nginx.conf"
    config.write_text(
        CONFIG.format(
            folder=folder,
            port=port,
            gateway_port=gateway_port,
            proxy_address=PROXY_ADDRESS,
            certificate=made.certificate,
            key=made.key,
        )
    )
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    log = folder / "nginx.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            binary, "-p", folder, "-c", config, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
        )
    stack.push_async_callback(stop, process)
    async with asyncio.timeout(gateway.START_SECONDS_MAX):
        await gateway.until_listening(gateway.Gateway(process, log, {}), port)
    return port


async def stop(process: Process) -> None:
    """By a signal that it can hear: its worker would outlive a killed master."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        await process.wait()

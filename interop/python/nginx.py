"""nginx with servers of the run."""

import shutil
from contextlib import AsyncExitStack
from pathlib import Path

import gateway
from certificate import Certificate
from configuration import PROXY_ADDRESS
from front import Front

MAIN = """\
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
{servers}
}}
"""

IN_FRONT = """
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
"""


def nginx(folder: Path, port: int, servers: str) -> Front:
    """`servers` is the text of its servers, which name `port` themselves."""
    config = folder / "nginx.conf"
    config.write_text(MAIN.format(folder=folder, servers=servers))
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    return Front([binary, "-p", folder, "-c", config], folder, port)


async def start(stack: AsyncExitStack, folder: Path, made: Certificate, gateway_port: int) -> int:
    """One in front of the whole gateway, as its manual says a proxy for WebSockets is set up: it ends TLS, and says so.

    Its port. It ends with the stack.
    """
    port = gateway.free_port()
    servers = IN_FRONT.format(
        port=port,
        gateway_port=gateway_port,
        proxy_address=PROXY_ADDRESS,
        certificate=made.certificate,
        key=made.key,
    )
    front = nginx(folder, port, servers)
    stack.push_async_callback(front.stop)
    await front.start()
    return port

"""What the gateway is told: its listeners, and a route of each kind to each backend."""

from collections.abc import Iterator
from pathlib import Path

from certificate import Certificate

PROXY_ADDRESS = "127.0.0.2"
"""Where the proxy in front connects from; the only one that the listener `proxied` believes."""

SERVED_NAME = "served.example"
CERTIFIED_NAME = "backend.example"
"""The name in the certificate of the TLS backends, beside their address."""

ROUTES = """
[[route]]
path = "/tcp"
backend = "tcp://127.0.0.1:{echo}"

[[route]]
path = "/echo"
backend = "echo:"

[[route]]
path = "/absent"
backend = "tcp://127.0.0.1:{absent}"

[[route]]
path = "/unix"
backend = "unix:{unix_echo}"

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
path = "/bulk"
backend = "tcp://127.0.0.1:{bulk}"

[[route]]
path = "/victim/tcp/*"
backend = "tcp://127.0.0.1:{victim_tcp}"
ping_interval = 0

[[route]]
path = "/victim/websocket/*"
backend = "ws://127.0.0.1:{victim_websocket}"
ping_interval = 0

[[route]]
path = "/python/*"
backend = "ws://127.0.0.1:{python}"

[[route]]
path = "/node/*"
backend = "ws://127.0.0.1:{node}"

[[route]]
path = "/aiohttp/*"
backend = "http://127.0.0.1:{aiohttp}"

[[route]]
path = "/socket.io/*"
backend = "http://127.0.0.1:{socketio}"

[[route]]
path = "/redis"
backend = "tcp://127.0.0.1:{redis}"

[[route]]
path = "/redis-by-token"
lookup = {{ kind = "redis", source = "127.0.0.1:{redis}:0::desktops" }}

[[route]]
path = "/postgres"
backend = "unix:{postgres}"

[[route]]
path = "/files/*"
backend = "file:{files}"
"""

ECHOES = {
    "/tcp": "tcp://127.0.0.1:{echo}",
    "/echo": "echo:",
    "/python/*": "ws://127.0.0.1:{python}",
}

VARIANTS = {
    "large": 'max_frame = "32MiB"\nmax_message = "32MiB"',
    "pinged": 'ping_interval = "200ms"',
}
"""Below a prefix of its own, the same echoes with something else than the defaults."""

TLS_BACKENDS = {
    "tls": "tls://127.0.0.1:{tls_echo}",
    "wss": "wss://127.0.0.1:{wss}",
    "https": "https://127.0.0.1:{https}",
}

TRUST = {
    "known": 'ca = "{authority}"',
    "named": f'ca = "{{authority}}", server_name = "{CERTIFIED_NAME}"',
    "unverified": "verify = false",
    "stranger": 'ca = "{stranger}"',
    "misnamed": 'ca = "{authority}", server_name = "other.example"',
}
"""What a route may be told about its backend's certificate; the last two must not connect."""


def listeners(ports: dict[str, int], own: Certificate, others: list[Certificate]) -> str:
    tls = {
        "wss": f"tls = {pair(own)}",
        "sni": f"tls = [{', '.join(map(pair, [own, *others]))}]",
        "auto": f'tls = "auto"\ncert = "{own.certificate}"\nkey = "{own.key}"',
        "proxied": f'trusted_proxies = ["{PROXY_ADDRESS}"]',
        "named": f'server_names = ["{SERVED_NAME}"]',
    }
    return "".join(
        f'\n[[listener]]\naddress = "127.0.0.1:{port}"\n{tls.get(name, "")}\n' for name, port in ports.items()
    )


def pair(made: Certificate) -> str:
    return f'{{ cert = "{made.certificate}", key = "{made.key}" }}'


def routes(ports: dict[str, int], places: dict[str, Path]) -> str:
    return "".join([ROUTES, *variant_routes(), *tls_routes()]).format(**ports, **places)


def variant_routes() -> Iterator[str]:
    for prefix, keys in VARIANTS.items():
        for path, backend in ECHOES.items():
            yield f'\n[[route]]\npath = "/{prefix}{path}"\nbackend = "{backend}"\n{keys}\n'


def tls_routes() -> Iterator[str]:
    for kind, backend in TLS_BACKENDS.items():
        for case, trust in TRUST.items():
            yield f'\n[[route]]\npath = "/{kind}/{case}/*"\nbackend = "{backend}"\nbackend_tls = {{{{ {trust} }}}}\n'

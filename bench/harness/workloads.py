"""The workloads by name, and the ratio to the best peer that each is held to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """`unit` says what the result is: cpu per message, per mebibyte or per connection, memory, or a time."""

    name: str
    kind: str
    tls: bool
    arguments: tuple
    unit: str
    target: float
    # Against the read/write relay.
    relay_target: float | None = None


MIB_FRAME = (1 << 20) - 1


def echo(name, kind, size, connections, depth, target, tls=False, relay_target=None):
    arguments = ("--mode", "echo", "--bytes", size, "--connections", connections, "--depth", depth)
    return Workload(name, kind, tls, arguments, "cpu/message", target, relay_target)


def stream(name, kind, mode, target):
    return Workload(name, kind, False, ("--mode", mode, "--connections", 10), "cpu/MiB", target)


def connect(name, kind, target, tls=False):
    return Workload(name, kind, tls, ("--mode", "connect", "--connections", 20), "cpu/connection", target)


def idle(name, kind, target, tls=False):
    return Workload(name, kind, tls, ("--mode", "idle",), "bytes/connection", target)


def at_rate(name, kind):
    return Workload(name, kind, False, ("--mode", "rate"), "p99", 1.0)


def fair(name, kind):
    return Workload(name, kind, False, ("--mode", "fair", "--connections", 10), "p99", 1.0)


def local(name, *arguments):
    """What is measured is a client: local connections that it makes WebSockets of."""
    unit = "cpu/MiB" if "echo" not in arguments else "cpu/message"
    return Workload(name, "local", False, ("--mode", *arguments), unit, 1.0)


WORKLOADS = [
    echo("ws-tcp-echo-128", "tcp", 128, 100, 1, 0.85, relay_target=1.05),
    echo("ws-tcp-echo-128x16", "tcp", 128, 100, 16, 0.62),
    echo("ws-tcp-echo-16k", "tcp", 16 << 10, 100, 1, 0.35),
    echo("ws-tcp-echo-1m", "tcp", MIB_FRAME, 10, 1, 0.30),
    stream("ws-tcp-down", "tcp", "down", 0.40),
    stream("ws-tcp-up", "tcp", "up", 0.28),
    echo("ws-ws-echo-128", "ws", 128, 100, 1, 1.00),
    echo("ws-ws-echo-128x16", "ws", 128, 100, 16, 1.00),
    echo("ws-ws-echo-16k", "ws", 16 << 10, 100, 1, 0.90),
    echo("ws-ws-echo-1m", "ws", MIB_FRAME, 10, 1, 0.60),
    stream("ws-ws-down", "ws", "down", 0.55),
    stream("ws-ws-up", "ws", "up", 0.75),
    connect("ws-tcp-connect", "tcp", 0.95),
    connect("ws-ws-connect", "ws", 0.90),
    echo("wss-ws-echo-128", "ws", 128, 100, 1, 0.90, tls=True),
    echo("wss-ws-echo-16k", "ws", 16 << 10, 100, 1, 0.65, tls=True),
    echo("wss-tcp-echo-128", "tcp", 128, 100, 1, 0.75, tls=True),
    echo("wss-tcp-echo-16k", "tcp", 16 << 10, 100, 1, 0.28, tls=True),
    connect("wss-tcp-connect", "tcp", 0.50, tls=True),
    connect("wss-ws-connect", "ws", 0.50, tls=True),
    idle("ws-tcp-idle", "tcp", 2000),
    idle("ws-ws-idle", "ws", 2000),
    idle("wss-tcp-idle", "tcp", 6500, tls=True),
    idle("wss-ws-idle", "ws", 6500, tls=True),
    local("local-echo-128", "echo", "--bytes", 128, "--connections", 100),
    local("local-echo-16k", "echo", "--bytes", 16 << 10, "--connections", 100),
    local("local-down", "down", "--connections", 10),
    local("local-up", "up", "--connections", 10),
    at_rate("ws-tcp-rate-10k", "tcp"),
    at_rate("ws-ws-rate-10k", "ws"),
    fair("ws-tcp-fair", "tcp"),
    fair("ws-ws-fair", "ws"),
]


def value(unit, report):
    """The one number that a cell is compared by; less is better."""
    if unit == "cpu/message":
        return report["cpu_ns"] / max(report["messages"], 1) / 1e3
    if unit == "cpu/MiB":
        return report["cpu_ns"] / max(report["bytes"] / (1 << 20), 1e-9) / 1e3
    if unit == "cpu/connection":
        return report["cpu_ns"] / max(report["connections"], 1) / 1e3
    if unit == "bytes/connection":
        return report["idle_bytes"]
    return report["micros_p99"]


def rate(unit, report):
    """How much of it there was in a second."""
    seconds = report["seconds"] or 1
    amount = {"cpu/MiB": report["bytes"] / (1 << 20), "cpu/connection": report["connections"]}
    return amount.get(unit, report["messages"]) / seconds

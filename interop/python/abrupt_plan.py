"""What one connection of the abrupt ends does, all of it from a seed: what each side says, in which pieces, and how it ends."""

import math
import random
from dataclasses import dataclass
from typing import Literal

import payload
from raw_client import BINARY, CLOSE, CONTINUATION, frame

STREAM_BYTES_MAX = 400_000
MESSAGE_BYTES_MAX = 50_000
NUMBER_BYTES = 4
CLOSE_CODES = (1000, 1001, 3000, 4999)

Ending = Literal["close", "fin", "reset", "wait"]
"""A clean Close between two frames; FIN without one; RST in the middle; or waiting for the other side's end."""

GROUPS: list[tuple[str, str, Ending]] = [
    (scheme, kind, end) for scheme in ("ws", "wss") for kind in ("tcp", "websocket") for end in ("close", "fin", "reset", "wait")
]
"""Scheme, kind of backend, and how the client ends."""


@dataclass(frozen=True)
class Side:
    stream: bytes
    """All it would say: frames, or to be in and from a TCP backend plain bytes."""
    boundaries: list[int]
    """Places between two frames."""
    ending: Ending
    cut: int
    """How much of the stream goes out before the ending."""
    closing: tuple[int, str]
    """Code and reason of its Close."""
    mask: bytes | None
    """Of its Close; None: a backend."""
    waits: bool
    """Ends only when it has all that the other side has to say."""
    piece_bytes_max: int
    read_bytes: int
    narrow: bool
    """The system's receive buffer is a small one."""


@dataclass(frozen=True)
class Plan:
    seed: str
    number: int
    scheme: str
    kind: str
    """Of the backend: `tcp` or `websocket`."""
    client: Side
    backend: Side


def make(run_seed: str, number: int) -> Plan:
    """The groups take turns, so that each has its share whatever the seed."""
    seed = f"{run_seed}/{number}"
    chooser = random.Random(f"abrupt {seed}")
    scheme, kind, client_end = GROUPS[number % len(GROUPS)]
    ends: tuple[Ending, ...] = ("fin", "reset") if kind == "tcp" else ("fin", "reset", "close")
    backend_end = "wait" if client_end != "wait" and chooser.random() < 0.7 else chooser.choice(ends)
    # First of all the client says who it is: a TCP backend learns it from nothing else.
    greeting = frame(BINARY, number.to_bytes(NUMBER_BYTES), chooser.randbytes(4))
    client = side(chooser, client_end, greeting, masked=True, waits=backend_end == "wait" and chooser.random() < 0.5)
    backend = side(chooser, backend_end, b"", masked=False, raw=kind == "tcp")
    return Plan(seed, number, scheme, kind, client, backend)


def side(
    chooser: random.Random, ending: Ending, greeting: bytes, masked: bool, raw: bool = False, waits: bool = False
) -> Side:
    def mask() -> bytes | None:
        return chooser.randbytes(4) if masked else None

    size = int(math.exp(chooser.uniform(0, math.log(STREAM_BYTES_MAX))))
    stream, boundaries = bytearray(greeting), [len(greeting)]
    while size > 0:
        message = chooser.randbytes(min(size, int(math.exp(chooser.uniform(0, math.log(MESSAGE_BYTES_MAX))))))
        size -= len(message)
        if raw:
            stream += message
            continue
        parts = payload.pieces(chooser.random(), message, chooser.randint(1, 4))
        for index, part in enumerate(parts):
            stream += frame(CONTINUATION if index else BINARY, part, mask(), fin=index == len(parts) - 1)
            boundaries.append(len(stream))

    closing = (chooser.choice(CLOSE_CODES), chooser.choice(("", "enough", "prêt")))
    return Side(
        bytes(stream),
        boundaries,
        ending,
        cut(chooser, ending, boundaries, len(greeting), len(stream), waits),
        closing,
        mask(),
        waits and ending == "close",
        chooser.choice((1, 100, 5000, 70_000)) + len(stream) // 50,
        chooser.choice((1000, 1 << 14, 1 << 16)) + len(stream) // 50,
        chooser.random() < 0.3,
    )


def cut(chooser: random.Random, ending: Ending, boundaries: list[int], start: int, end: int, waits: bool) -> int:
    """In half of the cases after everything; but a reset is to strike in the middle."""
    if ending == "wait" or waits or (ending != "reset" and chooser.random() < 0.5):
        return end
    if ending == "close":
        return chooser.choice(boundaries)
    return chooser.randint(start, end)


def close_frame(code: int, reason: str, mask: bytes | None) -> bytes:
    return frame(CLOSE, code.to_bytes(2) + reason.encode(), mask)

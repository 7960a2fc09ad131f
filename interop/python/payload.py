"""Data to send: the same for the same seed, never the same twice in a row, so that nothing can pass by luck."""

import random

SIZES = (0, 1, 125, 126, 127, 1000, 65_535, 65_536, 262_144, 1_048_576)
"""Around every border of the length field, and up to the default `max_frame`."""

MIB = 1 << 20


def binary(seed: object, size: int) -> bytes:
    return random.Random(f"{seed}").randbytes(size)


def text(seed: object, size: int) -> str:
    """`size` characters of one to four bytes each."""
    return "".join(random.Random(f"{seed}").choices("aé€𝄞 ", k=size))


def pieces(seed: object, data: bytes, count: int) -> list[bytes]:
    """`data` cut at random places; empty pieces are as good as any."""
    chooser = random.Random(f"{seed}")
    cuts = [0, *sorted(chooser.choices(range(len(data) + 1), k=count - 1)), len(data)]
    return [data[start:end] for start, end in zip(cuts, cuts[1:])]

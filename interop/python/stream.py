"""Streams of any length that come from a seed, so that neither end has to keep one."""

import hashlib
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator

import payload

READ_BYTES = 1 << 18
STEP = 7919
"""From one block to the next in the pool: no two of them are the same, so none can be missing or stand twice unseen."""


def blocks(seed: object, size: int) -> Iterator[bytes]:
    pool = payload.binary(seed, 2 * payload.MIB)
    start = 0
    while size > 0:
        yield pool[start : start + min(size, payload.MIB)]
        size -= payload.MIB
        start = (start + STEP) % payload.MIB


def digest(seed: object, size: int) -> tuple[int, str]:
    """Of the first `size` bytes."""
    sum_ = hashlib.sha256()
    for block in blocks(seed, size):
        sum_.update(block)
    return size, sum_.hexdigest()


async def send(writer: StreamWriter, seed: object, size: int) -> None:
    for block in blocks(seed, size):
        writer.write(block)
        await writer.drain()


class Sum:
    """Of what has been received so far."""

    def __init__(self) -> None:
        self.bytes = 0
        self.sum = hashlib.sha256()

    async def read(self, reader: StreamReader, size: int) -> bool:
        """Up to `size` bytes in all; whether there were as many before the end."""
        while self.bytes < size:
            data = await reader.read(min(READ_BYTES, size - self.bytes))
            if not data:
                return False
            self.bytes += len(data)
            self.sum.update(data)
        return True

    def digest(self) -> tuple[int, str]:
        return self.bytes, self.sum.hexdigest()

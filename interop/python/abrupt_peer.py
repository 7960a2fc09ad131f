"""One end of a connection with an abrupt end: says its part while it reads, ends as planned or as it is told, and keeps
what it saw for the oracle."""

import asyncio
import bisect
import random
from collections.abc import Callable

import abrupt_plan
from abrupt_plan import Plan, Side
from transcript import Transcript
from wire import Wire


class Peer:
    def __init__(self, plan: Plan, side: Side, other: Side, wire: Wire, received: Transcript | bytearray) -> None:
        self.side = side
        self.wire = wire
        self.received = received
        """Plain bytes at a TCP backend."""
        self.chooser = random.Random(f"pieces {plan.seed} {side is plan.client}")
        self.all_of_other = payload_bytes(plan, other)
        self.sent = 0
        """Bytes of the stream that the system has taken."""
        self.struck = False
        """It was this side that ended, and nothing had told it of another end before."""
        self.ending = ""
        """How the other direction ended: `fin` or `reset`; `own` where that was for this side to say."""
        self.changed = asyncio.Event()
        if side.narrow:
            wire.narrow()

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self.reading = group.create_task(self.read())
                group.create_task(self.write())
        finally:
            self.wire.close()

    async def read(self) -> None:
        try:
            while data := await self.wire.receive(self.side.read_bytes):
                self.feed(data)
                self.changed.set()
            self.ending = "fin"
        except OSError:
            self.ending = "reset"
        self.changed.set()

    def feed(self, data: bytes) -> None:
        if isinstance(self.received, Transcript):
            self.received.feed(data)
        else:
            self.received += data

    def is_told(self) -> bool:
        """That there is no more to say. To bytes over TCP the other side's FIN is no end: the answer is still due."""
        if isinstance(self.received, Transcript):
            return bool(self.ending) or self.received.close is not None
        return self.ending == "reset"

    def has_all(self) -> bool:
        return isinstance(self.received, Transcript) and self.received.payload_bytes >= self.all_of_other

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.changed.clear()
            await self.changed.wait()

    async def write(self) -> None:
        try:
            await self.say(self.side.cut, self.is_told)
            await self.end()
        except OSError:
            pass  # whoever takes no more is heard of by reading
        await self.until(lambda: bool(self.ending))

    async def say(self, end: int, stop: Callable[[], bool]) -> None:
        while self.sent < end and not stop():
            size = self.chooser.randint(1, self.side.piece_bytes_max)
            piece = self.side.stream[self.sent : min(end, self.sent + size)]
            await self.wire.send(piece)
            self.sent += len(piece)

    async def end(self) -> None:
        if self.side.ending == "wait":
            await self.until(lambda: bool(self.ending) or self.is_told())
        elif self.side.waits:
            await self.until(lambda: self.has_all() or self.is_told())
        self.struck = not self.is_told() and self.side.ending != "wait"
        if not self.struck:
            await self.answer()
        elif self.side.ending == "close":
            await self.wire.send(abrupt_plan.close_frame(*self.side.closing, self.side.mask))
        elif self.side.ending == "fin":
            self.wire.fin()
        else:
            # Nobody may be waiting for a socket that is closed: its number may soon be another's.
            self.reading.cancel()
            await asyncio.wait([self.reading])
            self.wire.reset()
            self.ending = "own"

    async def answer(self) -> None:
        """To a Close with one, as soon as the frame under way is done; to a FIN over TCP with one."""
        if not isinstance(self.received, Transcript):
            self.wire.fin()
        elif self.received.close is not None:
            boundaries = self.side.boundaries
            await self.say(boundaries[bisect.bisect_left(boundaries, self.sent)], lambda: False)
            code, _ = self.received.close
            await self.wire.send(abrupt_plan.close_frame(code, "", self.side.mask))


def payload_bytes(plan: Plan, side: Side) -> int:
    if side is plan.backend and plan.kind == "tcp":
        return len(side.stream)
    return Transcript.of(side.stream, masked=side is plan.client).payload_bytes

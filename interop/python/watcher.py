"""A client of the victim: it keeps its connection busy, and says afterwards how that ended."""

import asyncio
import ssl
from typing import Literal

import raw_websocket
from abrupt_plan import close_frame
from raw_client import BINARY, frame
from report import Failed
from transcript import Transcript
from victim import BLOCK, ECHO, MESSAGES, STREAM
from wire import Wire

Habit = Literal["trips", "listens", "streams"]
"""One echo after the other; only takes what comes; sends all the while, more than the victim ever reads."""

UNDER_WAY_BYTES = 1 << 20
"""So much is taken before the victim is killed, and the rest of what it has sent by then only afterwards."""

READ_BYTES = 1 << 16
MASK = b"mask"
TRIP = BLOCK[:1000]
UPLOAD = frame(BINARY, BLOCK[:50_000], MASK)


class Watcher:
    def __init__(self, kind: str, habit: Habit, wire: Wire, received: Transcript) -> None:
        self.kind = kind
        self.habit = habit
        self.wire = wire
        self.received = received
        self.ended = False
        self.killed = asyncio.Event()
        self.changed = asyncio.Event()

    @classmethod
    async def open(cls, port: int, tls: ssl.SSLContext | None, path: str, kind: str, habit: Habit) -> "Watcher":
        mode = ECHO if habit == "trips" else STREAM
        # Over TCP the first byte says what is wanted; with `streams` more comes with it, so that some stays unread.
        first = mode if kind == "tcp" else ""
        opened = await raw_websocket.open(port, tls, f"{path}/{mode}")
        watcher = cls(kind, habit, *opened)
        if first:
            rest = BLOCK[:100] if habit == "streams" else b""
            await watcher.wire.send(frame(BINARY, first.encode() + rest, MASK))
        return watcher

    async def run(self) -> None:
        """Until the connection has ended."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.read())
                group.create_task(self.write())
        finally:
            self.wire.close()

    async def read(self) -> None:
        try:
            while data := await self.wire.receive(READ_BYTES):
                self.received.feed(data)
                self.changed.set()
                if self.received.payload_bytes >= UNDER_WAY_BYTES:
                    await self.killed.wait()
        except OSError as error:
            raise Failed(f"{self.habit}: the connection ended by {error}") from None
        finally:
            self.ended = True
            self.changed.set()

    async def write(self) -> None:
        trips = 0
        while not self.told():
            if self.habit == "streams":
                await self.wire.send(UPLOAD)
            elif self.habit == "trips" and self.received.payload_bytes >= trips * len(TRIP):
                await self.wire.send(frame(BINARY, TRIP, MASK))
                trips += 1
            else:
                await self.change()
        if self.received.close:
            await self.wire.send(close_frame(self.received.close[0], "", MASK))

    async def change(self) -> None:
        self.changed.clear()
        await self.changed.wait()

    async def under_way(self) -> None:
        while self.received.payload_bytes < (10 * len(TRIP) if self.habit == "trips" else UNDER_WAY_BYTES):
            if self.told():
                raise Failed(f"{self.habit}: ended before its time, with {self.received.close}")
            await self.change()

    def told(self) -> bool:
        return self.ended or self.received.close is not None

    def check(self) -> None:
        """That it has the beginning of what there was to come, and the ending that the contract gives it."""
        source = [TRIP] if self.habit == "trips" else [BLOCK] if self.kind == "tcp" else MESSAGES
        self.check_beginning(source)
        found = self.received.close[0] if self.received.close else None
        if found not in self.endings():
            raise Failed(f"{self.habit}: told {found}, where only {self.endings()} is true")

    def check_beginning(self, source: list[bytes]) -> None:
        if self.kind == "tcp":
            data, block = self.received.data(), b"".join(source)
            whole = (block * (len(data) // len(block) + 1))[: len(data)]
            if data != whole:
                raise Failed(f"{self.habit}: the {len(data)} bytes are not those that were sent")
            return
        unfinished = self.received.unfinished()
        for number, (_, message) in enumerate(self.received.messages):
            if message != source[number % len(source)]:
                raise Failed(f"{self.habit}: message {number} is not the one that was sent")
        if unfinished and not source[len(self.received.messages) % len(source)].startswith(unfinished[1]):
            raise Failed(f"{self.habit}: the message that was cut is not the one that was sent")

    def endings(self) -> set[int | None]:
        if self.kind == "websocket":
            # A Close has no place inside a frame that was cut.
            return {1011} if self.received.at_boundary() else {None}
        # Of a process that has read everything the system ends connections as if it had closed them; of one that
        # has not, by a reset. An echo may be killed in either state.
        return {"listens": {1000}, "streams": {1011}, "trips": {1000, 1011}}[self.habit]

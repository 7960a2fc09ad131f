"""What one side has said in WebSocket frames so far, down to the last byte of a frame that was cut."""

import struct
from dataclasses import dataclass, field

from raw_client import CLOSE, CONTINUATION, unmask
from report import Failed

Message = tuple[int, bytes]
"""Opcode and payload."""


@dataclass
class Transcript:
    masked: bool
    """Whether a client speaks."""
    messages: list[Message] = field(default_factory=list)
    """The finished ones."""
    open: Message | None = None
    """The fragments of a message whose last one has not come."""
    close: tuple[int, str] | None = None
    """1005: without a code."""
    rest: bytearray = field(default_factory=bytearray)
    """The beginning of a frame."""
    payload_bytes: int = 0
    """Of all frames that are whole."""

    @classmethod
    def of(cls, data: bytes, masked: bool) -> "Transcript":
        made = cls(masked)
        made.feed(data)
        return made

    def feed(self, data: bytes) -> None:
        self.rest += data
        while (head := header(self.rest)) and len(self.rest) >= head.length + head.size:
            payload = head.payload(self.rest)
            del self.rest[: head.length + head.size]
            self.take(head, payload)

    def take(self, head: "Header", payload: bytes) -> None:
        self.payload_bytes += len(payload)
        if (head.mask is not None) != self.masked:
            raise Failed(f"a frame with opcode {head.opcode:#x}, masked: {not self.masked}")
        if self.close is not None:
            raise Failed(f"a frame with opcode {head.opcode:#x} after the Close")
        if head.opcode == CLOSE:
            self.close = (struct.unpack("!H", payload[:2])[0], payload[2:].decode()) if payload else (1005, "")
        elif head.opcode > CLOSE:
            raise Failed(f"a control frame with opcode {head.opcode:#x}, which nobody sent")
        elif (head.opcode == CONTINUATION) == (self.open is None):
            raise Failed(f"a frame with opcode {head.opcode:#x}, fragments under way: {self.open is not None}")
        else:
            opcode, before = self.open or (head.opcode, b"")
            message = (opcode, before + payload)
            self.open = None if head.fin else message
            if head.fin:
                self.messages.append(message)

    def unfinished(self) -> Message | None:
        """The message that has begun and not ended, with what came of a frame that was cut."""
        head = header(self.rest)
        if head is None or head.opcode >= CLOSE:
            return self.open
        opcode, before = self.open or (head.opcode, b"")
        return opcode, before + head.payload(self.rest)

    def at_boundary(self) -> bool:
        """Between two frames."""
        return not self.rest

    def data(self) -> bytes:
        """All payload, in which messages mean nothing."""
        unfinished = self.unfinished()
        parts = [payload for _, payload in self.messages]
        return b"".join([*parts, unfinished[1] if unfinished else b""])

    def is_prefix_of(self, whole: "Transcript") -> bool:
        """Nothing but what the other one has, in its order, and no message finished that is not finished there."""
        count = len(self.messages)
        if self.messages != whole.messages[:count]:
            return False
        unfinished = self.unfinished()
        if unfinished is None:
            return True
        source = whole.messages[count] if count < len(whole.messages) else whole.unfinished()
        return source is not None and source[0] == unfinished[0] and source[1].startswith(unfinished[1])


@dataclass(frozen=True)
class Header:
    fin: bool
    opcode: int
    mask: bytes | None
    length: int
    """Its own bytes."""
    size: int
    """Those of the payload."""

    def payload(self, frame: bytearray) -> bytes:
        """As much of it as there is."""
        present = bytes(frame[self.length : self.length + self.size])
        return unmask(present, self.mask) if self.mask else present


def header(data: bytearray) -> Header | None:
    """None: it has not come to its end."""
    if len(data) < 2:
        return None
    short = data[1] & 0x7F
    extended = {126: 2, 127: 8}.get(short, 0)
    masked = bool(data[1] & 0x80)
    end = 2 + extended + 4 * masked
    if len(data) < end:
        return None
    if data[0] & 0x70:
        raise Failed(f"reserved bits are set: {data[0]:#04x}")
    size = int.from_bytes(data[2 : 2 + extended]) if extended else short
    mask = bytes(data[end - 4 : end]) if masked else None
    return Header(bool(data[0] & 0x80), data[0] & 0x0F, mask, end, size)

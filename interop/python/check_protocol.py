"""The protocol library beside the one of Python `websockets`: both read the same streams and must hear the same.

The streams are random and many of them damaged; SEED makes them. Where the two differ, one rule of `DIFFERENCES` must
say why, and which section of the RFC decides it.
"""

import asyncio
import json
import os
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from report import Check, Failed, equal
from stage import Stage

STREAMS = 4000
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).parents[2] / "target"))
DECODE_STREAM = TARGET / "debug" / "examples" / "decode_stream"


def checks(stage: Stage) -> Iterator[Check]:
    for side in ("server", "client"):
        for coding in ("plain", "deflate"):
            name = f"python protocol: {STREAMS} streams, heard by a {side}, {coding}, as websockets hears them"
            yield Check(name, partial(compare, stage, side, coding))


@dataclass(frozen=True)
class Heard:
    said: list[list[str]]
    """Pairs of a kind and bytes in hexadecimal."""
    end: Any
    """"open", "closed", or a fault: its name and code."""

    @property
    def fault(self) -> str | None:
        """The name, without what it found."""
        return self.end["fault"].split("(")[0] if isinstance(self.end, dict) else None

    @property
    def code(self) -> int | None:
        return self.end["code"] if isinstance(self.end, dict) else None

    def begins(self, other: "Heard") -> bool:
        return other.said[: len(self.said)] == self.said


async def compare(stage: Stage, side: str, coding: str) -> None:
    source = random.Random(f"{stage.seed} {side} {coding}")
    streams = [stream(source, side, coding) for _ in range(STREAMS)]
    found = await ours([f"{side} {coding} {made.hex()}" for made in streams])
    equal("answers", len(found), len(streams))
    kinds = set()
    for made, us in zip(streams, found):
        them = theirs(side, coding, made)
        kind = difference(us, them)
        if kind is None:
            raise Failed(f"seed {stage.seed}: {side} {coding} {made.hex()}: {us}, but websockets {them}")
        kinds.add(kind)
    # Streams that are all good, or all bad, would prove little.
    if not {"same", "fails earlier"} <= kinds:
        raise Failed(f"seed {stage.seed}: the streams are too tame, only {sorted(kinds)}")


async def ours(lines: list[str]) -> list[Heard]:
    """Each line is one for crates/tidegate-proto/examples/decode_stream.rs."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(DECODE_STREAM, stdin=pipe, stdout=pipe)
    out, _ = await process.communicate("".join(f"{line}\n" for line in lines).encode())
    equal("decode_stream's exit status", process.returncode, 0)
    return [Heard(**json.loads(line)) for line in out.splitlines()]


def theirs(side: str, coding: str, made: bytes) -> Heard:
    protocol = Protocol(Side.SERVER if side == "server" else Side.CLIENT, max_size=1 << 20)
    deflate = PerMessageDeflate(False, False, 15, 15)
    protocol.extensions = [deflate] if coding == "deflate" else []
    protocol.receive_data(made)
    said: list[list[str]] = []
    message: tuple[Opcode, bytearray] | None = None
    for frame in protocol.events_received():
        assert isinstance(frame, Frame)
        if frame.opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE):
            said.append([frame.opcode.name.lower(), bytes(frame.data).hex()])
            continue
        kind, data = message or (frame.opcode, bytearray())
        data.extend(frame.data)
        message = None if frame.fin else (kind, data)
        if frame.fin:
            # Of text, whoever uses that layer is to judge the whole message.
            if kind is Opcode.TEXT and not is_text(data):
                return Heard(said, {"fault": "text", "code": 1007})
            said.append([kind.name.lower(), data.hex()])
    if deflate.decoder.eof:
        return Heard(said, {"fault": "stream ended", "code": 0})
    if protocol.parser_exc is not None:
        code = protocol.close_sent.code if protocol.close_sent else 1002
        return Heard(said, {"fault": str(protocol.parser_exc), "code": int(code)})
    return Heard(said, "closed" if protocol.close_rcvd else "open")


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


# Each: what it is called, and whether it explains what we (the first) and they heard.
DIFFERENCES: list[tuple[str, Callable[[Heard, Heard], bool]]] = [
    # RFC 6455 §5.2 demands the shortest form of a length, and §5.5 leaves a control frame no other. They take any.
    (
        "length not minimal",
        lambda us, them: us.fault in ("LengthNotMinimal", "ControlTooLong") and us.begins(them),
    ),
    # §5.2 demands that the top bit of a length is 0. To them it is just a large number: 1009 and not 1002.
    ("top bit", lambda us, them: us.fault == "LengthTopBit" and us.said == them.said and them.code == 1009),
    # §5.4 allows control frames inside a fragmented message, Close among them. They take that one for a breach.
    (
        "close in a message",
        lambda us, them: us.end == "closed" and them.fault == "incomplete fragmented message"
        and us.said[:-1] == them.said,
    ),
    # §7.1.7 says that there is a fault to be told, not which of two in one frame: they judge its size before its
    # reserved bits and its place in a message.
    (
        "another fault of the same frame",
        lambda us, them: us.said == them.said and {us.code, them.code} == {1002, 1009},
    ),
    # The same of a Close: they judge its reason before its code.
    (
        "another fault of the same frame",
        lambda us, them: us.fault == "CloseCodeInvalid" and us.said == them.said and them.code == 1007,
    ),
    # §8.1 has a connection fail over text that is not UTF-8, and does not say how soon: we look at each byte as it
    # comes, they at the end of the message, before which there may be control frames.
    ("fails earlier", lambda us, them: us.fault == "InvalidUtf8" and us.begins(them)),
    # The same for headers: they wait for the end of the frame, or of its length, before they judge what is before it.
    ("fails earlier", lambda us, them: us.fault is not None and us.said == them.said and them.end == "open"),
    # RFC 7692 §7.2.3.4 allows a last block with others behind it. zlib ends there and says nothing of what follows.
    ("behind the last block", lambda us, them: them.fault == "stream ended"),
    # RFC 7692 §7.2.2 makes a message end with a whole block. They hand out what there is of one that does not.
    (
        "ends inside a block",
        lambda us, them: us.fault == "InvalidDeflate" and "Truncated" in us.end["fault"] and us.begins(them),
    ),
    # No RFC says which code answers what is not DEFLATE: 1007 is ours, 1002 theirs.
    (
        "code for what is not deflate",
        lambda us, them: us.code == 1007 and them.fault == "decompression failed" and us.said == them.said,
    ),
]


def difference(us: Heard, them: Heard) -> str | None:
    if us.said == them.said and (us.end == them.end or (us.code is not None and us.code == them.code)):
        return "same"
    return next((name for name, explains in DIFFERENCES if explains(us, them)), None)


# ---- the streams


def stream(source: random.Random, side: str, coding: str) -> bytes:
    codec = zlib.compressobj(source.choice((0, 1, 6, 9)), zlib.DEFLATED, -15)
    made = bytearray()
    for _ in range(source.randrange(5)):
        made += message(source, side, codec if coding == "deflate" and source.random() < 0.7 else None)
    for _ in range(source.choice((0, 0, 1, 2))):
        if made:
            made[source.randrange(len(made))] ^= source.randrange(256)
    if source.random() < 0.2:
        del made[source.randrange(len(made) + 1) :]
    return bytes(made)


def message(source: random.Random, side: str, codec: Any) -> bytes:
    """The frames of a message, or of something like one, with control frames between them."""
    opcode, data = source.choice(((1, text(source)), (2, source.randbytes(source.randrange(300))), (9, b"?")))
    if source.random() < 0.1:
        return frame(source, side, 0x88, close(source))
    if opcode == 9:
        return frame(source, side, source.choice((0x89, 0x8A)), source.randbytes(source.choice((0, 5, 125, 126))))
    first = opcode
    if codec:
        data = (codec.compress(data) + codec.flush(zlib.Z_SYNC_FLUSH))[:-4] or b"\0"
        first |= 0x40
    cuts = sorted(source.randrange(len(data) + 1) for _ in range(source.choice((0, 0, 1, 3))))
    parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)])]
    made = b""
    for index, part in enumerate(parts):
        fin = 0x80 if index == len(parts) - 1 else 0
        made += frame(source, side, fin | (0 if index else first), part)
        if not fin and source.random() < 0.3:
            made += frame(source, side, 0x89, b"between")
    return made


def text(source: random.Random) -> bytes:
    words = "".join(source.choice("aé€𝄞 ") for _ in range(source.randrange(60))).encode()
    return words + source.choice((b"",) * 9 + (b"\xff", b"\xed\xa0\x80", b"\xe2\x82"))


def close(source: random.Random) -> bytes:
    code = source.choice((1000, 1001, 1004, 1005, 1006, 1011, 1014, 1015, 1016, 2999, 3000, 4999, 5000))
    return source.choice((b"", b"\x03", struct.pack(">H", code) + source.choice((b"", b"bye", b"\xff"))))


def frame(source: random.Random, side: str, first: int, data: bytes) -> bytes:
    if source.random() < 0.02:
        first ^= source.choice((0x10, 0x20, 0x40, 0x80, 3, 11))
    masks = (side == "server") != (source.random() < 0.01)
    bit = 0x80 if masks else 0
    form = source.choice((None,) * 40 + (126, 127, 128))
    if form == 128:
        length = bytes([bit | 127]) + struct.pack(">Q", 1 << source.randrange(20, 64))
    elif form == 127:
        length = bytes([bit | 127]) + struct.pack(">Q", len(data))
    elif form == 126 or len(data) > 125:
        length = bytes([bit | 126]) + struct.pack(">H", len(data))
    else:
        length = bytes([bit | len(data)])
    key = source.randbytes(4)
    body = key + bytes(byte ^ key[index % 4] for index, byte in enumerate(data)) if masks else data
    return bytes([first]) + length + body

#!/usr/bin/env python3
"""seeds.py: writes the first inputs of each target to corpus/, from examples of the RFCs and what peers get wrong.

The names of the files say what is in them; the fuzzer names its own after their digests. The layout of an input, the
choices at its front, is that of the target's body.
"""

import struct
import zlib
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
KEY = bytes.fromhex("37fa213d")
WHOLE = b"\xff\xff\xff"  # the lengths of the pieces
BYTEWISE = b"\x00\x00\x00"


def put(target: str, name: str, data: bytes) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def masked(payload: bytes, key: bytes = KEY) -> bytes:
    return key + bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))


def frame(first: int, payload: bytes, mask: bool = True) -> bytes:
    bit = 0x80 if mask else 0
    if len(payload) < 126:
        head = bytes([first, bit | len(payload)])
    elif len(payload) < 1 << 16:
        head = bytes([first, bit | 126]) + struct.pack(">H", len(payload))
    else:
        head = bytes([first, bit | 127]) + struct.pack(">Q", len(payload))
    return head + (masked(payload) if mask else payload)


def deflated(message: bytes, bits: int = 15, level: int = 6) -> bytes:
    codec = zlib.compressobj(level, zlib.DEFLATED, -bits)
    return (codec.compress(message) + codec.flush(zlib.Z_SYNC_FLUSH))[:-4] or b"\x00"


BAD_TEXT = {
    "surrogate": "cebae1bdb9cf83cebcceb5eda080",
    "above-10ffff": "f4908080",
    "overlong": "c0af",
    "fe": "fe",
    "five-bytes": "f888808080",
    "cut": "e282",
}
KAPPA = "κόσμε €𝄞".encode()
CODES = [0, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1014, 1015, 1016, 1100, 2999, 3000, 4999, 5000, 65535]

# Messages as lists of (first byte of the header, payload); each is sent by a client and by a server.
STREAMS = {
    "hello": [(0x81, b"Hello")],
    "fragments-with-ping": [(0x01, KAPPA[:5]), (0x89, b"Hello"), (0x00, KAPPA[5:6]), (0x80, KAPPA[6:])],
    "256-bytes": [(0x82, bytes(range(256)))],
    "empty": [(0x81, b""), (0x02, b""), (0x00, b""), (0x80, b"")],
    "pongs": [(0x8A, b""), (0x8A, b"x" * 125)],
    "close": [(0x88, b"\x03\xe8bye")],
    "close-then-text": [(0x88, b""), (0x81, b"late")],
    "close-one-byte": [(0x88, b"\x03")],
    "close-bad-reason": [(0x88, b"\x03\xe8\xff")],
    "continuation-first": [(0x80, b"x")],
    "interrupted": [(0x01, b"a"), (0x81, b"b")],
    "fragmented-ping": [(0x09, b"")],
    "opcode-3": [(0x83, b"")],
    "opcode-15": [(0x8F, b"")],
    "rsv1": [(0xC1, b"a")],
    "rsv3": [(0x91, b"a")],
    "rsv1-on-ping": [(0xC9, b"a")],
    "rsv1-on-continuation": [(0x41, deflated(b"Hello")[:3]), (0xC0, deflated(b"Hello")[3:])],
    "long-ping": [(0x89, b"x" * 126)],
    "five-fragments": [(0x02, b"12345"), (0x00, b"12345"), (0x00, b"12345"), (0x00, b"1"), (0x80, b"")],
    **{f"text-{name}": [(0x81, bytes.fromhex(text))] for name, text in BAD_TEXT.items()},
    **{f"text-{name}-first-fragment": [(0x01, bytes.fromhex(text)), (0x80, b"")] for name, text in BAD_TEXT.items()},
}
RAW = {
    "len-top-bit": "82ffffffffffffffffff37fa213d",
    "len-63-bits": "82ff7fffffffffffffff37fa213d",
    "len-4-gib": "82ff000000010000000037fa213d",
    "len-16-not-minimal": "82fe007c37fa213d",
    "len-64-not-minimal": "82ff000000000000ffff37fa213d",
    "ping-64-bit": "89ff000000000000000537fa213d",
    "unmasked": "810548656c6c6f",
    "masked": "818537fa213d7f9f4d5158",
    "header-cut": "82fe01",
}
HELLO = [
    bytes.fromhex(text)
    for text in ("f248cdc9c90700", "f348cdc9c9070000", "000500faff48656c6c6f00", "f24805000000ffffcac9c90700")
]
PAYLOADS = {
    **{f"hello-{index}": [payload] for index, payload in enumerate(HELLO)},
    "hello-twice": [HELLO[0], bytes.fromhex("f200110000")],
    "empty": [b"\x00", b""],
    "zeros": [deflated(bytes(20000))],
    "bomb": [deflated(bytes(1 << 17))],
    "words": [deflated(b" ".join(b"%d bottles of beer" % number for number in range(99)))],
    "bytes": [deflated(bytes(range(256)) * 4)],
    "stored": [deflated(b"stored" * 20, level=0)],
    "block-type-3": [b"\x06\x00"],
    "stored-contradiction": [b"\x00\x05\x00\xfb\xff"],
    "distance-too-far": [b"\x02\x04\x00"],
    "truncated": [HELLO[0][:3]],
    "empty-blocks": [b"\x00\x00\x00\xff\xff" * 20 + b"\x00"],
    "own-codes": [deflated(bytes(b * b % 251 for b in range(700)))],
}


def frames() -> None:
    for name, messages in STREAMS.items():
        for role, mask in ((0, True), (1, False)):
            stream = b"".join(frame(first, payload, mask) for first, payload in messages)
            for reserved in (0, 1) if "rsv" in name else (0,):
                put("frame_decoder", f"{name}-{role}{reserved}", bytes([role | reserved << 1, 0]) + BYTEWISE + stream)
        if "fragments" in name or name == "256-bytes":
            put("frame_decoder", f"{name}-limits", bytes([1, 2]) + WHOLE + stream)
            put("frame_decoder", f"{name}-limits-3", bytes([1, 3]) + WHOLE + stream)
    for name, stream in RAW.items():
        put("frame_decoder", name, bytes([0, 1]) + BYTEWISE + bytes.fromhex(stream))
    for code in CODES:
        put("frame_decoder", f"close-{code}", bytes([0, 0]) + WHOLE + frame(0x88, struct.pack(">H", code)))


def messages() -> None:
    for target, mask in (("message_server", True), ("message_client", False)):
        for name, stream in STREAMS.items():
            fits = [(first, payload[:255]) for first, payload in stream]
            records = b"".join(bytes([first, len(payload)]) + payload for first, payload in fits)
            put(target, name, bytes([0, 9]) + BYTEWISE + records)
        for name, payloads in PAYLOADS.items():
            records = b"".join(
                bytes([0x41 if len(payload) > 1 else 0xC1, min(len(payload), 255)]) + payload[:255]
                + (bytes([0x80, len(payload[255:510])]) + payload[255:510] if len(payload) > 1 else b"")
                for payload in payloads
            )
            put(target, f"deflate-{name}", bytes([16 | 7, 9]) + b"\x02\x10\xff" + records)
            put(target, f"deflate-{name}-fresh-9", bytes([16 | 8 | 1, 200]) + WHOLE + records)
        plain = frame(0x81, b"plain", mask) + frame(0xC2, HELLO[0], mask) + frame(0x89, b"?", mask)
        put(target, "raw", bytes([32 | 16 | 7, 0]) + BYTEWISE + plain)


def inflate() -> None:
    for name, payloads in PAYLOADS.items():
        records = b"".join(struct.pack(">H", len(payload)) + payload for payload in payloads)
        put("inflate", name, bytes([7, 0, 3]) + BYTEWISE + records)
        put("inflate", f"{name}-fresh-8", bytes([8, 0, 200]) + WHOLE + records)
        put("inflate", f"{name}-ratio", bytes([7, 1, 200]) + b"\x07\x07\x07" + records)
        put("inflate", f"{name}-limit", bytes([7, 2, 64]) + WHOLE + records)


GOOD = {
    "Host": "gw.test",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Origin": "http://gw.test",
}
HEADS = {
    "good": {},
    "key-of-the-rfc": {"Sec-WebSocket-Key": "AQIDBAUGBwgJCgsMDQ4PEC=="},
    "key-short": {"Sec-WebSocket-Key": "AQIDBAUGBwg="},
    "key-url-safe": {"Sec-WebSocket-Key": "__________________-___=="},
    "key-twice": {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="},
    "version-8": {"Sec-WebSocket-Version": "8"},
    "version-list": {"Sec-WebSocket-Version": "13, 8"},
    "upgrade-list": {"Upgrade": "h2c/1, , WebSocket"},
    "upgrade-bad": {"Upgrade": "web socket"},
    "connection-list": {"Connection": "keep-alive, upgrade"},
    "connection-bad": {"Connection": "Upgrade;q=1"},
    "host-v6": {"Host": "[::1]:8080"},
    "host-user": {"Host": "u@h"},
    "host-port": {"Host": "a:65536"},
    "body": {"Content-Length": "5"},
    "no-body": {"Content-Length": " 0 "},
    "chunked": {"Transfer-Encoding": "chunked"},
    "subprotocols": {"Sec-WebSocket-Protocol": "chat, superchat"},
    "subprotocol-twice": {"Sec-WebSocket-Protocol": "chat, chat"},
    "extensions": {"Sec-WebSocket-Extensions": 'permessage-deflate; client_max_window_bits, foo; bar="1"'},
    "extensions-bad": {"Sec-WebSocket-Extensions": "a;;b"},
}
EXTENSIONS = [
    "foo", "foo; bar=1 , baz", 'foo; bar="\\a\\b"', ",, foo ,,bar,", "a;b\n\nc", "", " , ,", ",;constructor", "a;;b",
    'a="', 'a;b="c d"', 'a;b="', 'a;b=""', "a b", "a/b", "aΩ", "permessage-deflate", "permessage-deflate; x=\"\\",
    "permessage-deflate; client_max_window_bits; server_no_context_takeover, permessage-deflate",
    "permessage-deflate; server_max_window_bits=10; client_max_window_bits=8; client_no_context_takeover",
    *(f"permessage-deflate; client_max_window_bits={bits}" for bits in ("7", "16", "08", "a", '"9"')),
    "permessage-deflate; server_max_window_bits", ", ".join(["a"] * 33), "a" + ";b" * 17,
]
SUBPROTOCOLS = [
    "chat, superchat", "chat ,\tsuperchat\nv1.json", "", "chat,", ",chat", "chat,,b", "a b", '"chat"', "chatΩ",
    "chat, chat", "chat, Chat", "chat\nchat", ", ".join(f"p{number}" for number in range(100)), ",".join("abc"),
]
URIS = [
    "ws://example.com", "WSS://example.com:443/chat?room=1", "ws://[::1]:8080/%20", "ws://a:80?b", "ws://a/?",
    "ws://a:/", "http://a", "ws:/a", "ws://", "ws://:80", "ws://u@h/", "ws://a:0", "ws://a:65536", "ws://a/#b",
    "ws://a/%2", "ws://a/[",
    "ws://ä/", "ws://a b/", "ws://[::1", "ws://a//b/../c;d=e,f", "ws://127.0.0.1:9/a:b@c", "ws://a/%zz", "ws://a/\x7f",
]


def heads() -> None:
    for name, changed in HEADS.items():
        fields = "".join(f"\n{field}: {value}" for field, value in (GOOD | changed).items())
        put("handshake_request", name, b"\x00GET" + fields.encode())
        put("handshake_request", f"{name}-lenient", b"\x02GET" + fields.encode())
    put("handshake_request", "post", b"\x00POST" + fields.encode())
    put("handshake_request", "http-1-0", b"\x01GET" + fields.encode())
    for name, pseudo, sent in [
        ("good", "CONNECT websocket https gw.test:443 /chat?a", {"Sec-WebSocket-Protocol": "chat", "te": "trailers"}),
        ("host", "CONNECT WebSocket http GW.test /", {"host": "gw.TEST"}),
        ("other-host", "CONNECT websocket http gw.test /", {"host": "other.test"}),
        ("no-protocol", "CONNECT - https gw.test /", {}),
        ("get", "GET websocket https gw.test /", {}),
        ("no-path", "CONNECT websocket https gw.test *", {}),
        ("upgrade", "CONNECT websocket https gw.test /", {"Upgrade": "websocket"}),
        ("te", "CONNECT websocket https gw.test /", {"te": "gzip"}),
    ]:
        fields = "".join(f"\n{field}: {value}" for field, value in ({"sec-websocket-version": "13"} | sent).items())
        put("handshake_request", f"extended-{name}", b"\x04" + pseudo.encode() + fields.encode())
    answer = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": "$accept"}
    for name, choice, changed in [
        ("good", 0, {}),
        ("subprotocol", 0, {"Sec-WebSocket-Protocol": "chat"}),
        ("subprotocol-not-offered", 1, {"Sec-WebSocket-Protocol": "chat"}),
        ("subprotocol-list", 0, {"Sec-WebSocket-Protocol": "chat, mqtt"}),
        ("h2c", 0, {"Upgrade": "h2c"}),
        ("no-connection", 0, {"Connection": "close"}),
        ("other-accept", 0, {"Sec-WebSocket-Accept": "HSmrc0sMlYUkAGmm5OPpG2HaGWk="}),
        ("deflate", 2, {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits=9"}),
        ("deflate-demanded", 4, {"Sec-WebSocket-Extensions":
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=9"}),
        ("deflate-twice", 2, {"Sec-WebSocket-Extensions": "permessage-deflate, permessage-deflate"}),
        ("deflate-16", 2, {"Sec-WebSocket-Extensions": "permessage-deflate; server_max_window_bits=16"}),
        ("foo", 6, {"Sec-WebSocket-Extensions": "foo; bar=2"}),
        ("foo-not-offered", 2, {"Sec-WebSocket-Extensions": "foo"}),
    ]:
        fields = "".join(f"\n{field}:{value}" for field, value in (answer | changed).items())
        put("handshake_response", name, bytes([choice]) + b"101" + fields.encode())
    put("handshake_response", "not-101", b"\x00403" + fields.encode())


def lists() -> None:
    for index, text in enumerate(EXTENSIONS):
        put("extension_list", f"rfc-{index:02}", bytes([index * 5 % 64, index % 4]) + text.encode())
    for index, text in enumerate(SUBPROTOCOLS):
        put("subprotocol_list", f"rfc-{index:02}", text.encode())
    for index, text in enumerate(URIS):
        put("uri", f"rfc-{index:02}", text.encode())
    for code in CODES:
        put("close_payload", f"code-{code}", struct.pack(">H", code) + b"bye")
    for name, text in BAD_TEXT.items():
        put("close_payload", f"reason-{name}", b"\x03\xe8" + bytes.fromhex(text))
    put("close_payload", "empty", b"")
    put("close_payload", "one-byte", b"\x03")
    put("close_payload", "long", b"\x03\xe8" + "é".encode() * 100)


def hybi00() -> None:
    fields = {
        "Host": "Example.com:81", "Upgrade": "WebSocket", "Connection": "Upgrade", "Origin": "http://example.com",
        "Sec-WebSocket-Key1": "18x 6]8vM;54 *(5:  {   U1]8  z [  8",
        "Sec-WebSocket-Key2": "1_ tx7X d  <  nw  334J702) 7]o}` 0",
    }
    for name, changed in [
        ("good", {}), ("draft-0", {"Sec-WebSocket-Draft": "0"}), ("draft-1", {"Sec-WebSocket-Draft": "1"}),
        ("protocol", {"Sec-WebSocket-Protocol": "sample, other"}), ("no-space", {"Sec-WebSocket-Key1": "12"}),
        ("too-large", {"Sec-WebSocket-Key2": "42949672 96"}), ("not-divisible", {"Sec-WebSocket-Key2": "1 2 1"}),
        ("no-digit", {"Sec-WebSocket-Key1": "a b"}), ("both", {"Sec-WebSocket-Version": "13"}),
        ("no-origin", {"Origin": ""}), ("body", {"Content-Length": "8"}),
    ]:
        head = "/demo" + "".join(f"\n{field}: {value}" for field, value in (fields | changed).items())
        put("hybi00_handshake", name, b"\x00Tm[K T2u" + head.encode())
        put("hybi00_handshake", f"{name}-wss", b"\x04Tm[K T2u" + head.encode())
    put("hybi00_handshake", "client", b"\x01" + bytes(range(94)))
    put("hybi00_handshake", "client-wss", b"\x03" + bytes(range(200, 106, -1)))
    for name, stream in {
        "hello": b"\x00Hello\xff", "unknown": b"\x01xyz\xff\x7f\xff", "length": b"\x80\x03abc\x80\x00",
        "close": b"\xff\x00late", "close-long": b"\xff\x80\x80\x00", "text-closed": b"\x00" + KAPPA + b"\xff\xff\x00",
        "ten-digits": b"\x80" + b"\x80" * 10, "too-big": b"\x81\xff\xff\xff\x7f", "base64": b"\x00SGVsbG8=\xff\x00\xff",
        "base64-bad": b"\x00SGVsbG8\xff", "base64-behind": b"\x00Zg==Zg==\xff",
        "over-20": b"\x00" + b"x" * 21 + b"\xff",
        **{name: b"\x00" + bytes.fromhex(text) + b"\xff" for name, text in BAD_TEXT.items()},
    }.items():
        for choice in (0, 1, 2, 3):
            put("hybi00_frames", f"{name}-{choice}", bytes([choice]) + BYTEWISE + stream)


def connections() -> None:
    say = bytes([0x00, 5]) + b"Hello"
    said_back = bytes([0x01, 5]) + b"World"
    deliver = bytes([0x0C, 0x0D])
    for name, operations in {
        "hello": say + said_back + deliver,
        "fragments": bytes([0x30, 3]) + b"abc" + bytes([0x04, 0x05]) + deliver + bytes([0x20, 3]) + b"def" + deliver,
        "close": say + bytes([0x06, 0]) + deliver * 3,
        "close-both": bytes([0x06, 1, 0x07, 2]) + deliver * 2 + say,
        "ping-timeout": bytes([0x08, 20, 0x08, 20, 0x08, 5, 0x08, 5]),
        "idle": bytes([0x08, 61]) + deliver * 2 + bytes([0x08, 9]),
        "damage": say + bytes([0x1C, 1, 0x80]) + deliver * 2 + bytes([0x08, 9]),
        "end": say + bytes([0x0E]) + deliver + bytes([0x0F]),
        "cut": bytes([0x00, 40]) + KAPPA * 2 + bytes([0x0A, 3, 0x0A, 4, 0x0A, 5]) + deliver,
        "long": bytes([0x00, 255]) + bytes(range(32, 127)) * 2 + bytes(65) + deliver,
    }.items():
        for choice in (0, 16 | 7, 16 | 8, 32):
            put("connection", f"{name}-{choice}", bytes([choice]) + operations)


if __name__ == "__main__":
    for write in (frames, messages, inflate, heads, lists, hybi00, connections):
        write()

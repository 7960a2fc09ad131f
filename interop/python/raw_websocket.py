"""WebSockets on a `Wire`: both sides of the handshake, and from then on a transcript of what the peer says."""

import ssl

import raw_client
from raw_client import HEAD_END
from transcript import Transcript
from wire import Wire

HEAD_BYTES_MAX = 4096


async def open(port: int, tls: ssl.SSLContext | None, path: str, narrow: bool = False) -> tuple[Wire, Transcript]:
    """As a client."""
    wire = await Wire.connect(port, tls, narrow)
    try:
        await wire.send(raw_client.request(path, f"127.0.0.1:{port}"))
        head, rest = await receive_head(wire)
        raw_client.check_answer(head)
    except BaseException:
        wire.close()
        raise
    return wire, Transcript.of(rest, masked=False)


async def accept(wire: Wire) -> tuple[str, Transcript]:
    """As a server; the path that the client asks for comes first."""
    head, rest = await receive_head(wire)
    request, *lines = head.decode("latin-1").split("\r\n")
    key = raw_client.fields(lines)["sec-websocket-key"]
    answer = (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {raw_client.accept(key)}\r\n\r\n"
    )
    await wire.send(answer.encode())
    return request.split(" ")[1], Transcript.of(rest, masked=True)


async def receive_head(wire: Wire) -> tuple[bytes, bytes]:
    """The head of a request or an answer, and what came with it."""
    received = b""
    while HEAD_END not in received:
        data = await wire.receive(HEAD_BYTES_MAX)
        if not data or len(received) > HEAD_BYTES_MAX:
            raise ConnectionError(f"no head, but {received[:100]!r}")
        received += data
    head, _, rest = received.partition(HEAD_END)
    return head, rest

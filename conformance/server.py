"""server.py SPEC: the suite as a server, for testing clients, on a free port of the loopback interface.

Writes its port, then serves until it is ended. It runs under the suite's Python 2.7; by itself the suite would want to be
told a port, and listen on every interface.
"""

import json
import sys

from autobahntestsuite.fuzzing import FuzzingServerFactory
from twisted.internet import reactor


def main():
    port_to, sys.stdout = sys.stdout, sys.stderr  # the suite prints its progress
    with open(sys.argv[1]) as file:
        spec = json.load(file)
    factory = FuzzingServerFactory(dict(spec, url="ws://127.0.0.1"))
    port = reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port
    # It compares the Host of a request with its own idea of where it is.
    factory.setSessionParameters(url="ws://127.0.0.1:%d" % port, server=factory.server)
    port_to.write("%d\n" % port)
    port_to.flush()
    reactor.run()


main()

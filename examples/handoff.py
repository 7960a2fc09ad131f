"""handoff.py SOCKET: takes over the WebSockets of a route with `backend = "handoff:unix:SOCKET"`, and echoes them.

Needs Python 3.9 and nothing else. docs/handoff.md says what is sent over the socket.
"""
import base64, json, os, socket, sys, threading

def take_over(gateway):
    """The client's connection, what is known about it, and what it sent already."""
    line, descriptors, _, _ = socket.recv_fds(gateway, 1 << 16, 1)  # the descriptor comes with the first byte
    client = socket.socket(fileno=descriptors[0])
    while not line.endswith(b"\n"):
        line += gateway.recv(1 << 16) or sys.exit("the gateway has gone")
    told = json.loads(line)
    gateway.sendall(b"+")  # from now on the client is ours
    return client, told, base64.b64decode(told["read_ahead"])

def frames(client, ahead):
    """Each frame's first byte and payload (RFC 6455 section 5.2)."""
    incoming = client.makefile("rb")
    def read(count):
        nonlocal ahead
        taken, ahead = ahead[:count], ahead[count:]
        return taken + incoming.read(count - len(taken))
    while len(head := read(2)) == 2 and head[1] & 0x80:  # clients mask
        length = head[1] & 0x7F
        if length > 125:
            length = int.from_bytes(read(2 if length == 126 else 8), "big")
        if length > 1 << 20:
            return
        mask, payload = read(4), read(length)
        yield head[0], bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))

def frame(first, payload):
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big") if size < 1 << 16 else b"\x7f" + size.to_bytes(8, "big")
    return bytes([first]) + length + payload

def serve(gateway):
    with gateway:
        client, told, ahead = take_over(gateway)
    print(told["client"], told["request"], flush=True)
    with client:
        for first, payload in frames(client, ahead):
            opcode = first & 0x0F
            if opcode != 0xA:  # a ping is answered with a pong, all else with itself
                client.sendall(frame(0x8A if opcode == 0x9 else first, payload))
            if opcode == 0x8:  # Close
                break

if os.path.exists(sys.argv[1]):
    os.unlink(sys.argv[1])
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[1])
    listener.listen()
    print("waiting at", sys.argv[1], flush=True)
    while True:
        threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()

#!/usr/bin/env python3
"""Writes the first inputs of each target to corpus/: what is usual, and what people get wrong."""

import pathlib
import struct

HERE = pathlib.Path(__file__).parent
REPOSITORY = HERE.parent.parent


def write(target, inputs):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in inputs.items():
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def configurations():
    every_key = REPOSITORY / "crates/tidegate/tests/config/every-key.toml"
    yield "every-key", every_key.read_bytes()
    yield "empty", b""
    yield "echo", "[[route]]\npath = '/'\nbackend = 'echo:'\n"
    yield "several", (
        "drain = '5s'\n[[listener]]\naddress = '127.0.0.1:8080'\nserver_names = ['gw.test']\n"
        "[[route]]\npath = '/vnc/*'\nhost = '*.gw.test'\nbackend = ['tcp://a:1', 'tcp://[::1]:2']\n"
        "balance = 'sticky'\norigins = ['https://*.gw.test', 'null', '~https://a[0-9]+\\.test']\n"
        "[[route]]\npath = '~/r[a-z]*'\nbackend = 'ws://b:80/base'\nmax_frame = '64KiB'\nidle_timeout = '90s'\n"
    )
    yield "wrong", "listner = 1\n[[route]]\npath = 'x'\nbackend = 'tpc:5900'\nmax_frame = -1\n[[route]]\n"
    yield "broken", "[[route]\npath = \"\\u12\"\nä = '"


def lighttpd():
    yield "wstunnel", (
        'server.modules = ("mod_wstunnel")\nserver.port = 8080\nserver.document-root = "/srv"\n'
        '$HTTP["url"] =~ "^/ws/" {\n  wstunnel.server = ( "" => ( ( "host" => "127.0.0.1", "port" => 5900 ) ) )\n'
        '  wstunnel.frame-type = "binary"\n  wstunnel.origins = ( "example.test" )\n}\n'
    )
    yield "websocket", (
        'var.base = "/chat"\n$HTTP["host"] == "a.test" {\n  websocket.server = ( base + "/" => ( "host" => "b", '
        '"port" => 1, "proto" => "hybi", "type" => "bin" ) )\n}\nelse $HTTP["host"] =~ "x" { server.port = 1 }\n'
    )
    yield "proxy", (
        '$SERVER["socket"] == "[::]:443" { ssl.engine = "enable" }\nproxy.server += ( "/a" => '
        '(( "host" => "c", "port" => 2 )) )\nproxy.header = ( "upgrade" => "enable" )\n'
    )
    yield "broken", 'server.port = \n$HTTP["url" { "\\'
    # Each of these came to something that `tidegate check` refuses, or to nothing without a word.
    vnc = '( "" => ( ( "host" => "a", "port" => 1 ) ) )'
    yield "no-name", f'$HTTP["host"] == "a..b" {{\n wstunnel.server = {vnc}\n}}\n'
    yield "dots", '$HTTP["url"] == "/a/../b" {\n server.document-root = "/srv"\n}\n'
    yield "quantifier", 'websocket.server = ( "^*" => ( "host" => "a", "port" => 1 ) )\n'
    yield "origins", 'websocket.server = ( "/a" => ( "host" => "a", "port" => 1, "origins" => ( "^*", "a)|(?:b" ) ) )\n'
    yield "ports", f'wstunnel.server = {vnc}\nwstunnel.origins = ( "a.test:99999", "http://a.test:0" )\n'
    yield "subprotocol", 'websocket.server = ( "/a" => ( "host" => "a", "port" => 1, "subproto" => "a b" ) )\n'
    yield "same-port", f'server.port = 80\n$SERVER["socket"] == "127.0.0.1:80" {{\n}}\nwstunnel.server = {vnc}\n'
    yield "slashes", 'server.document-root = "//srv"\nserver.bind = "//run/a"\n'
    yield "turned", 'wstunnel.server = ( "/\u202e" => ( ( "host" => "\u2028", "port" => 1 ) ) )\n'


def origins():
    yield "same", "https://gw.test\nhttps://gw.test:443"
    yield "same-with-a-dot", "https://gw.test.\nhttps://gw.test"
    yield "below", "https://a.b.gw.test\nhttp://gw.test\nhttps://*.gw.test\nnull\nhttps://[::1]:8443"
    yield "almost", "https://evilgw.test\nhttps://gw.test\nhttps://*.gw.test\nhttps://gw.test.evil.test"
    yield "null", "null\nhttp://a\nnull"
    yield "address", "http://[::1]:80\nhttp://[::1]\nhttp://[::1]:80"
    yield "address-spelt", "http://[::1]\nhttp://[0:0::1]\nhttp://[0::0:1]"
    yield "expressions", "https://a.test\nhttps://gw.test\n~https://a\\.test\n~https://[a-z]+\\.test"


def proxy_headers():
    signature = b"\r\n\r\n\0\r\nQUIT\n"
    v4 = bytes([192, 0, 2, 1, 192, 0, 2, 2]) + struct.pack("!HH", 4711, 443)
    yield "v1", b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\nGET / HTTP/1.1\r\n"
    yield "v1-v6", b"PROXY TCP6 2001:db8::1 ::1 65535 1\r\n"
    yield "v1-unknown", b"PROXY UNKNOWN a b c\r\nx"
    yield "v1-leading-zero", b"PROXY TCP4 192.0.2.1 192.0.2.2 04711 443\r\n"
    yield "v2", signature + b"\x21\x11" + struct.pack("!H", len(v4)) + v4 + b"GET"
    tls = b"\x20" + struct.pack("!H", 5 + 3 + 7) + b"\x01\0\0\0\0" + b"\x21" + struct.pack("!H", 7) + b"TLSv1.3"
    yield "v2-tls", signature + b"\x21\x11" + struct.pack("!H", len(v4 + tls)) + v4 + tls
    unspecified = signature + b"\x21\x11" + struct.pack("!H", len(v4) + 7) + v4 + b"\x03\0\4\0\0\0\0"
    yield "v2-checksum", unspecified
    announced = bytes(10) + b"\xff\xff\xc0\0\2\1" + bytes(10) + b"\xff\xff\xc0\0\2\2" + b"\x07\x01\1\xbb"
    yield "announced", announced + b"gw.test/a/path"
    yield "v2-local", signature + b"\x20\0\0\0rest"
    yield "v2-unix", signature + b"\x21\x31" + struct.pack("!H", 216) + bytes(216)


def requests():
    yield "index", "/\ngw.test"
    yield "file", "/sub/a.txt\nGW.test:8080"
    yield "escaped", "/%73ub/a%2etxt\n[::1]:80"
    yield "up", "/sub/../../outside\ngw.test"
    yield "up-escaped", "/sub/%2e%2e/%2e%2e/outside\ngw.test"
    yield "link", "/out\ngw.test"
    yield "link-up", "/sub/up/outside\ngw.test"
    yield "hidden", "/.git/config\ngw.test"
    yield "well-known", "/.well-known/b\ngw.test"
    yield "utf8", "/%C3%A4\nxn--a.test."
    yield "absolute", "http://other.test/sub/a.txt?q\ngw.test"
    yield "list", "/listed/\n%41"
    yield "part", "/index.html\ngw.test\nbytes=2-4"
    yield "last", "/sub/a.txt\ngw.test\nbytes=-3"
    yield "rest", "/in\ngw.test\nbytes=4-"
    yield "beyond", "/a%20b\ngw.test\nbytes=99-"
    yield "back-up", "/sub/b.txt~\ngw.test"


def tokens():
    yield "usual", "# those of the house\na: 127.0.0.1:5900\nb:\t[::1]:1\nunix: unix_socket:/run/x\n"
    yield "twice", "a: x:1\na: y:2\nnonsense\na:b: c:3"
    yield "blanks", ":\u2003x\n: \n a : b\na:\u00a0b: c\n"
    yield "crlf", b"a: x:1\r\nb: y:2\r\n\xff: z:3"
    yield "ends", b"a: x:1\r\nb: [::1]:065535\n\n#\nc:d: [e:1\r"


def lines():
    yield "usual", b"192.0.2.1:4711\xffgw.test\xff/a%20b\xffGET\xffvnc\xfftcp://a:1\xffits reason\xffnull\xffhybi-00\xffchat"
    yield "forged", b"x\xffgw.test\xff/\"}\n{\"conn\":1\xffa\xffb\xff\x1b[2J\x7f\xffc"
    yield "separators", "a\u2028b\u2029c\u0085d\u009be".encode()


def relays():
    yield "empty", b""
    for seed in range(8):
        yield f"counting-{seed}", bytes((seed * 37 + at * (2 * seed + 1)) % 256 for at in range(200))


for target, inputs in {
    "configuration": configurations(),
    "lighttpd": lighttpd(),
    "origin": origins(),
    "proxy_header": proxy_headers(),
    "request": requests(),
    "tokens": tokens(),
    "access_line": lines(),
    "relay": relays(),
}.items():
    write(target, dict(inputs))

//! The opening handshake (RFC 6455 §4.2): what is answered with 101, and what with something else.

use tidegate_testkit::{Frame, Request};

use crate::rig::{Rig, gateway};

#[test]
fn t031_t053_the_base_request() {
    let rig = Rig::start();
    let mut client = rig.gateway.connect();
    client.send(Request::upgrade("/echo").with("Sec-WebSocket-Accept", "of no meaning here").encode());
    let head = client.read_head();
    assert_eq!(head.line, "HTTP/1.1 101 Switching Protocols");
    assert_eq!(head.field("Upgrade"), Some("websocket"));
    assert_eq!(head.field("Connection"), Some("Upgrade"));
    assert_eq!(head.field("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    for absent in
        ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Content-Length", "Transfer-Encoding"]
    {
        assert_eq!(head.field(absent), None, "{absent}");
    }
    drop(client);
    rig.finish();
}

#[test]
fn t032_t036_t038_t044_t052_legal_variations_are_accepted() {
    let rig = Rig::start();
    let base = || Request::upgrade("/echo");
    let table = [
        ("t032 a key with leftover bits", base().set("Sec-WebSocket-Key", "AQIDBAUGBwgJCgsMDQ4PEC==")),
        ("t036 capitals", base().set("Upgrade", "WebSocket")),
        ("t036 more capitals", base().set("Upgrade", "WEBSOCKET")),
        ("t036 one of a list", base().set("Upgrade", "h2c, websocket")),
        ("t038 as Firefox sends it", base().set("Connection", "keep-alive, Upgrade")),
        ("t044 a body of no length", base().with("Content-Length", "0")),
        ("t052 an unknown extension", base().with("Sec-WebSocket-Extensions", "foo; bar=1")),
        ("t055 a path with needless escapes", Request::upgrade("/%65ch%6F")),
        ("t008 an absolute target", base().line("GET http://gw.test/echo HTTP/1.1")),
        ("a query", Request::upgrade("/echo?a=/../b")),
    ];
    for (name, request) in table {
        let mut client = rig.gateway.connect();
        client.send(request.encode());
        let head = client.read_head();
        assert_eq!(head.status(), 101, "{name}");
        assert_eq!(head.field("Sec-WebSocket-Extensions"), None, "{name}");
        client.send_frame(&Frame::text("hello").masked());
        assert_eq!(
            client.read_frame(),
            Frame::text("hello"),
            "{name}: nothing stands between 101 and the frames"
        );
    }
    rig.finish();
}

/// Each request is also followed by a second one, which must not be served as anything.
#[test]
fn t033_to_t056_what_is_no_handshake_is_refused() {
    let rig = Rig::start();
    for path in ["/echo", "/tcp", "/ws"] {
        let base = || Request::upgrade(path);
        let key = |key: &str| base().set("Sec-WebSocket-Key", key);
        let version = |version: &str| base().set("Sec-WebSocket-Version", version);
        let connection = |connection: &str| base().set("Connection", connection);
        let extensions = |value: &str| base().with("Sec-WebSocket-Extensions", value);
        let method = |method: &str| base().line(&format!("{method} {path} HTTP/1.1"));
        let table = [
            ("t033 15 bytes", key("AQIDBAUGBwgJCgsMDQ4P"), 400),
            ("t033 17 bytes", key("AQIDBAUGBwgJCgsMDQ4PEBE="), 400),
            ("t033 no bytes", key(""), 400),
            ("t033 not base64", key("not base64 at all !!!!=="), 400),
            ("t033 the alphabet of URLs", key("__________________-___=="), 400),
            ("t033 no key", base().without("Sec-WebSocket-Key"), 400),
            ("t034 two keys", base().with("Sec-WebSocket-Key", "AQIDBAUGBwgJCgsMDQ4PEA=="), 400),
            ("t034 one key twice", base().with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), 400),
            ("t035 12", version("12"), 426),
            ("t035 14", version("14"), 426),
            ("t035 255", version("255"), 426),
            ("t035 013", version("013"), 426),
            ("t035 a list", version("13, 8"), 426),
            ("t035 none", base().without("Sec-WebSocket-Version"), 426),
            ("t035 two", base().with("Sec-WebSocket-Version", "13"), 426),
            ("t037 websocket2", base().set("Upgrade", "websocket2"), 426),
            ("t037 xwebsocket", base().set("Upgrade", "xwebsocket"), 426),
            ("t037 web socket", base().set("Upgrade", "web socket"), 426),
            ("t039 upgrad", connection("upgrad"), 426),
            ("t039 close", connection("close"), 426),
            ("t039 none", base().without("Connection"), 426),
            ("t039 with a parameter", connection("Upgrade;q=1"), 400),
            ("t040 POST", method("POST"), 405),
            ("t040 PUT", method("PUT"), 405),
            ("t040 OPTIONS", method("OPTIONS"), 405),
            ("t043 chunked", base().with("Transfer-Encoding", "chunked"), 400),
            ("t045 an expectation", base().with("Expect", "100-continue"), 417),
            ("t050 no extension", extensions(",;constructor"), 400),
            ("t050 an empty parameter", extensions("a;;b"), 400),
            ("t050 an open string", extensions("a=\""), 400),
            ("t050 an open escape", extensions("permessage-deflate; x=\"\\"), 400),
            ("t051 8 KiB of escapes", extensions(&format!("{}\"", "a;b=\"\\\\".repeat(1100))), 400),
            ("t051 as many offers as fit", extensions(&vec!["a"; 4000].join(",")), 400),
            ("t051 more offers than fit", extensions(&vec!["a"; 5000].join(",")), 431),
            ("t005 no host", base().without("Host"), 400),
            ("t006 two hosts", base().with("Host", "gw.test"), 400),
            ("t007 a bad host", base().set("Host", "u@h"), 400),
            ("t056 no upgrade", base().without("Upgrade"), 426),
        ];
        for (name, request, status) in table {
            let head = refused_with_tail(&rig, &request, name);
            assert_eq!(head.status(), status, "{name} at {path}");
            if status == 426 {
                assert_eq!(head.field("Upgrade"), Some("websocket"), "{name}");
                assert!(
                    head.all("Connection").iter().any(|value| value.contains("Upgrade")),
                    "{name}: {head:?}"
                );
            }
            if name.starts_with("t035") {
                assert_eq!(head.field("Sec-WebSocket-Version"), Some("13"), "{name}");
            }
            if status == 405 {
                assert_eq!(head.field("Allow"), Some("GET"), "{name}");
            }
        }
    }
    rig.finish();
}

#[test]
fn t040_t041_head_and_http_1_0_open_no_tunnel() {
    let rig = Rig::start();
    for (line, status) in [("HEAD /tcp HTTP/1.1", "405"), ("GET /tcp HTTP/1.0", "426")] {
        let mut client = rig.gateway.connect();
        client.send(Request::upgrade("/tcp").line(line).encode());
        client.send(Frame::text("hello").masked().encode());
        client.finish();
        let answer = String::from_utf8(client.read_to_fin()).unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(status), "{line}: {answer}");
        assert!(!answer.contains("101"), "{line}: {answer}");
    }
    rig.finish();
}

#[test]
fn t042_a_body_is_parsed_as_nothing() {
    let rig = Rig::start();
    for path in ["/echo", "/tcp", "/ws"] {
        let mut client = rig.gateway.connect();
        let mut bytes = Request::upgrade(path).with("Content-Length", "5").encode();
        bytes.extend(b"hello");
        bytes.extend(Request::get("/smuggled").encode());
        client.send(bytes);
        let (head, _) = client.read_response();
        assert_eq!(head.status(), 400);
        client.expect_fin();
    }
    assert!(rig.gateway.access_lines().iter().all(|line| line["path"] != "/smuggled"));
    rig.finish();
}

#[test]
fn t046_frames_in_the_segment_of_the_handshake_are_the_first_frames() {
    let rig = Rig::start();
    let early = [Frame::text("early").masked().encode(), Frame::binary("bird").masked().encode()].concat();
    let with_early = |path: &str| [Request::upgrade(path).encode(), early.clone()].concat();

    let mut echo = rig.gateway.connect();
    echo.send(with_early("/echo"));
    assert_eq!(echo.read_head().status(), 101);
    assert_eq!([echo.read_frame(), echo.read_frame()], [Frame::text("early"), Frame::binary("bird")]);

    let mut tcp = rig.gateway.connect();
    tcp.send(with_early("/tcp"));
    assert_eq!(tcp.read_head().status(), 101);
    assert_eq!(rig.tcp.accept().read_exact(9), b"earlybird");

    let mut ws = rig.gateway.connect();
    ws.send(with_early("/ws"));
    let (mut backend, _) = rig.ws.accept_websocket();
    assert_eq!(ws.read_head().status(), 101);
    assert_eq!(backend.read_exact(early.len()), early);
    drop((echo, tcp, ws, backend));
    rig.finish();
}

#[test]
fn t054_t055_one_canonical_path_decides() {
    let rig = Rig::start();
    for (target, status) in [
        ("/nowhere", 404),
        ("/TCP", 404),
        ("//tcp", 404),
        ("/tcp;x", 404),
        ("/tcp/", 404),
        ("/tcp/%2e%2e/ws", 400),
        ("/tcp%00", 400),
        ("/x%2f..%2ftcp", 400),
    ] {
        assert_eq!(rig.refused(&Request::upgrade(target)).status(), status, "{target}");
    }
    rig.finish();
}

#[test]
fn t056_a_plain_request_is_told_what_is_served_here() {
    let rig = Rig::start();
    let mut client = rig.gateway.connect();
    client.send(Request::get("/tcp").encode());
    let (head, _) = client.read_response();
    assert_eq!(head.status(), 426);
    assert_eq!(head.field("Upgrade"), Some("websocket"));
    assert!(head.all("Connection").contains(&"Upgrade"), "{head:?}");
    drop(client);
    rig.finish();
}

/// Scripts that pipe a request, frames and their end in one go are served like everybody else.
#[test]
fn t062_the_end_of_the_client_right_behind_its_first_frames() {
    let rig = Rig::start();
    let mut client = rig.gateway.connect();
    client.send([Request::upgrade("/tcp").encode(), Frame::text("question").masked().encode()].concat());
    client.finish();
    let mut backend = rig.tcp.accept();
    assert_eq!(backend.read_to_fin(), b"question");
    backend.send("answer");
    backend.finish();
    assert_eq!(client.read_head().status(), 101);
    assert_eq!(client.read_frame(), Frame::binary("answer"));
    client.expect_close(1000);
    rig.finish();
}

#[test]
fn t062_the_end_of_the_client_right_behind_the_request() {
    let rig = Rig::start();
    let mut client = rig.gateway.connect();
    client.send(Request::upgrade("/echo").encode());
    client.finish();
    client.read_to_fin();
    rig.finish();
}

#[test]
fn a_lenient_listener_answers_the_key_that_it_was_given() {
    let gateway = gateway().listener("lenient_key = true").route("/echo", "echo:", "").start();
    let mut client = gateway.connect();
    client.send(Request::upgrade("/echo").set("Sec-WebSocket-Key", "AQIDBAUGBwg=").encode());
    let head = client.read_head();
    assert_eq!(head.status(), 101);
    let key = Request::get("/").with("Sec-WebSocket-Key", "AQIDBAUGBwg=");
    let expected = tidegate_testkit::Head::parse(&key.encode()).accept_key();
    assert_eq!(head.field("Sec-WebSocket-Accept"), Some(expected.as_str()));
    drop(client);
    gateway.finish();
}

/// Sends a request that must be refused together with another one that must then be ignored.
#[track_caller]
fn refused_with_tail(rig: &Rig, request: &Request, name: &str) -> tidegate_testkit::Head {
    let mut client = rig.gateway.connect();
    client.send([request.encode(), Request::get("/smuggled").encode()].concat());
    client.finish();
    let (head, _) = client.read_response();
    let rest = client.read_to_fin();
    let rest = String::from_utf8_lossy(&rest);
    assert!(!rest.contains("101"), "{name}: {rest}");
    rig.assert_untouched();
    head
}

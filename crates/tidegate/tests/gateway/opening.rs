//! The opening handshake (RFC 6455 §4.2): what is answered with 101, and what with something else.

use tidegate_testkit::{Frame, Head, Request};

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

/// A change to the base request.
type Change = fn(Request) -> Request;

/// Each of these changes leaves a handshake that is taken, without an extension, and behind it there are frames.
#[track_caller]
fn taken(changes: &[Change]) {
    let rig = Rig::start();
    for change in changes {
        let request = change(Request::upgrade("/echo"));
        let mut client = rig.gateway.connect();
        client.send(request.encode());
        let head = client.read_head();
        assert_eq!(head.status(), 101, "{request:?}");
        assert_eq!(head.field("Sec-WebSocket-Extensions"), None, "{request:?}");
        client.send_frame(&Frame::text("hello").masked());
        assert_eq!(client.read_frame(), Frame::text("hello"), "{request:?}");
    }
    rig.finish();
}

/// Each of these changes leaves what is no handshake on any kind of route: this status, no backend, and the request
/// behind it is not served as anything. What else the answers have, by field.
#[track_caller]
fn refused(status: u16, fields: &[(&str, &str)], changes: &[Change]) {
    let rig = Rig::start();
    for path in ["/echo", "/tcp", "/ws"] {
        for change in changes {
            let request = change(Request::upgrade(path));
            let head = refused_with_tail(&rig, &request);
            assert_eq!(head.status(), status, "{request:?}");
            for (name, value) in fields {
                let listed = head.all(name).iter().any(|line| line.split(", ").any(|part| part == *value));
                assert!(listed, "{name}: {value} is missing in {head:?}");
            }
        }
    }
    rig.finish();
}

/// What an answer of 426 must have (RFC 9110 §15.5.22).
const UPGRADE: [(&str, &str); 2] = [("Upgrade", "websocket"), ("Connection", "Upgrade")];

/// The same, where the version is at fault (RFC 6455 §4.4).
const UPGRADE_TO_13: [(&str, &str); 3] = [UPGRADE[0], UPGRADE[1], ("Sec-WebSocket-Version", "13")];

const KEY: &str = "Sec-WebSocket-Key";
const VERSION: &str = "Sec-WebSocket-Version";
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

/// The key of RFC 6455 §11.3.1, whose last digit has bits that mean nothing.
#[test]
fn t032_a_key_with_leftover_bits() {
    taken(&[|base| base.set(KEY, "AQIDBAUGBwgJCgsMDQ4PEC==")]);
}

#[test]
fn t033_keys_of_another_length_or_alphabet() {
    refused(
        400,
        &[],
        &[
            |base| base.set(KEY, "AQIDBAUGBwgJCgsMDQ4P"),
            |base| base.set(KEY, "AQIDBAUGBwgJCgsMDQ4PEBE="),
            |base| base.set(KEY, ""),
            |base| base.set(KEY, "not base64 at all !!!!=="),
            |base| base.set(KEY, "__________________-___=="),
            |base| base.without(KEY),
        ],
    );
}

#[test]
fn t034_two_keys() {
    refused(
        400,
        &[],
        &[
            |base| base.with(KEY, "AQIDBAUGBwgJCgsMDQ4PEA=="),
            |base| base.with(KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
            |base| base.set(KEY, "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ=="),
        ],
    );
}

#[test]
fn t035_other_versions() {
    refused(
        426,
        &UPGRADE_TO_13,
        &[
            |base| base.set(VERSION, "12"),
            |base| base.set(VERSION, "14"),
            |base| base.set(VERSION, "255"),
            |base| base.set(VERSION, "013"),
            |base| base.set(VERSION, "13, 8"),
            |base| base.without(VERSION),
            |base| base.with(VERSION, "13"),
            |base| base.with(VERSION, "8"),
        ],
    );
}

#[test]
fn t036_websocket_in_any_case_and_any_list() {
    taken(&[
        |base| base.set("Upgrade", "WebSocket"),
        |base| base.set("Upgrade", "WEBSOCKET"),
        |base| base.set("Upgrade", "h2c, websocket"),
        |base| base.set("Upgrade", "h2c").with("Upgrade", "websocket"),
    ]);
}

#[test]
fn t037_what_only_begins_or_ends_with_websocket() {
    refused(
        426,
        &UPGRADE,
        &[
            |base| base.set("Upgrade", "websocket2"),
            |base| base.set("Upgrade", "xwebsocket"),
            |base| base.set("Upgrade", "web socket"),
        ],
    );
}

#[test]
fn t038_upgrade_in_a_list_as_firefox_sends_it() {
    taken(&[|base| base.set("Connection", "keep-alive, Upgrade")]);
}

#[test]
fn t039_connections_that_are_not_to_be_upgraded() {
    refused(
        426,
        &UPGRADE,
        &[
            |base| base.set("Connection", "upgrad"),
            |base| base.set("Connection", "close"),
            |base| base.without("Connection"),
        ],
    );
    refused(400, &[], &[|base| base.set("Connection", "Upgrade;q=1")]);
}

#[test]
fn t040_other_methods() {
    let methods: [Change; 3] = [
        |base| with_method(base, "POST"),
        |base| with_method(base, "PUT"),
        |base| with_method(base, "OPTIONS"),
    ];
    refused(405, &[("Allow", "GET")], &methods);
}

#[test]
fn t043_a_body_of_chunks() {
    refused(400, &[], &[|base| base.with("Transfer-Encoding", "chunked")]);
}

#[test]
fn t044_a_body_of_no_length_is_none() {
    taken(&[|base| base.with("Content-Length", "0")]);
}

/// Nothing may come before or behind a 101 but frames.
#[test]
fn t045_an_expectation() {
    refused(417, &[], &[|base| base.with("Expect", "100-continue")]);
}

#[test]
fn t050_extensions_that_break_the_grammar() {
    refused(
        400,
        &[],
        &[
            |base| base.with(EXTENSIONS, ",;constructor"),
            |base| base.with(EXTENSIONS, "a;;b"),
            |base| base.with(EXTENSIONS, "a=\""),
            |base| base.with(EXTENSIONS, "permessage-deflate; x=\"\\"),
        ],
    );
}

#[test]
fn t051_extensions_beyond_all_bounds() {
    refused(
        400,
        &[],
        &[
            |base| base.with(EXTENSIONS, format!("{}\"", "a;b=\"\\\\".repeat(1100))),
            |base| base.with(EXTENSIONS, vec!["a"; 4000].join(",")),
        ],
    );
    refused(431, &[], &[|base| base.with(EXTENSIONS, vec!["a"; 5000].join(","))]);
}

#[test]
fn t052_an_extension_that_nobody_knows() {
    taken(&[|base| base.with(EXTENSIONS, "foo; bar=1")]);
}

#[test]
fn t005_t006_t007_hosts_of_an_upgrade() {
    refused(
        400,
        &[],
        &[|base| base.without("Host"), |base| base.with("Host", "gw.test"), |base| base.set("Host", "u@h")],
    );
}

#[test]
fn t008_t055_the_same_target_in_other_words() {
    taken(&[
        |base| base.line("GET /%65ch%6F HTTP/1.1"),
        |base| base.line("GET http://gw.test/echo HTTP/1.1"),
        |base| base.line("GET /echo?a=/../b HTTP/1.1"),
    ]);
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
    let early = [Frame::text("early").masked().encode(), Frame::binary("bird").masked().encode()].concat();
    let with_early = |path: &str| [Request::upgrade(path).encode(), early.clone()].concat();
    Rig::each(|rig| {
        let mut echo = rig.gateway.connect();
        echo.send(with_early("/echo"));
        assert_eq!(echo.read_head().status(), 101);
        assert_eq!([echo.read_frame(), echo.read_frame()], [Frame::text("early"), Frame::binary("bird")]);

        let mut tcp = rig.gateway.connect();
        tcp.send(with_early("/tcp"));
        let mut tcp_backend = rig.tcp.accept(); // over TLS there is no 101 before the backend has shaken hands
        assert_eq!(tcp.read_head().status(), 101);
        assert_eq!(tcp_backend.read_exact(9), b"earlybird");

        let mut ws = rig.gateway.connect();
        ws.send(with_early("/ws"));
        let (mut backend, _) = rig.ws.accept_websocket();
        assert_eq!(ws.read_head().status(), 101);
        assert_eq!(backend.read_exact(early.len()), early);
        drop((echo, tcp, tcp_backend, ws, backend));
        rig.finish();
    });
}

#[test]
fn t054_t055_one_canonical_path_decides() {
    let rig = Rig::start();
    for (target, status) in [
        ("/nowhere", 404),
        ("/TCP", 404),
        ("//tcp//", 404),
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
    refused(426, &UPGRADE, &[|base| base.without("Upgrade")]);
}

/// Scripts that pipe a request, frames and their end in one go are served like everybody else.
#[test]
fn t062_the_end_of_the_client_right_behind_its_first_frames() {
    Rig::each(|rig| {
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
    });
}

#[test]
fn t062_the_end_of_the_client_right_behind_the_request() {
    Rig::each(|rig| {
        let mut client = rig.gateway.connect();
        client.send(Request::upgrade("/echo").encode());
        client.finish();
        client.read_to_fin();
        rig.finish();
    });
}

#[test]
fn a_lenient_listener_answers_the_key_that_it_was_given() {
    let gateway = gateway().listener("lenient_key = true").route("/echo", "echo:", "").start();
    let mut client = gateway.connect();
    client.send(Request::upgrade("/echo").set("Sec-WebSocket-Key", "AQIDBAUGBwg=").encode());
    let head = client.read_head();
    assert_eq!(head.status(), 101);
    let key = Request::get("/").with("Sec-WebSocket-Key", "AQIDBAUGBwg=");
    let expected = Head::parse(&key.encode()).accept_key();
    assert_eq!(head.field("Sec-WebSocket-Accept"), Some(expected.as_str()));
    drop(client);
    gateway.finish();
}

/// Sends a request that must be refused together with another one that must then be ignored.
#[track_caller]
fn refused_with_tail(rig: &Rig, request: &Request) -> Head {
    let mut client = rig.gateway.connect();
    client.send([request.encode(), Request::get("/smuggled").encode()].concat());
    client.finish();
    let (head, _) = client.read_response();
    let rest = client.read_to_fin();
    // What asks for no WebSocket is a plain request, and another may follow it.
    let is_plain = !head.all("Connection").iter().any(|line| line.ends_with("close"));
    let names_websocket = Head::parse(&request.encode()).all("Upgrade").contains(&"websocket");
    assert!(!(is_plain && names_websocket), "{head:?} to {request:?}");
    if is_plain && !rest.is_empty() {
        client.put_back(&rest);
        assert_ne!(client.read_response().0.status(), 101, "{}", rest.escape_ascii());
    } else {
        assert!(rest.is_empty(), "{}", rest.escape_ascii());
    }
    rig.assert_untouched();
    head
}

/// The request with its method replaced.
fn with_method(request: Request, method: &str) -> Request {
    let head = Head::parse(&request.encode());
    request.line(&format!("{method} {} HTTP/1.1", head.target()))
}

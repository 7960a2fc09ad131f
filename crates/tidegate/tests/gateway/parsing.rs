//! Requests that two parsers could read differently: each is refused, and nothing that follows it is ever served.

use tidegate_testkit::{Backend, Gateway, Request, Wire};

use crate::rig::gateway;

/// Sends a head and what follows, then the request that must not be served; the status, and the end of the connection.
#[track_caller]
fn status(gateway: &Gateway, bytes: &[u8]) -> u16 {
    let mut client = gateway.connect();
    client.send([bytes, b"GET /smuggled HTTP/1.1\r\nHost: gw.test\r\n\r\n"].concat());
    let head = client.read_head();
    assert_closed_after_body(&mut client, head.field("Content-Length"));
    head.status()
}

#[track_caller]
fn assert_closed_after_body(client: &mut Wire, length: Option<&str>) {
    client.read_exact(length.unwrap_or("0").parse().unwrap());
    client.expect_fin();
}

/// A gateway whose every path is an `http://` route to a backend that nothing may reach.
fn in_front_of_a_tripwire() -> (Gateway, Backend) {
    let backend = Backend::bind();
    let target = backend.tcp().replace("tcp://", "http://");
    let gateway = gateway().route("/echo", "echo:", "").route("/*", &target, "").start();
    (gateway, backend)
}

fn get(fields: &str) -> Vec<u8> {
    format!("GET /a HTTP/1.1\r\n{fields}\r\n").into_bytes()
}

fn post(fields: &str, body: &str) -> Vec<u8> {
    format!("POST /a HTTP/1.1\r\nHost: gw.test\r\n{fields}\r\n{body}").into_bytes()
}

#[test]
fn t001_to_t004_heads_that_are_too_large() {
    let (gateway, _backend) = in_front_of_a_tripwire();
    let many: String = (0..2000).map(|n| format!("a{n}: b\r\n")).collect();
    let hundred_and_one: String = (0..100).map(|n| format!("a{n}: b\r\n")).collect();
    let forty_kilobytes: String = (0..40).map(|n| format!("a{n}: {}\r\n", "b".repeat(1000))).collect();
    for (row, bytes, expected) in [
        ("t001", get(&format!("Host: gw.test\r\nX: {}\r\n", "a".repeat(1 << 20))), 431),
        ("t001 one field of 9 KiB", get(&format!("Host: gw.test\r\nX: {}\r\n", "a".repeat(9 << 10))), 431),
        ("t001 fields of 40 KiB", get(&format!("Host: gw.test\r\n{forty_kilobytes}")), 431),
        ("t003", get(&format!("Host: gw.test\r\n{many}")), 431),
        ("t003 one above", get(&format!("Host: gw.test\r\n{hundred_and_one}")), 431),
        ("t004", format!("GET /{} HTTP/1.1\r\nHost: gw.test\r\n\r\n", "a".repeat(9000)).into_bytes(), 414),
    ] {
        let mut client = gateway.connect();
        client.send_until_stalled(&bytes, bytes.len(), std::time::Duration::from_secs(1));
        assert_eq!(client.read_head().status(), expected, "{row}");
    }
}

#[test]
fn t005_to_t014_heads_that_are_none() {
    let (gateway, _backend) = in_front_of_a_tripwire();
    for (row, fields) in [
        ("t005", ""),
        ("t006 the same", "Host: gw.test\r\nHost: gw.test\r\n"),
        ("t006 another", "Host: gw.test\r\nHost: evil.test\r\n"),
        ("t007", "Host: a b\r\n"),
        ("t007", "Host: a/b\r\n"),
        ("t007", "Host: u@h\r\n"),
        ("t007 empty", "Host: \r\n"),
        ("t010", "Host: gw.test\r\nX: a\rb\r\n"),
        ("t011", "Host: gw.test\r\nX: a\0b\r\n"),
        ("t011", "Host: gw.test\r\nX: a\x01b\r\n"),
        ("t011", "Host: gw.test\r\nX: a\x7fb\r\n"),
        ("t012", "Host: gw.test\r\nUpgrade : websocket\r\n"),
        ("t013", "Host: gw.test\r\nX: a\r\n b\r\n"),
        ("t014", "Host: gw.test\r\n: x\r\n"),
        ("t085", "Host: gw.test\r\nConnection: close, Host\r\n"),
        ("t085", "Host: gw.test\r\nConnection: Sec-WebSocket-Key\r\n"),
        ("t085", "Host: gw.test\r\nConnection: authorization\r\n"),
    ] {
        assert_eq!(status(&gateway, &get(fields)), 400, "{row} {fields:?}");
    }
    gateway.assert_no_panic();
}

#[test]
fn t016_to_t024_bodies_without_one_certain_end() {
    let (gateway, _backend) = in_front_of_a_tripwire();
    for length in ["+5", "5,5", "5, 6", "0x5", "", "-1", "9999999999999999999999"] {
        let bytes = post(&format!("Content-Length: {length}\r\n"), "hello");
        assert_eq!(status(&gateway, &bytes), 400, "t016 {length:?}");
    }
    assert_eq!(status(&gateway, &post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")), 400, "t017");
    for coding in ["chunked, identity", "identity, chunked", "xchunked", "chunked\x0b", "gzip, chunked"] {
        let bytes = post(&format!("Transfer-Encoding: {coding}\r\n"), "0\r\n\r\n");
        assert_eq!(status(&gateway, &bytes), 400, "t019 {coding:?}");
    }
    let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    assert_eq!(status(&gateway, &post(twice, "0\r\n\r\n")), 400, "t019 twice");
    let old = "POST /a HTTP/1.0\r\nHost: gw.test\r\n";
    for rest in ["Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "\r\nhello"] {
        let mut client = gateway.connect();
        client.send([old, rest].concat());
        assert!(client.read_to_end().0.windows(5).any(|window| window == b" 400 "), "t024 {rest:?}");
    }
}

#[test]
fn t026_t030_methods_that_are_not_served() {
    let (gateway, _backend) = in_front_of_a_tripwire();
    for (method, expected) in [("A".repeat(1000), 501), ("get".to_owned(), 501), ("TRACE".to_owned(), 405)] {
        let bytes = format!("{method} /a HTTP/1.1\r\nHost: gw.test\r\n\r\n");
        assert_eq!(status(&gateway, bytes.as_bytes()), expected, "{method}");
    }
    let connect = b"CONNECT host.test:443 HTTP/1.1\r\nHost: host.test:443\r\n\r\n";
    assert_eq!(status(&gateway, connect), 405, "t030: and the connection is closed");
}

#[test]
fn t027_t028_t029_other_protocols() {
    let (gateway, _backend) = in_front_of_a_tripwire();
    for version in ["HTTP/1.2", "HTTP/2.0", "HTTP/9.9", "http/1.1"] {
        let bytes = format!("GET /a {version}\r\nHost: gw.test\r\n\r\n");
        assert_eq!(status(&gateway, bytes.as_bytes()), 400, "t027 {version}");
    }
    let mut preface = gateway.connect();
    preface.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(preface.read_to_end().0, b"", "t028: no answer that HTTP/2 could take for one of its own");
    let mut tls = gateway.connect();
    tls.send([&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[7; 200]].concat());
    assert_eq!(tls.read_head().status(), 400, "t029");
}

/// The authority of the target wins over Host, for policy and for the backend alike.
#[test]
fn t008_an_absolute_target_names_the_host() {
    let (gateway, backend) = in_front_of_a_tripwire();
    let mut client = gateway.connect();
    client.send(Request::get("/").line("GET http://other.test/path HTTP/1.1").encode());
    let mut wire = backend.accept();
    let head = wire.read_head();
    assert_eq!((head.target(), head.field("Host")), ("/path", Some("other.test")));
    assert_eq!(head.field("X-Forwarded-Host"), Some("other.test"));
}

#[test]
fn t015_t156_what_only_looks_like_a_field_of_ours_is_not_passed_on() {
    let (gateway, backend) = in_front_of_a_tripwire();
    let mut client = gateway.connect();
    let request = Request::get("/a")
        .with("X_Forwarded_For", "1.2.3.4")
        .with("Upgrade", "h2c")
        .with("Connection", "Upgrade, HTTP2-Settings, X-Mine")
        .with("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA")
        .with("X-Mine", "1")
        .with("Cookie", "a=b");
    client.send(request.encode());
    let head = backend.accept().read_head();
    for absent in ["X_Forwarded_For", "Upgrade", "HTTP2-Settings", "X-Mine"] {
        assert_eq!(head.field(absent), None, "{absent}");
    }
    assert_eq!(head.field("Cookie"), Some("a=b"));
    assert_eq!(head.all("X-Forwarded-For"), ["127.0.0.1"]);
}

//! Request heads that two parsers could read differently: each is refused, and nothing that follows it is ever served.

use std::thread;
use std::time::Duration;

use tidegate_testkit::{Deadline, Frame, Request};

use crate::rig::{Rig, gateway};
use crate::tripwire::{Tripwire, get};

/// Each of these sets of fields is refused with 400.
#[track_caller]
fn bad(table: &[&str]) {
    let wire = Tripwire::start();
    for fields in table {
        assert_eq!(wire.status(&get(fields)), 400, "{fields:?}");
    }
    wire.finish();
}

#[test]
fn t001_a_field_of_twenty_megabytes_is_given_up_at_its_bound() {
    let wire = Tripwire::start();
    drop(wire.gateway.open("/echo")); // what a first connection costs is no part of it
    let before = (wire.gateway.memory(), wire.gateway.cpu());
    let mut client = wire.gateway.connect();
    client.send("GET /a HTTP/1.1\r\nHost: gw.test\r\nX: ");
    let piece = [b'a'; 4 << 10];
    let taken = (0..20 << 8).take_while(|_| client.try_send(piece).is_ok()).count();
    assert_eq!(client.read_head().status(), 431, "after {taken} pieces");
    let grown = wire.gateway.memory().saturating_sub(before.0);
    assert!(grown < 2 << 20, "{grown} bytes of memory for a head");
    let ran = wire.gateway.cpu() - before.1;
    assert!(ran < Duration::from_secs(1), "{ran:?} for a head that was refused");
    drop(client);
    wire.finish();
}

#[test]
fn t001_the_exact_bounds_of_fields() {
    let wire = Tripwire::start();
    let field = |bytes: usize| format!("Host: gw.test\r\nX: {}\r\n", "a".repeat(bytes - "x: \r\n".len()));
    assert_eq!(wire.status(&get(&field((8 << 10) + 1))), 431, "one field");
    let lines =
        |count: usize| (0..count).map(|n| format!("a{n:02}: {}\r\n", "b".repeat(1017))).collect::<String>();
    assert_eq!(wire.status(&get(&format!("Host: gw.test\r\n{}", lines(32)))), 431, "all fields");
    for legal in [field(8 << 10), format!("Host: gw.test\r\n{}", lines(31))] {
        let mut client = wire.gateway.connect();
        client.send(get(&legal));
        drop(wire.backend.accept());
        assert_eq!(client.read_response().0.status(), 502, "it has passed");
    }
    wire.finish();
}

/// A head that comes byte by byte is not read again from its beginning with each of them: a byte behind 59 KB costs no
/// more than one behind nothing.
#[test]
fn t002_a_head_in_single_bytes() {
    let wire = Tripwire::start();
    let cost = |before: usize| {
        let mut client = wire.gateway.connect();
        client.send(format!("GET /a HTTP/1.1\r\nHost: gw.test\r\nX: {}", "a".repeat(before)));
        let begun = wire.gateway.cpu();
        for _ in 0..3_000 {
            client.send("a");
            thread::sleep(Duration::from_micros(200)); // so that each is a segment and a read of its own
        }
        wire.gateway.cpu() - begun
    };
    let (short, long) = (cost(0), cost(59_000));
    assert!(long < 2 * short + Duration::from_millis(50), "{long:?} against {short:?}");
    wire.finish();
}

/// The default of `head_timeout`: one deadline for all of a head, however busy the client is.
#[test]
fn t002_t059_t060_the_default_time_for_a_head_is_ten_seconds() {
    let wire = Tripwire::start();
    let waited = Deadline::patient();
    let mut stopped = wire.gateway.connect();
    stopped.send("GET /a HT");
    let mut dripping = wire.gateway.connect();
    dripping.send("GET /a HTTP/1.1\r\nHost: gw.test\r\nX: ");
    while dripping.is_silent_for(Duration::from_millis(1)) {
        dripping.send("a");
    }
    assert!(waited.elapsed() > Duration::from_secs(9), "given up after {:?}", waited.elapsed());
    for mut client in [dripping, stopped] {
        assert_eq!(client.read_head().status(), 408);
        client.expect_fin();
    }
    wire.finish();
}

#[test]
fn t003_too_many_fields() {
    let wire = Tripwire::start();
    for count in [100, 2_000] {
        let fields: String = (0..count).map(|n| format!("a{n}: b\r\n")).collect();
        assert_eq!(wire.status(&get(&format!("Host: gw.test\r\n{fields}"))), 431, "{count} and Host");
    }
    wire.finish();
}

#[test]
fn t004_a_target_that_is_too_long() {
    let wire = Tripwire::start();
    let line = format!("GET /{} HTTP/1.1\r\nHost: gw.test\r\n\r\n", "a".repeat(9_000));
    assert_eq!(wire.status(line.as_bytes()), 414);
    wire.finish();
}

#[test]
fn t005_no_host() {
    bad(&[""]);
}

#[test]
fn t006_two_hosts() {
    bad(&["Host: gw.test\r\nHost: gw.test\r\n", "Host: gw.test\r\nHost: evil.test\r\n"]);
}

#[test]
fn t007_hosts_that_are_none() {
    bad(&["Host: a b\r\n", "Host: a/b\r\n", "Host: u@h\r\n", "Host: \r\n", "Host: a:b\r\n"]);
}

/// The authority of the target wins over Host, for policy and for the backend alike.
#[test]
fn t008_an_absolute_target_names_the_host() {
    let wire = Tripwire::start();
    let mut client = wire.gateway.connect();
    client.send(Request::get("/").line("GET http://other.test/path HTTP/1.1").encode());
    let head = wire.backend.accept().read_head();
    assert_eq!((head.target(), head.field("Host")), ("/path", Some("other.test")));
    assert_eq!(head.field("X-Forwarded-Host"), Some("other.test"));
    drop(client);

    // The origin that is the request's own is that of the target, too.
    for (origin, status) in [("http://other.test", 101), ("http://gw.test", 403)] {
        let request =
            Request::upgrade("/echo").line("GET http://other.test/echo HTTP/1.1").set("Origin", origin);
        let mut client = wire.gateway.connect();
        client.send(request.encode());
        assert_eq!(client.read_head().status(), status, "{origin}");
    }
    wire.finish();
}

/// A bare LF ends a line, for every request alike (RFC 9112 §2.2), and what goes on has CR LF.
#[test]
fn t009_bare_line_feeds_are_not_passed_on() {
    let wire = Tripwire::start();
    let mut client = wire.gateway.connect();
    client.send("GET /a HTTP/1.1\nHost: gw.test\nX: 1\r\nY: 2\n\n");
    let head = wire.backend.accept().read_head(); // which reads lines that end in CR LF, and no others
    assert_eq!((head.field("X"), head.field("Y"), head.target()), (Some("1"), Some("2"), "/a"));
    let mut upgrade = wire.gateway.connect();
    let request = String::from_utf8(Request::upgrade("/echo").encode()).unwrap().replace("\r\n", "\n");
    upgrade.send([request.as_bytes(), &Frame::text("hello").masked().encode()].concat());
    assert_eq!(upgrade.read_head().status(), 101);
    assert_eq!(upgrade.read_frame(), Frame::text("hello"), "head and frames part at the same place");
    drop((client, upgrade));
    wire.finish();
}

#[test]
fn t010_a_bare_carriage_return() {
    bad(&["Host: gw.test\r\nX: a\rb\r\n", "Host: gw.test\r\nX: a\rSet-Cookie: b\r\n"]);
}

#[test]
fn t011_control_characters_in_a_value() {
    let rows: Vec<String> = (0..9)
        .chain([0x0b, 0x0c, 0x1f, 0x7f])
        .map(|byte: u8| format!("Host: gw.test\r\nX: a{}b\r\n", char::from(byte)))
        .collect();
    bad(&rows.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn t012_a_space_before_the_colon() {
    bad(&["Host: gw.test\r\nUpgrade : websocket\r\n", "Host : gw.test\r\n"]);
}

#[test]
fn t013_a_folded_line() {
    bad(&["Host: gw.test\r\nX: a\r\n b\r\n", "Host: gw.test\r\nX: a\r\n\tb\r\n"]);
}

#[test]
fn t014_a_field_without_a_name() {
    bad(&["Host: gw.test\r\n: x\r\n"]);
}

/// Behind CGI both spellings are one name: only ours goes on.
#[test]
fn t015_what_only_looks_like_a_field_of_ours_is_not_passed_on() {
    let wire = Tripwire::start();
    let mut client = wire.gateway.connect();
    let request = Request::get("/a").with("X_Forwarded_For", "1.2.3.4").with("X-Forwarded_Host", "evil.test");
    client.send(request.with("Cookie", "a=b").encode());
    let head = wire.backend.accept().read_head();
    assert!(head.fields.iter().all(|(name, _)| !name.contains('_')), "{head:?}");
    assert_eq!(head.all("X-Forwarded-For"), ["127.0.0.1"]);
    assert_eq!(head.field("Cookie"), Some("a=b"));
    drop(client);
    wire.finish();
}

#[test]
fn t026_methods_that_are_none() {
    let wire = Tripwire::start();
    for (line, status) in [
        (format!("{} /a HTTP/1.1", "A".repeat(1000)), 501),
        ("get /a HTTP/1.1".into(), 501),
        ("GET\t/a HTTP/1.1".into(), 400),
    ] {
        let bytes = format!("{line}\r\nHost: gw.test\r\n\r\n");
        assert_eq!(wire.status(bytes.as_bytes()), status, "{line:.20}");
    }
    wire.finish();
}

#[test]
fn t027_versions_that_are_not_spoken() {
    let wire = Tripwire::start();
    for version in ["HTTP/1.2", "HTTP/2.0", "HTTP/9.9", "http/1.1", "HTTP/1.10", "HTTP/01.1"] {
        let bytes = format!("GET /a {version}\r\nHost: gw.test\r\n\r\n");
        assert_eq!(wire.status(bytes.as_bytes()), 400, "{version}");
    }
    wire.finish();
}

/// No answer that HTTP/2 could take for one of its own.
#[test]
fn t028_the_preface_of_http_2() {
    let wire = Tripwire::start();
    let mut client = wire.gateway.connect();
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    assert_eq!(client.read_to_end().0, b"");
    drop(client);
    wire.finish();
}

#[test]
fn t029_tls_on_a_plain_port() {
    let wire = Tripwire::start();
    let hello = [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[7; 200]].concat();
    assert_eq!(wire.status(&hello), 400);
    wire.finish();
}

#[test]
fn t030_trace_and_connect_end_the_connection() {
    let wire = Tripwire::start();
    for line in ["TRACE /a", "CONNECT host.test:443", "CONNECT 10.0.0.1:22"] {
        let bytes = format!("{line} HTTP/1.1\r\nHost: host.test:443\r\n\r\n");
        assert_eq!(wire.status(bytes.as_bytes()), 405, "{line}");
    }
    wire.finish();
}

/// Fields that every hop needs cannot be named as being of one hop.
#[test]
fn t085_fields_that_cannot_be_taken_away() {
    bad(&[
        "Host: gw.test\r\nConnection: close, Host\r\n",
        "Host: gw.test\r\nConnection: Sec-WebSocket-Key\r\n",
        "Host: gw.test\r\nConnection: keep-alive\r\nConnection: authorization\r\n",
    ]);
    let rig = Rig::start();
    let nominated = "Upgrade, X-Real-IP, X-Forwarded-For, Cookie, Sec-WebSocket-Key, Host";
    assert_eq!(rig.refused(&Request::upgrade("/ws").set("Connection", nominated)).status(), 400);
    rig.finish();
}

#[test]
fn t156_t157_no_other_protocol_is_switched_to() {
    let wire = Tripwire::start();
    for protocol in ["h2c", "foo", "TLS/1.0", "h2c, foo"] {
        let mut client = wire.gateway.connect();
        let request = Request::get("/a")
            .with("Upgrade", protocol)
            .with("Connection", "Upgrade, HTTP2-Settings, X-Mine")
            .with("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA")
            .with("X-Mine", "1");
        client.send(request.encode());
        let mut backend = wire.backend.accept();
        let head = backend.read_head();
        for absent in ["Upgrade", "HTTP2-Settings", "X-Mine"] {
            assert_eq!(head.field(absent), None, "{absent} of {protocol}");
        }
        backend.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        let (head, body) = client.read_response();
        assert_eq!((head.status(), body.as_str(), head.field("Upgrade")), (200, "ok", None), "{protocol}");
    }
    wire.finish();
}

/// The time for a head is set for each listener.
#[test]
fn m8_a_listener_has_its_own_time_for_a_head() {
    let gateway = gateway().listener("head_timeout = '300ms'").route("/echo", "echo:", "").start();
    let mut silent = gateway.connect();
    silent.expect_fin();
    drop(silent);
    gateway.finish();
}

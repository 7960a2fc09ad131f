//! `proxy_protocol = true`: who is believed, and what must not pass for a header.

use std::io::Write as _;
use std::os::unix::net::UnixStream;

use tidegate_testkit::{Authority, Backend, Builder, Frame, Gateway, PATIENCE, Request, Wire};

use super::{binary, field};
use crate::certificates::echo;
use crate::rig::gateway;

const LINE: &str = "PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\r\n";

/// The same in version 2, and these fields.
fn announced(fields: &[u8]) -> Vec<u8> {
    let addresses = [192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x34, 0x01, 0xbb];
    binary(0x21, 0x11, &[addresses.as_slice(), fields].concat())
}

/// A gateway behind a proxy at this address, with the route `/echo`.
fn behind(proxy: &str) -> Builder {
    let keys = format!("proxy_protocol = true\ntrusted_proxies = ['{proxy}']");
    gateway().listener(&keys).route("/echo", "echo:", "")
}

/// A WebSocket behind this header: it works, and `client` is in its access line.
#[track_caller]
fn expect_client(gateway: &Gateway, header: &[u8], client: &str) {
    let mut wire = gateway.connect_bare();
    let own = wire.local_address().to_string();
    // In one segment with what follows: not a byte of that may be lost.
    wire.send([header, &Request::upgrade("/echo").encode(), &Frame::text("ahoy").masked().encode()].concat());
    assert_eq!(wire.read_head().status(), 101);
    assert_eq!(wire.read_frame().payload, b"ahoy");
    drop(wire);
    let client = if client == "own" { &own } else { client };
    gateway.access_line(|line| line["client"] == *client && line["kind"] == "websocket");
}

#[test]
fn the_client_is_whom_the_header_names() {
    let gateway = behind("127.0.0.1").start();
    expect_client(&gateway, LINE.as_bytes(), "192.0.2.1:4660");
    expect_client(&gateway, &announced(b""), "192.0.2.1:4660");
    expect_client(&gateway, b"PROXY TCP6 2001:db8::1 2001:db8::2 7 443\r\n", "[2001:db8::1]:7");
    expect_client(&gateway, &announced(&field(0x05, &[7; 1500])), "192.0.2.1:4660");
    gateway.finish();
}

#[test]
fn t237_local_and_unknown_are_the_connections_own_address() {
    let gateway = behind("127.0.0.1").start();
    for header in [
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN 192.0.2.1 198.51.100.2 4660 443\r\n".to_vec(),
        binary(0x20, 0x00, b""),
        binary(0x20, 0x11, &[0; 12]),
        binary(0x21, 0x00, b""),
        binary(0x21, 0x31, &[0; 216]),
    ] {
        expect_client(&gateway, &header, "own");
    }
    gateway.finish();
}

/// Whoever speaks behind a header is the proxy's client, also where the proxy does not say which.
#[test]
fn t082_t237_an_unnamed_client_is_no_trusted_proxy() {
    let backend = Backend::bind();
    let gateway = behind("127.0.0.1").route("/app", &backend.ws(), "").start();
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), binary(0x20, 0x00, b""), binary(0x21, 0x31, &[0; 216])] {
        let mut client = gateway.connect_bare();
        let own = client.local_address().to_string();
        let request = Request::upgrade("/app")
            .with("X-Forwarded-For", "203.0.113.9")
            .with("X-Forwarded-Host", "evil.test")
            .with("X-Forwarded-Proto", "https")
            .with("X-Forwarded-User", "root");
        client.send([header.as_slice(), &request.encode()].concat());
        let (_wire, head) = backend.accept_websocket();
        assert_eq!(client.read_head().status(), 101);
        for (name, value) in [
            ("Host", Some("gw.test")),
            ("X-Forwarded-For", Some("127.0.0.1")),
            ("X-Forwarded-Host", Some("gw.test")),
            ("X-Forwarded-Proto", Some("http")),
            ("X-Forwarded-User", None),
        ] {
            assert_eq!(head.field(name), value, "{name} behind {}", header.escape_ascii());
        }
        drop(client);
        gateway.access_line(|line| line["client"] == *own && line["host"] == "gw.test");
    }
    gateway.finish();
}

#[test]
fn a_header_may_come_byte_by_byte() {
    let gateway = behind("127.0.0.1").start();
    for (seed, header) in [LINE.as_bytes().to_vec(), announced(&field(0x02, b"gw.test"))].iter().enumerate() {
        let mut wire = gateway.connect();
        wire.send_chopped([header.as_slice(), &Request::upgrade("/echo").encode()].concat(), seed as u64);
        assert_eq!(wire.read_head().status(), 101);
        drop(wire);
        gateway.access_line(|line| line["client"] == "192.0.2.1:4660");
    }
    gateway.finish();
}

#[test]
fn t237_what_is_no_header_is_dropped_without_a_word() {
    let gateway = behind("127.0.0.1").start();
    let mut cut = announced(b"\x02\x00\x09host");
    for (bytes, said) in [
        (Request::upgrade("/echo").encode(), "there is no PROXY header"),
        (b"\x16\x03\x01\x02\x00".to_vec(), "there is no PROXY header"),
        ([b"PROXY UNKNOWN ".as_slice(), &[b'x'; 93]].concat(), "has no end"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\n".to_vec(), "not formed as it should be"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 99999 443\r\n".to_vec(), "not formed as it should be"),
        (binary(0x21, 0x11, &[0; 65535]), "65535 bytes follow"),
        (binary(0x2f, 0x11, &[0; 12]), "begins with 0x2f11"),
        (binary(0x21, 0x11, &[0; 11]), "do not add up"),
        (std::mem::take(&mut cut), "do not add up"),
        (announced(b"\x02\x00\x02host"), "do not add up"),
    ] {
        let mut wire = gateway.connect();
        let proxy = wire.local_address();
        // The gateway may have dropped it before all of it is sent.
        drop(wire.try_send(&bytes));
        let (answer, _) = wire.read_to_end();
        assert_eq!(answer.escape_ascii().to_string(), "");
        let line = gateway.diagnosis(&format!("{proxy}, a trusted proxy, announces no client"));
        assert!(line.contains(said), "{line}");
    }
    assert_eq!(gateway.access_lines().len(), 0, "none of it was a request");
    gateway.finish();
}

#[test]
fn t237_a_header_has_its_time() {
    let gateway = behind("127.0.0.1").listener("head_timeout = '200ms'").start();
    for beginning in [b"".as_slice(), b"PROXY TCP4 192.0.2.1", &announced(b"")[..20]] {
        let mut wire = gateway.connect();
        wire.send(beginning);
        assert_eq!(wire.read_to_end().0, b"", "{}", beginning.escape_ascii());
    }
    gateway.finish();
}

/// A health check connects, and goes.
#[test]
fn who_only_connects_is_no_reason_to_complain() {
    let gateway = behind("127.0.0.1").start();
    for _ in 0..10 {
        drop(gateway.connect());
    }
    gateway.settle();
    expect_client(&gateway, LINE.as_bytes(), "192.0.2.1:4660");
    assert!(!gateway.diagnosis_so_far().iter().any(|line| line.contains("announces no client")));
    gateway.finish();
}

#[test]
fn t236_nobody_else_is_believed() {
    let gateway = behind("10.0.0.0/8").start();
    for header in [LINE.as_bytes().to_vec(), announced(b"")] {
        let mut wire = gateway.connect();
        wire.send([header, Request::upgrade("/echo").encode()].concat());
        let answer = wire.read_head();
        assert_eq!(answer.status(), 400);
    }
    expect_client(&gateway, b"", "own"); // without a header they are served as what they are
    assert!(gateway.access_lines().iter().all(|line| !line["client"].to_string().contains("192.0.2.1")));
    gateway.finish();
}

#[test]
fn t236_on_a_listener_without_it_a_header_is_no_http() {
    let gateway = gateway().listener("trusted_proxies = ['127.0.0.1']").route("/echo", "echo:", "").start();
    let mut wire = gateway.connect();
    wire.send([LINE.as_bytes(), &Request::upgrade("/echo").encode()].concat());
    assert_eq!(wire.read_head().status(), 400);
    drop(wire);
    gateway.finish();
}

#[test]
fn the_header_comes_before_tls() {
    let authority = Authority::new();
    let gateway = behind("127.0.0.1").secure(&authority, &authority.issue("127.0.0.1")).start();
    let mut wire = gateway.connect_bare();
    wire.send(LINE);
    let mut wire = wire.secured_as_client(&authority.client(), "127.0.0.1");
    wire.send(Request::upgrade("/echo").set("Origin", "https://gw.test").encode());
    assert_eq!(wire.read_head().status(), 101);
    drop(wire);
    gateway.access_line(|line| line["client"] == "192.0.2.1:4660");
    gateway.finish();
}

#[test]
fn a_proxy_that_ends_tls_says_so() {
    let backend = Backend::bind();
    let gateway = behind("127.0.0.1").route("/ws", &backend.ws(), "").start();
    let tls = field(0x20, &[[0x01, 0, 0, 0, 0].as_slice(), &field(0x21, b"TLSv1.3")].concat());
    let mut wire = gateway.connect();
    wire.send([announced(&tls), Request::upgrade("/ws").set("Origin", "https://gw.test").encode()].concat());
    let (_backend, head) = backend.accept_websocket();
    assert_eq!(wire.read_head().status(), 101, "same origin");
    assert_eq!(head.field("X-Forwarded-For"), Some("192.0.2.1"));
    assert_eq!(
        (head.field("X-Forwarded-Proto"), head.field("X-Forwarded-Port")),
        (Some("https"), Some("443"))
    );
}

/// The proxy says who its client is; what that one says of itself is worth nothing.
#[test]
fn t082_an_announced_client_is_no_trusted_proxy() {
    let gateway = behind("127.0.0.1").start();
    let mut wire = gateway.connect();
    let request = Request::upgrade("/echo").with("X-Forwarded-For", "203.0.113.9");
    wire.send([LINE.as_bytes(), &request.encode()].concat());
    assert_eq!(wire.read_head().status(), 101);
    drop(wire);
    gateway.access_line(|line| line["client"] == "192.0.2.1:4660");
    gateway.finish();
}

#[test]
fn t243_the_quota_is_that_of_the_announced_client() {
    let gateway = behind("127.0.0.1").top("max_connections_per_client = 1").start();
    let open = |client: &str| -> (u16, Wire) {
        let mut wire = gateway.connect();
        let header = format!("PROXY TCP4 {client} 198.51.100.2 1 443\r\n");
        wire.send([header.as_bytes(), &Request::upgrade("/echo").encode()].concat());
        (wire.read_head().status(), wire)
    };
    let (first, _kept) = open("192.0.2.1");
    let (other, _other) = open("192.0.2.2");
    let (second, _refused) = open("192.0.2.1");
    assert_eq!([first, other, second], [101, 101, 503]);
}

#[test]
fn through_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("tidegate.sock");
    let gateway = gateway()
        .top(&format!(
            "[[listener]]\naddress = 'unix:{}'\nproxy_protocol = true\ntrusted_proxies = ['unix:']",
            socket.display()
        ))
        .route("/echo", "echo:", "")
        .start();
    let mut client = UnixStream::connect(&socket).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(LINE.as_bytes()).unwrap();
    echo(&mut client, "http://gw.test");
    drop(client);
    gateway.access_line(|line| line["client"] == "192.0.2.1:4660");
    gateway.finish();
}

#[test]
fn without_a_trusted_proxy_it_is_no_configuration() {
    let said = gateway().listener("proxy_protocol = true").route("/echo", "echo:", "").refused();
    assert!(said.contains("proxy_protocol is true, but there is no proxy that is trusted"), "{said}");
}

//! The opening handshake: two keys, eight bytes, and sixteen in answer.

use std::time::Duration;

use tidegate_testkit::{Backend, Deadline, Frame, Gateway, Hybi00, Request};

use super::{BINARY, TEXT, accept, expect_answer, open, path};
use crate::rig::{EVERY_FAR, Far, Rig, gateway};

#[test]
fn t212_c126_c128_c129_both_vectors_of_the_draft() {
    for (scheme, rig) in [("ws", Rig::with(TEXT)), ("wss", Rig::secure_with(TEXT))] {
        for far in EVERY_FAR {
            for vector in [Hybi00::FIRST, Hybi00::SECOND] {
                let mut client = rig.gateway.connect();
                client.send(vector.request(&format!("{}?a=%41&b", path(far))).encode());
                client.send(vector.key3);
                let backend = accept(&rig, far);
                let head = client.read_head();
                assert_eq!(head.line, "HTTP/1.1 101 WebSocket Protocol Handshake");
                let location = format!("{scheme}://gw.test{}?a=%41&b", path(far));
                for (name, value) in [
                    ("Upgrade", Some("WebSocket")),
                    ("Connection", Some("Upgrade")),
                    ("Sec-WebSocket-Origin", Some("http://gw.test")),
                    ("Sec-WebSocket-Location", Some(location.as_str())),
                    ("Sec-WebSocket-Protocol", None),
                    ("Sec-WebSocket-Accept", None),
                    ("Content-Length", None),
                    ("Transfer-Encoding", None),
                ] {
                    assert_eq!(head.field(name), value, "{name}");
                }
                assert_eq!(&client.read_exact(16), vector.proof);
                drop((client, backend));
            }
        }
        rig.finish();
    }
}

#[test]
fn c126_without_the_key_such_a_request_names_no_version() {
    let rig = Rig::start();
    for far in EVERY_FAR {
        let answer = rig.refused(&Hybi00::FIRST.request(path(far)));
        let without_version = rig.refused(&Request::upgrade(path(far)).without("Sec-WebSocket-Version"));
        assert_eq!(answer.status(), without_version.status());
        assert_eq!(answer.field("Sec-WebSocket-Version"), Some("13"));
    }
    rig.finish();
}

/// What follows the eight bytes at once is frames, and arrives.
#[test]
fn c129_frames_in_the_segment_of_the_handshake() {
    let rig = Rig::with(TEXT);
    let mut client = rig.gateway.connect();
    let request = Hybi00::FIRST.request("/tcp").encode();
    client.send([request.as_slice(), Hybi00::FIRST.key3, &Hybi00::text("early")].concat());
    let mut backend = rig.tcp.accept();
    assert_eq!(backend.read_exact(5), b"early");
    expect_answer(&mut client);
    drop((client, backend));
    rig.finish();
}

#[test]
fn t213_c127_keys_that_hide_no_number() {
    let rig = Rig::with(TEXT);
    let nines = "9 ".repeat(3_000);
    for key in ["1234567890", "a b c", "7  x", "42949672960 x", "4294967296 1", "", nines.as_str()] {
        for name in ["Sec-WebSocket-Key1", "Sec-WebSocket-Key2"] {
            for far in EVERY_FAR {
                let request = Hybi00::FIRST.request(path(far)).set(name, key);
                assert_eq!(rig.refused(&request).status(), 400, "{name}: {key:.20} at {far:?}");
            }
        }
    }
    rig.finish();
}

#[test]
fn c126_what_is_missing_or_announced_is_400() {
    let rig = Rig::with(TEXT);
    let base = || Hybi00::FIRST.request("/tcp");
    for (request, status) in [
        (base().without("Sec-WebSocket-Key1"), 400),
        (base().without("Sec-WebSocket-Key2"), 400),
        (base().without("Origin"), 400),
        (base().with("Content-Length", "8"), 400),
        (base().with("Transfer-Encoding", "chunked"), 400),
        (base().with("Sec-WebSocket-Draft", "2"), 400),
        (base().with("Sec-WebSocket-Protocol", ""), 400),
        (base().set("Connection", "keep-alive"), 426),
    ] {
        assert_eq!(rig.refused(&request).status(), status, "{request:?}");
    }
    rig.finish();
}

#[test]
fn t214_the_eight_bytes_may_come_one_by_one() {
    for rig in [Rig::with(TEXT), Rig::secure_with(TEXT)] {
        let mut client = rig.gateway.connect();
        client.send(Hybi00::FIRST.request("/tcp").encode());
        let mut backend = rig.tcp.accept();
        assert_eq!(client.read_head().status(), 101, "it does not wait for them");
        for byte in Hybi00::FIRST.key3 {
            client.send([*byte]);
        }
        assert_eq!(&client.read_exact(16), Hybi00::FIRST.proof);
        client.send(Hybi00::text("hello"));
        assert_eq!(backend.read_exact(5), b"hello");
        drop((client, backend));
        rig.finish();
    }
}

/// A gateway with one place for unfinished handshakes, where half a second is the time for one.
fn with_one_place(backend: &Backend) -> Gateway {
    gateway()
        .top("max_handshakes = 1")
        .listener("head_timeout = '500ms'")
        .route("/tcp", &backend.tcp(), TEXT)
        .route("/echo", "echo:", "")
        .start()
}

#[test]
fn t214_seven_of_them_are_waited_for_as_long_as_for_a_head() {
    let backend = Backend::bind();
    let gateway = with_one_place(&backend);
    let since = Deadline::patient();
    let mut client = gateway.connect();
    client.send(Hybi00::FIRST.request("/tcp").encode());
    client.send(&Hybi00::FIRST.key3[..7]);
    let mut far = backend.accept();
    assert_eq!(client.read_head().status(), 101);

    // It is no WebSocket yet: the place is taken until it is given up.
    let next = gateway.open("/echo");
    assert!(since.elapsed() >= Duration::from_millis(500), "{:?}", since.elapsed());
    client.expect_fin();
    far.expect_fin();
    let line = gateway.access_line_of(client.local_address());
    assert_eq!((&line["status"], &line["protocol"]), (&101.into(), &"hybi-00".into()), "{line}");
    assert!(line["reason"].as_str().is_some_and(|reason| reason.contains("in time")), "{line}");
    drop((client, far, next));
    gateway.finish();
}

#[test]
fn t214_a_client_that_ends_before_them_gives_its_place_back() {
    let backend = Backend::bind();
    let gateway = with_one_place(&backend);
    let mut client = gateway.connect();
    client.send(Hybi00::FIRST.request("/tcp").encode());
    let mut far = backend.accept();
    assert_eq!(client.read_head().status(), 101);
    client.finish();
    far.expect_fin();
    client.expect_fin();
    let line = gateway.access_line_of(client.local_address());
    assert!(line["reason"].as_str().is_some_and(|reason| reason.contains("ended")), "{line}");
    drop((client, far, gateway.open("/echo")));
    gateway.finish();
}

#[test]
fn t221_t081_another_site_is_403_whatever_is_behind_the_route() {
    let rig = Rig::with(TEXT);
    for far in EVERY_FAR {
        let evil = Hybi00::FIRST.request(path(far)).set("Origin", "http://evil.test");
        assert_eq!(rig.refused(&evil).status(), 403, "{far:?}");
        let old_field = evil.without("Origin").with("Sec-WebSocket-Origin", "http://gw.test");
        assert_eq!(rig.refused(&old_field).status(), 400, "the draft has an Origin field: {far:?}");
    }
    rig.finish();
}

#[test]
fn t221_the_location_is_made_of_a_host_that_is_one() {
    let rig = Rig::with("legacy = 'hybi-00'\norigins = ['*']");
    for host in ["gw.test:x", "gw.test:99999", "gw.test, evil.test", "gw.test/evil", "a b", "gw.test\"", ""] {
        let request = Hybi00::FIRST.request("/echo").set("Host", host);
        assert_eq!(rig.refused(&request).status(), 400, "{host:?}");
    }
    for (host, location) in [
        ("GW.test:80", "ws://gw.test/echo"),
        ("[::1]:8080", "ws://[::1]:8080/echo"),
        ("a:443", "ws://a:443/echo"),
    ] {
        let mut client = rig.gateway.connect();
        client.send(Hybi00::FIRST.request("/echo").set("Host", host).encode());
        assert_eq!(client.read_head().field("Sec-WebSocket-Location"), Some(location));
    }
    rig.finish();
}

/// Behind a proxy the client asked for what the proxy says that it asked for.
#[test]
fn t221_the_location_behind_a_trusted_proxy() {
    let ask = |listener: &str| {
        let gateway = gateway().listener(listener).route("/echo", "echo:", TEXT).start();
        let request = Hybi00::FIRST.request("/echo").set("Host", "inner").set("Origin", "https://app.test");
        let mut client = gateway.connect();
        client.send(request.with("X-Forwarded-Proto", "https").with("X-Forwarded-Host", "app.test").encode());
        let head = client.read_head();
        drop(client);
        gateway.finish();
        (head.status(), head.field("Sec-WebSocket-Location").map(str::to_owned))
    };
    assert_eq!(ask("trusted_proxies = ['127.0.0.1']"), (101, Some("wss://app.test/echo".to_owned())));
    assert_eq!(ask("").0, 403, "nobody else may say so");
}

#[test]
fn t222_a_request_of_both_protocols_is_of_rfc_6455() {
    let rig = Rig::with(TEXT);
    let mut client = rig.gateway.connect();
    let both = Request::upgrade("/echo")
        .with("Sec-WebSocket-Key1", Hybi00::FIRST.key1)
        .with("Sec-WebSocket-Key2", Hybi00::FIRST.key2);
    client.send(both.encode());
    let head = client.read_head();
    assert_eq!(head.field("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(head.field("Sec-WebSocket-Location"), None);
    client.send_frame(&Frame::text("hi").masked());
    assert_eq!(client.read_frame(), Frame::text("hi"));
    let no_version = both.without("Sec-WebSocket-Version");
    assert_ne!(rig.refused(&no_version).status(), 101, "a key of RFC 6455 without its version");
    drop(client);
    rig.finish();
}

/// What a client of hybi-00 asks for is one name; `base64` is what the gateway itself does with its messages.
#[test]
fn c128_subprotocols() {
    let ask = |route: &str, offer: &str| {
        let rig = Rig::with(route);
        let mut client = rig.gateway.connect();
        let request = Hybi00::FIRST.request("/tcp").with("Sec-WebSocket-Protocol", offer);
        client.send(request.encode());
        let backend = rig.tcp.accept();
        let answer = client.read_head().field("Sec-WebSocket-Protocol").map(str::to_owned);
        drop((client, backend));
        rig.finish();
        answer
    };
    assert_eq!(ask(BINARY, "mqtt").as_deref(), Some("mqtt"));
    assert_eq!(ask(BINARY, "base64").as_deref(), Some("base64"));
    assert_eq!(ask(BINARY, "base64, binary").as_deref(), Some("base64"), "a list is sent as well");
    assert_eq!(ask(TEXT, "base64"), None, "nothing is coded on such a route");
    assert_eq!(ask(BINARY, "my chat"), None, "no token");
    assert_eq!(ask(&format!("{BINARY}\nsubprotocols = ['mqtt']"), "base64"), None);
}

#[test]
fn i10_the_access_line_names_the_protocol() {
    let rig = Rig::with(TEXT);
    let session = open(&rig, Far::Tcp);
    let client = session.client.local_address();
    drop(session);
    let line = rig.gateway.access_line_of(client);
    assert_eq!((&line["kind"], &line["protocol"]), (&"websocket".into(), &"hybi-00".into()), "{line}");
    let modern = rig.open(Far::Echo);
    let client = modern.client.local_address();
    drop(modern);
    assert!(rig.gateway.access_line_of(client)["protocol"].is_null());
    rig.finish();
}

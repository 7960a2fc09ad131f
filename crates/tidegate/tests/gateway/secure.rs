//! TLS: in front `wss://`, behind `tls://` and `wss://`. What TLS adds to the ways in which a peer can misbehave; rows that
//! are the same over TCP and over TLS stand with the others, and run over both.

use std::time::Duration;

use tidegate_testkit::{Authority, Backend, Finish, Frame, Gateway, Identity, Request, Wire, eventually};

use crate::rig::{Far, Rig, expect_line, gateway};
use crate::violations::{self, Delivery};

const NAME: &str = "backend.test";

/// Breaches over TLS, each in records of a few bytes and all at once.
#[test]
fn t086_t088_t089_t090_t091_t092_t093_t094_t095_t096_t097_t098_t099_t111_t112_t114_t115_over_tls() {
    let rig = Rig::secure_with("");
    for number in violations::ROWS {
        let mut rows = violations::row(number);
        rows.truncate(4);
        violations::hold(&rig, &rows, &[Delivery::Together, Delivery::Chopped(8446)]);
    }
    rig.finish();
}

/// A gateway with routes `/tls` and `/wss` to this backend, which must be [`NAME`] and known to the authority.
fn in_front_of(backend: &Backend, authority: &Authority, lines: &str) -> Gateway {
    let trust = format!("backend_tls = {{ ca = {:?}, server_name = '{NAME}' }}\n{lines}", authority.file());
    gateway()
        .route("/tls", &format!("tls://{}", backend.address()), &trust)
        .route("/wss", &format!("wss://{}", backend.address()), &trust)
        .start()
}

/// Asks for a WebSocket at this path; the client's end, and the backend's before TLS.
#[track_caller]
fn ask(gateway: &Gateway, backend: &Backend, path: &str) -> (Wire, Wire) {
    let mut client = gateway.connect();
    client.send(Request::upgrade(path).encode());
    (client, backend.accept_bare())
}

/// That the client gets this status, in an answer that says nothing of the backend.
#[track_caller]
fn expect_status(mut client: Wire, status: u16, backend: &Backend) {
    let (head, body) = client.read_response();
    assert_eq!(head.status(), status, "{body}");
    assert!(!body.contains(&backend.address().to_string()) && !body.contains(NAME), "{body}");
    client.expect_fin();
}

/// A backend that is not who it should be is told nothing: the handshake of TLS fails before any request.
#[track_caller]
fn refused(authority: &Authority, identity: &Identity) {
    let backend = Backend::bind();
    let gateway = in_front_of(&backend, authority, "");
    for path in ["/tls", "/wss"] {
        let (client, wire) = ask(&gateway, &backend, path);
        assert!(wire.secured_as_server(identity).is_err(), "{path}: it was believed");
        expect_status(client, 502, &backend);
    }
    gateway.finish();
}

#[test]
fn t161_f19_a_certificate_for_another_name() {
    let authority = Authority::new();
    for name in ["other.test", "backend.test.evil.test", "127.0.0.1"] {
        refused(&authority, &authority.issue(name));
    }
}

#[test]
fn t161_f19_a_null_within_the_name() {
    let authority = Authority::new();
    refused(&authority, &authority.issue("backend.test\0.evil.test"));
}

#[test]
fn t161_f19_an_expired_certificate() {
    let authority = Authority::new();
    refused(&authority, &authority.issue_expired(NAME));
}

#[test]
fn t161_f19_certificates_of_somebody_else() {
    let authority = Authority::new();
    refused(&authority, &authority.without_issuer(NAME));
    refused(&authority, &Authority::new().issue(NAME));
}

#[test]
fn t161_f19_plain_bytes_instead_of_tls() {
    let (authority, backend) = (Authority::new(), Backend::bind());
    let gateway = in_front_of(&backend, &authority, "");
    for path in ["/tls", "/wss"] {
        for greeting in ["SSH-2.0-OpenSSH_9.6\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n"] {
            let (client, mut wire) = ask(&gateway, &backend, path);
            wire.send(greeting);
            let (received, _) = wire.read_to_end();
            assert!(!received.windows(4).any(|bytes| bytes == b"GET "), "no request without TLS");
            drop(wire);
            expect_status(client, 502, &backend);
        }
    }
    gateway.finish();
}

#[test]
fn f19_a_handshake_of_tls_that_stalls() {
    let (authority, backend) = (Authority::new(), Backend::bind());
    let gateway = in_front_of(&backend, &authority, "connect_timeout = '300ms'");
    for path in ["/tls", "/wss"] {
        let (client, wire) = ask(&gateway, &backend, path);
        expect_status(client, 504, &backend);
        drop(wire);
    }
    gateway.finish();
}

/// A session that stands outlives the certificate with which it began; a new one does not begin with it.
#[test]
fn f19_a_certificate_that_expires_during_a_session() {
    let (authority, backend) = (Authority::new(), Backend::bind());
    let gateway = in_front_of(&backend, &authority, "");
    let identity = authority.issue_for(NAME, Duration::from_secs(8));
    let (mut client, wire) = ask(&gateway, &backend, "/tls");
    let mut wire = wire.secured_as_server(&identity).unwrap();
    assert_eq!(client.read_head().status(), 101);
    eventually("it has expired", || {
        let (_, wire) = ask(&gateway, &backend, "/tls");
        wire.secured_as_server(&identity).is_err().then_some(())
    });
    client.send_frame(&Frame::binary("question").masked());
    assert_eq!(wire.read_exact(8), b"question");
    wire.send("answer");
    assert_eq!(client.read_frame(), Frame::binary("answer"));
    drop((client, wire));
    gateway.finish();
}

/// Browsers connect in advance, and keep connections: what is closed for being idle is no connection that was cut.
#[test]
fn t210_f29_an_idle_connection_ends_with_close_notify() {
    let authority = Authority::new();
    let identity = authority.issue("127.0.0.1");
    let gateway = gateway()
        .listener("head_timeout = '300ms'")
        .secure(&authority, &identity)
        .route("/echo", "echo:", "")
        .start();
    let mut silent = gateway.connect();
    let mut kept = gateway.connect();
    kept.send(Request::get("/none").encode());
    assert_eq!(kept.read_response().0.status(), 404);
    silent.expect_fin();
    kept.expect_fin();
    drop((silent, kept));
    gateway.finish();
}

/// Without close_notify a backend's end may be anybody's: everything that came is passed on, but not as the whole.
#[test]
fn f19_ends_backend_of_raw_bytes_without_close_notify() {
    let rig = Rig::secure_with("");
    for within_a_record in [false, true] {
        let (mut client, mut backend) = rig.open_tcp();
        backend.send("last words");
        if within_a_record {
            backend.send_cut_record("cut off", 10);
        }
        backend.cut();
        assert_eq!(client.read_frame(), Frame::binary("last words"));
        client.expect_close_then_answer(1011);
        expect_line(&rig.gateway, (client, backend), "backend_lost", 1011, "backend");
    }
    rig.finish();
}

/// A WebSocket says itself whether it has ended well: after a Close nobody asks for close_notify.
#[test]
fn f19_f09_ends_backend_close_without_close_notify() {
    let rig = Rig::secure_with("");
    let (mut client, mut backend) = rig.open_ws();
    backend.send_frame(&Frame::close(1001, "bye"));
    backend.cut();
    client.expect_close_frame(1001);
    client.send_frame(&Frame::close(1001, "").masked());
    client.expect_fin();
    client.finish();
    expect_line(&rig.gateway, (client, backend), "backend_closed", 1001, "backend");
    rig.finish();
}

/// Many clients leave close_notify out: a raw backend still gets everything, its end, and the time for its answer.
#[test]
fn f27_ends_client_fin_without_close_notify() {
    let rig = Rig::secure_with("");
    let (mut client, mut backend) = rig.open_tcp();
    client.send_frame(&Frame::binary("question").masked());
    client.cut();
    assert_eq!(backend.read_to_fin(), b"question");
    backend.send("answer");
    backend.finish();
    assert_eq!(client.read_frame(), Frame::binary("answer"));
    client.expect_close(1000);
    expect_line(&rig.gateway, (client, backend), "backend_ended", 1000, "backend");
    rig.finish();
}

/// Bytes of a record that was cut are nobody's: they may have been changed on the way.
#[test]
fn t210_f25_f26_ends_client_within_a_record() {
    let rig = Rig::secure_with("");
    for far in [Far::Tcp, Far::Ws] {
        let mut session = rig.open(far);
        let whole = Frame::binary("whole").masked();
        session.client.send_frame(&whole);
        session.client.send_cut_record(Frame::binary("cut off").masked().encode(), 20);
        session.client.cut();
        let expected = if far == Far::Tcp { whole.payload } else { whole.encode() };
        assert_eq!(session.backend().read_to_end().0, expected);
        session.backend().finish();
    }
    rig.finish();
}

/// A record that does not authenticate ends the connection at once; nothing of it is passed on.
#[test]
fn t211_f25_ends_client_that_breaks_tls() {
    let rig = Rig::secure_with("");
    for far in [Far::Tcp, Far::Ws] {
        let mut session = rig.open(far);
        session.client.send_past_tls([&b"\x17\x03\x03\x00\x20"[..], &[7; 32]].concat());
        assert_eq!(session.backend().read_to_end().0, b"");
        session.backend().finish();
        expect_line(&rig.gateway, session, "client_lost", 1006, "client");
    }
    rig.finish();
}

/// What is no TLS is answered with no HTTP.
#[test]
fn t029_t204_plain_http_on_a_port_of_tls() {
    let rig = Rig::secure_with("");
    let mut client = rig.gateway.connect_bare();
    client.send(Request::upgrade("/echo").encode());
    let (answer, finish) = client.read_to_end();
    assert!(!answer.windows(5).any(|bytes| bytes == b"HTTP/"), "{}", answer.escape_ascii());
    assert!(matches!(finish, Finish::Fin | Finish::Reset));
    drop(client);
    rig.finish();
}

//! What a WebSocket backend can answer to the opening handshake, and what the client is told of it.

use std::time::Duration;

use tidegate_testkit::{Backend, Frame, Head, Request, Wire};

use crate::rig::{Rig, gateway};

/// What a client sends right behind its request: no backend may ever see it as a request.
const TAIL: &[u8] = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

/// Asks for a WebSocket and answers at the backend with these bytes. What the client gets, and the backend's end after
/// the request head.
#[track_caller]
fn answered(rig: &Rig, answer: impl FnOnce(&Head) -> Vec<u8>) -> (Wire, Wire) {
    let (client, mut backend) = asked(rig);
    let head = backend.read_head();
    backend.send(answer(&head));
    (client, backend)
}

/// Asks for a WebSocket, and more than that, and answers nothing yet.
#[track_caller]
fn asked(rig: &Rig) -> (Wire, Wire) {
    let mut client = rig.gateway.connect();
    client.send([&Request::upgrade("/ws").encode(), TAIL].concat());
    (client, rig.ws.accept())
}

/// Nothing but an HTTP answer comes to the client, and nothing but the end to the backend.
#[track_caller]
fn expect_no_tunnel(client: &mut Wire, backend: &mut Wire, name: &str) -> (Head, String) {
    let (head, body) = client.read_response();
    assert_ne!(head.status(), 101, "{name}");
    assert_eq!(head.field("Upgrade"), None, "{name}");
    assert!(!head.all("Connection").iter().any(|value| value.to_lowercase().contains("upgrade")), "{name}");
    client.expect_fin();
    client.finish();
    assert_eq!(
        backend.read_to_end().0.escape_ascii().to_string(),
        "",
        "{name}: nothing follows the request head"
    );
    (head, body)
}

#[test]
fn t139_nothing_of_the_client_passes_before_the_backends_101() {
    let rig = Rig::start();
    let (mut client, mut backend) = asked(&rig);
    let head = backend.read_head();
    assert!(backend.is_silent_for(Duration::from_secs(2)), "what the client sent is kept");
    backend.send(head.answer_101(""));
    assert_eq!(client.read_head().status(), 101);
    // What came before the 101 would be read here, in front of the Close. Behind it, a request is a bad frame.
    assert_eq!(backend.read_frame().close_code(), Some(1001));
    client.expect_close(1002);
    drop((client, backend));
    assert!(rig.gateway.access_lines().iter().all(|line| line["path"] != "/smuggled"));
    rig.finish();
}

#[test]
fn t140_a_200_is_passed_on_as_plain_http() {
    let rig = Rig::start();
    let (mut client, mut backend) = answered(&rig, |_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\nhello".to_vec()
    });
    let (head, body) = expect_no_tunnel(&mut client, &mut backend, "200");
    assert_eq!((head.status(), body.as_str()), (200, "hello"));
    assert_eq!(head.field("Keep-Alive"), None);
    rig.finish();
}

#[test]
fn t141_other_answers_are_passed_on_without_their_hop_by_hop_fields() {
    let rig = Rig::start();
    for status in [204, 301, 401, 403, 404, 426, 429, 500, 503] {
        let body = if status == 204 { "" } else { "Content-Length: 2\r\n\r\nno" };
        let end = if status == 204 { "\r\n" } else { "" };
        let answer = format!(
            "HTTP/1.1 {status} Whatever\r\nLocation: /elsewhere\r\nWWW-Authenticate: Basic\r\nRetry-After: 7\r\nUpgrade: websocket\r\nConnection: Upgrade, X-Hop\r\nX-Hop: 1\r\n{body}{end}"
        );
        let (mut client, mut backend) = answered(&rig, |_| answer.into_bytes());
        let (head, body) = expect_no_tunnel(&mut client, &mut backend, &status.to_string());
        assert_eq!(head.status(), status);
        assert_eq!(body, if status == 204 { "" } else { "no" });
        assert_eq!(head.field("Location"), Some("/elsewhere"));
        assert_eq!(head.field("WWW-Authenticate"), Some("Basic"));
        assert_eq!(head.field("Retry-After"), Some("7"));
        assert_eq!(head.field("X-Hop"), None);
    }
    rig.finish();
}

/// A 101 with these fields, made from the request that it answers.
type Fields = fn(&Head) -> String;

const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n";

fn accept(asked: &Head) -> String {
    format!("Sec-WebSocket-Accept: {}\r\n", asked.accept_key())
}

/// A good 101 with one field more.
fn with(asked: &Head, more: &str) -> String {
    format!("{UPGRADE}{}{more}\r\n", accept(asked))
}

/// A 101 with such fields is none: the client gets 502, which says nothing of the backend, and both sides are closed.
#[track_caller]
fn bad_gateway(table: &[Fields]) {
    let rig = Rig::start();
    for (index, fields) in table.iter().enumerate() {
        let name = format!("answer {index}");
        let answer =
            |asked: &Head| format!("HTTP/1.1 101 Switching Protocols\r\n{}\r\n", fields(asked)).into_bytes();
        let (mut client, mut backend) = answered(&rig, answer);
        let (head, body) = expect_no_tunnel(&mut client, &mut backend, &name);
        assert_eq!(head.status(), 502, "{name}");
        assert!(!body.contains(&rig.ws.address().to_string()), "{name}: {body}");
        for injected in ["X", "Set-Cookie", "Sec-WebSocket-Accept"] {
            assert_eq!(head.field(injected), None, "{name}");
        }
    }
    rig.finish();
}

/// None, a wrong one, two, and the one that would answer the client's own key.
#[test]
fn t142_a_wrong_accept() {
    bad_gateway(&[
        |_| UPGRADE.to_owned(),
        |_| format!("{UPGRADE}Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n"),
        |asked| format!("{UPGRADE}{0}{0}", accept(asked)),
        |_| format!("{UPGRADE}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
    ]);
}

#[test]
fn t143_another_protocol_or_none() {
    bad_gateway(&[
        |asked| format!("Upgrade: h2c\r\nConnection: Upgrade\r\n{}", accept(asked)),
        |asked| format!("Connection: Upgrade\r\n{}", accept(asked)),
        |asked| format!("Upgrade: websocket\r\n{}", accept(asked)),
        |asked| format!("Upgrade: websocket\r\nConnection: close\r\n{}", accept(asked)),
    ]);
}

#[test]
fn t144_what_was_not_offered() {
    bad_gateway(&[
        |asked| with(asked, "Sec-WebSocket-Protocol: chat"),
        |asked| with(asked, "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b"),
        |asked| with(asked, "Sec-WebSocket-Extensions: permessage-deflate"),
        |asked| with(asked, "Sec-WebSocket-Extensions: ;"),
    ]);
}

#[test]
fn t150_fields_that_are_none() {
    bad_gateway(&[
        |asked| with(asked, "X: a\0b"),
        |asked| with(asked, "X: a\rSet-Cookie: b"),
        |asked| with(asked, "X Y: a"),
    ]);
}

#[test]
fn t145_a_101_has_no_body() {
    let rig = Rig::start();
    for body in ["Content-Length: 10\r\n", "Transfer-Encoding: chunked\r\n"] {
        let (mut client, mut backend, _) = rig.ask_ws(&Request::upgrade("/ws"), body);
        let head = client.read_head();
        assert_eq!(head.status(), 101);
        assert_eq!((head.field("Content-Length"), head.field("Transfer-Encoding")), (None, None));
        backend.send_frame(&Frame::text("0123456789 and more"));
        assert_eq!(client.read_frame(), Frame::text("0123456789 and more"), "{body}");
    }
    rig.finish();
}

/// Up to eight.
#[test]
fn t146_interim_answers_are_skipped() {
    let rig = Rig::start();
    let (mut client, mut backend) = answered(&rig, |asked| {
        let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        let eight = [interim, "HTTP/1.1 102 Processing\r\n\r\n", interim, interim, "HTTP/1.1 199 ?\r\n\r\n"];
        [eight.concat().as_bytes(), &asked.answer_101("")].concat()
    });
    let head = client.read_head();
    assert_eq!((head.status(), head.field("Link")), (101, None));
    assert_eq!(backend.read_frame().close_code(), Some(1001));
    client.expect_close(1002);
    drop((client, backend));
    rig.finish();
}

#[test]
fn t146_f17_interim_answers_without_end() {
    let rig = Rig::start();
    for count in [9, 10_000] {
        for pieces in [false, true] {
            let (mut client, mut backend) = asked(&rig);
            let head = backend.read_head();
            let interim = "HTTP/1.1 102 Processing\r\n\r\n";
            let sent = if pieces {
                // Some of it may come too late to be taken.
                (0..count).all(|_| backend.try_send(interim).is_ok())
                    && backend.try_send(head.answer_101("")).is_ok()
            } else {
                backend.try_send([interim.repeat(count).as_bytes(), &head.answer_101("")].concat()).is_ok()
            };
            let (head, _) = client.read_response();
            assert_eq!(head.status(), 502, "{count}, in pieces: {pieces}, all sent: {sent}");
            client.expect_fin();
        }
    }
    rig.finish();
}

#[test]
fn t148_frames_in_the_segment_of_the_101_come_after_the_clients_own() {
    Rig::each(|rig| {
        let first = [Frame::text("welcome").encode(), Frame::binary([0, 255]).unfinished().encode()].concat();
        let mut client = rig.gateway.connect();
        client.send(Request::upgrade("/ws").encode());
        let mut backend = rig.ws.accept();
        let asked = backend.read_head();
        backend.send([asked.answer_101(""), first].concat());
        assert_eq!(client.read_head().status(), 101);
        assert_eq!(client.read_frame(), Frame::text("welcome"));
        assert_eq!(client.read_frame(), Frame::binary([0, 255]).unfinished());
        drop((client, backend));
        rig.finish();
    });
}

#[test]
fn t149_an_answer_beyond_all_bounds_is_a_bad_gateway() {
    let rig = Rig::start();
    let fill = "a".repeat(1 << 20);
    let long = format!("HTTP/1.1 101 Switching Protocols\r\nX: {fill}\r\n\r\n");
    let many = format!("HTTP/1.1 101 Switching Protocols\r\n{}\r\n", "X: a\r\n".repeat(10_000));
    for (name, answer) in [("one field of 1 MiB", long), ("10000 fields", many)] {
        let mut client = rig.gateway.connect();
        client.send(Request::upgrade("/ws").encode());
        let mut backend = rig.ws.accept();
        backend.read_head();
        drop(backend.try_send(answer)); // the gateway may have left before the end of it
        assert_eq!(client.read_response().0.status(), 502, "{name}");
        client.expect_fin();
    }
    rig.finish();
}

#[test]
fn t149_t152_f17_an_answer_that_never_comes_to_an_end_times_out() {
    let rig = Rig::with("upgrade_timeout = '300ms'");
    for begun in ["", "HTTP/1.1 101 Switching Protocols\r\nX: ", "HTTP/1.1 100 Continue\r\n\r\n"] {
        let (mut client, mut backend) = answered(&rig, |_| begun.into());
        let (head, _) = expect_no_tunnel(&mut client, &mut backend, begun);
        assert_eq!(head.status(), 504, "{begun:?}");
    }
    rig.finish();
}

#[test]
fn f01_f04_t151_a_backend_that_breaks_off_is_a_bad_gateway() {
    let rig = Rig::start();
    type Script = fn(Wire);
    let table: [(&str, Script); 4] = [
        ("closes without a word", |mut backend| {
            backend.read_head();
        }),
        ("resets", |mut backend| {
            backend.read_head();
            backend.reset();
        }),
        ("closes within its answer", |mut backend| {
            backend.read_head();
            backend.send("HTTP/1.1 101 Swit");
        }),
        ("speaks something else", |mut backend| {
            backend.send("SSH-2.0-OpenSSH_9.6\r\n");
            backend.read_to_end();
        }),
    ];
    for (name, script) in table {
        let mut client = rig.gateway.connect();
        client.send(Request::upgrade("/ws").encode());
        script(rig.ws.accept());
        assert_eq!(client.read_response().0.status(), 502, "{name}");
        client.expect_fin();
        rig.ws.assert_untouched(); // an upgrade is never tried a second time
    }
    rig.finish();
}

#[test]
fn f01_f02_a_backend_that_takes_no_connection() {
    let full = Backend::bind_full();
    let gateway = gateway()
        .route("/refusing", &format!("tcp://{}", Backend::refusing()), "")
        .route("/refusing-ws", &format!("ws://{}", Backend::refusing()), "")
        .route("/full", &full.tcp(), "connect_timeout = '300ms'")
        .route("/full-ws", &full.ws(), "connect_timeout = '300ms'")
        .start();
    for (path, status) in [("/refusing", 502), ("/refusing-ws", 502), ("/full", 504), ("/full-ws", 504)] {
        let mut client = gateway.connect();
        client.send(Request::upgrade(path).encode());
        let (head, body) = client.read_response();
        assert_eq!(head.status(), status, "{path}");
        assert!(!body.contains("127.0.0.1"), "a client learns no address: {body}");
        client.expect_fin();
    }
    gateway.finish();
}

#[test]
fn f03_a_name_is_resolved_and_all_its_addresses_are_tried() {
    let backend = Backend::bind();
    let name = format!("tcp://localhost:{}", backend.address().port());
    let gateway = gateway().route("/tcp", &name, "").start();
    let mut client = gateway.open("/tcp");
    let mut accepted = backend.accept();
    accepted.send("hello");
    assert_eq!(client.read_frame(), Frame::binary("hello"));
    drop((client, accepted));
    gateway.finish();
}

//! Clients of hybi-00 in front of WebSocket backends, which know nothing of it.

use tidegate_testkit::{Frame, Hybi00, Request, Wire, opcode};

use super::{BINARY, TEXT, expect_answer, open};
use crate::rig::{Far, Rig, Session, expect_close_at_backend, expect_line, gateway};

/// Opens a connection with this request; the session, what the backend was asked, and what it answered the client.
#[track_caller]
fn ask(
    rig: &Rig,
    request: &Request,
    more: &str,
) -> (Session, tidegate_testkit::Head, tidegate_testkit::Head) {
    let (mut client, backend, asked) = {
        let mut client = rig.gateway.connect();
        client.send(request.encode());
        client.send(Hybi00::FIRST.key3);
        let mut backend = rig.ws.accept();
        let asked = backend.read_head();
        backend.send(asked.answer_101(more));
        (client, backend, asked)
    };
    let answer = client.read_head();
    assert_eq!(answer.status(), 101);
    assert_eq!(client.read_exact(16), Hybi00::FIRST.proof);
    ((client, backend).into(), asked, answer)
}

#[test]
fn m6_the_backend_is_asked_by_a_client_of_rfc_6455() {
    let rig = Rig::with(TEXT);
    let request = Hybi00::FIRST.request("/ws?q=1").with("Cookie", "a=b").with("Sec-WebSocket-Draft", "0");
    let more = "Set-Cookie: c=d\r\nSec-WebSocket-Location: ws://evil.test/\r\nSec-WebSocket-Origin: http://evil.test\r\n";
    let (session, asked, answer) = ask(&rig, &request, more);
    assert_eq!(asked.target(), "/ws?q=1");
    for (name, value) in [
        ("Sec-WebSocket-Version", Some("13")),
        ("Sec-WebSocket-Key1", None),
        ("Sec-WebSocket-Key2", None),
        ("Sec-WebSocket-Draft", None),
        ("Sec-WebSocket-Protocol", None),
        ("Sec-WebSocket-Extensions", None),
        ("Origin", Some("http://gw.test")),
        ("Cookie", Some("a=b")),
        ("X-Forwarded-Proto", Some("http")),
    ] {
        assert_eq!(asked.field(name), value, "{name}");
    }
    assert_eq!(answer.field("Set-Cookie"), Some("c=d"));
    assert_eq!(answer.field("Sec-WebSocket-Location"), Some("ws://gw.test/ws?q=1"));
    assert_eq!(answer.field("Sec-WebSocket-Origin"), Some("http://gw.test"));
    drop(session);
    rig.finish();
}

/// `base64` is between the client and the gateway; what else is offered, the backend chooses from.
#[test]
fn m6_subprotocols_are_the_backends_to_choose_but_base64() {
    const FIELD: &str = "Sec-WebSocket-Protocol";
    let choose = |route: &str, offer: &str, choice: &str| {
        let rig = Rig::with(route);
        let request = Hybi00::FIRST.request("/ws").with(FIELD, offer);
        let (session, asked, answer) = ask(&rig, &request, choice);
        drop(session);
        rig.finish();
        [asked, answer].map(|head| head.field(FIELD).map(str::to_owned))
    };
    let found =
        |asked: Option<&str>, answer: Option<&str>| [asked, answer].map(|name| name.map(str::to_owned));
    let chat = "Sec-WebSocket-Protocol: chat\r\n";
    assert_eq!(choose(BINARY, "chat", chat), found(Some("chat"), Some("chat")));
    assert_eq!(choose(BINARY, "base64", ""), found(None, Some("base64")));
    assert_eq!(choose(BINARY, "base64, chat", chat), found(Some("chat"), Some("chat")));
    assert_eq!(choose(BINARY, "chat, base64", ""), found(Some("chat"), Some("base64")));
    assert_eq!(choose(TEXT, "base64", ""), found(Some("base64"), None), "the backend itself may code");
    let listed = format!("{BINARY}\nsubprotocols = ['base64']");
    assert_eq!(choose(&listed, "base64, chat", ""), found(None, Some("base64")));
}

#[test]
fn m6_an_upgrade_that_the_backend_refuses_is_refused() {
    let rig = Rig::with(TEXT);
    let mut client = rig.gateway.connect();
    client.send(Hybi00::FIRST.request("/ws").encode());
    let mut backend = rig.ws.accept();
    backend.read_head();
    backend.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno");
    let (head, body) = client.read_response();
    assert_eq!((head.status(), body.as_str()), (401, "no"));
    client.expect_fin();
    drop((client, backend));
    rig.finish();
}

#[test]
fn m6_an_http_backend_takes_them_as_well() {
    let backend = tidegate_testkit::Backend::bind();
    let to = backend.ws().replace("ws://", "http://");
    let gateway = gateway().route("/ws", &to, TEXT).start();
    let mut client = gateway.connect();
    client.send(Hybi00::FIRST.request("/ws").encode());
    client.send(Hybi00::FIRST.key3);
    let (mut far, _) = backend.accept_websocket();
    expect_answer(&mut client);
    client.send(Hybi00::text("hello"));
    assert_eq!(far.read_message(), (opcode::TEXT, b"hello".to_vec()));
    far.send_frame(&Frame::text("hello yourself"));
    assert_eq!(client.read_hybi00_text(), "hello yourself");
    drop((client, far));
    gateway.finish();
}

/// On a route of bytes text is bytes as well.
#[test]
fn m6_text_of_a_backend_on_a_route_of_bytes() {
    let rig = Rig::with(BINARY);
    let mut session = open(&rig, Far::Ws);
    session.backend().send_frame(&Frame::text("text"));
    assert_eq!(session.client.read_hybi00_bytes(), b"text");
    drop(session);
    rig.finish();
}

/// Fragments pass as they come: one frame of the client's is many of the backend's, also where they cut a code point or
/// a group of base64.
#[test]
fn m6_fragments_of_the_backend_become_one_frame() {
    let rig = Rig::with(TEXT);
    let mut session = open(&rig, Far::Ws);
    session.backend().send_frame(&Frame::text(b"gr\xc3").unfinished());
    assert_eq!(session.client.read_exact(4), b"\x00gr\xc3");
    session.backend().send_frame(&Frame::ping("in between"));
    assert_eq!(session.backend().read_frame().unmasked(), Frame::pong("in between"));
    session.backend().send_frame(&Frame::continuation(b"\xbc").unfinished());
    session.backend().send_frame(&Frame::continuation("n"));
    assert_eq!(session.client.read_exact(3), b"\xbcn\xff");
    drop(session);
    rig.finish();

    let rig = Rig::with(BINARY);
    let mut session = open(&rig, Far::Ws);
    session.backend().send_frame(&Frame::binary("a").unfinished());
    session.backend().send_frame(&Frame::continuation("bcd").unfinished());
    session.backend().send_frame(&Frame::continuation("e"));
    assert_eq!(session.client.read_hybi00_bytes(), b"abcde");
    drop(session);
    rig.finish();
}

/// A client that sends byte by byte does not make its backend count fragments; a message that is long is not held.
#[test]
fn m6_a_message_becomes_few_fragments() {
    let rig = Rig::with(TEXT);
    let mut session = open(&rig, Far::Ws);
    for byte in Hybi00::text("x".repeat(200)) {
        session.client.send([byte]);
    }
    let frame = session.backend().read_frame();
    assert_eq!((frame.fin, frame.payload.len(), frame.mask.is_some()), (true, 200, true));
    session.client.send(format!("\0{}", "y".repeat(40_000)));
    let first = session.backend().read_frame();
    assert_eq!((first.fin, first.opcode), (false, opcode::TEXT));
    assert!(first.payload.len() >= 16 << 10, "{} bytes", first.payload.len());
    session.client.send(b"\xff");
    let mut len = first.payload.len();
    loop {
        let next = session.backend().read_frame();
        assert_eq!(next.opcode, opcode::CONTINUATION);
        len += next.payload.len();
        if next.fin {
            break;
        }
    }
    assert_eq!(len, 40_000);
    drop(session);
    rig.finish();
}

#[test]
fn m6_a_backends_message_beyond_the_limit_is_1014() {
    let rig = Rig::with(&format!("{TEXT}\nmax_message = '1KiB'"));
    let mut session = open(&rig, Far::Ws);
    session.backend().send_frame(&Frame::text("x".repeat(1_025)));
    session.client.expect_hybi00_close();
    expect_close_at_backend(session.backend(), 1002);
    expect_line(&rig.gateway, session, "backend_violation", 1014, "gateway");
    rig.finish();
}

/// What was not said to its end is not finished by us: the closing frame would read as its end.
#[test]
fn m6_a_message_that_the_backend_cuts_is_never_finished() {
    let rig = Rig::with(TEXT);
    let cut: [fn(&mut Wire); 3] = [
        |backend| backend.send_frame(&Frame::close(1000, "")),
        Wire::finish,
        |backend| backend.send_frame(&Frame::text("another")),
    ];
    for cut in cut {
        let mut session = open(&rig, Far::Ws);
        session.backend().send_frame(&Frame::text("half").unfinished());
        cut(session.backend());
        assert_eq!(session.client.read_to_fin(), b"\x00half");
        session.client.finish();
        drop(session);
    }
    rig.finish();
}

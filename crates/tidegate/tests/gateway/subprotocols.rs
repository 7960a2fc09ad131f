//! Subprotocols: what is selected was offered, and a WebSocket backend has its say.

use tidegate_testkit::{Backend, Request, Wire, opcode};

use crate::rig::{Rig, gateway};

const FIELD: &str = "Sec-WebSocket-Protocol";

#[test]
fn t047_t048_the_gateway_selects_for_a_tcp_backend() {
    let backend = Backend::bind();
    let gateway = gateway()
        .route("/unset", &backend.tcp(), "")
        .route("/list", &backend.tcp(), "subprotocols = ['superchat', 'other']")
        .route("/none", &backend.tcp(), "subprotocols = []")
        .route("/required", &backend.tcp(), "subprotocols = ['superchat']\nsubprotocol_required = true")
        .start();
    let ask = |path: &str, offer: Option<&str>| {
        let mut client = gateway.connect();
        let request = Request::upgrade(path);
        client.send(offer.into_iter().fold(request, |request, offer| request.with(FIELD, offer)).encode());
        let head = client.read_head();
        if head.status() == 101 {
            drop(backend.accept());
        }
        backend.assert_untouched();
        (head.status(), head.field(FIELD).map(str::to_owned))
    };
    let selected = |name: &str| (101, Some(name.to_owned()));
    assert_eq!(ask("/unset", Some("binary, base64")), selected("binary"), "the client's favourite");
    assert_eq!(ask("/unset", None), (101, None));
    assert_eq!(ask("/list", Some("chat, superchat")), selected("superchat"));
    assert_eq!(ask("/list", Some("other, superchat")), selected("other"), "the client's order counts");
    assert_eq!(ask("/list", Some("chat, Superchat")), (101, None), "names have a case");
    assert_eq!(ask("/list", None), (101, None));
    assert_eq!(ask("/none", Some("chat")), (101, None));
    assert_eq!(ask("/required", Some("chat")).0, 400);
    assert_eq!(ask("/required", None).0, 400);
    assert_eq!(ask("/required", Some("superchat")), selected("superchat"));
    gateway.finish();
}

/// What is no text goes to those alone who were promised bytes.
#[test]
fn messages_by_subprotocol() {
    let backend = Backend::bind();
    let gateway = gateway()
        .route("/", &backend.tcp(), "message = 'by-subprotocol'\nsubprotocols = ['chat', 'binary']")
        .start();
    for (offer, is_binary) in [("binary, chat", true), ("chat, binary", false), ("other", false)] {
        let mut client = gateway.connect();
        client.send(Request::upgrade("/").with(FIELD, offer).encode());
        let mut far = backend.accept();
        assert_eq!(client.read_head().status(), 101);
        far.send("text");
        let kind = if is_binary { opcode::BINARY } else { opcode::TEXT };
        assert_eq!(client.read_message(), (kind, b"text".to_vec()), "{offer}");
        far.send(b"\xff\xfe");
        if is_binary {
            assert_eq!(client.read_message(), (kind, b"\xff\xfe".to_vec()), "{offer}");
        } else {
            client.expect_close_then_answer(1007);
        }
    }
    gateway.finish();
}

#[test]
fn t049_offers_that_break_the_grammar_are_refused() {
    let rig = Rig::start();
    let many = (0..1_500).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    let line = ["ab"; 4_000].join(",");
    assert_eq!(rig.refused(&Request::upgrade("/tcp").with(FIELD, &line)).status(), 431, "beyond 8 KiB");
    for offer in ["a b", "", "chat, chat", "chat,\u{e9}", "a/b", &many] {
        for path in ["/echo", "/tcp", "/ws"] {
            assert_eq!(
                rig.refused(&Request::upgrade(path).with(FIELD, offer)).status(),
                400,
                "{offer:.20?} at {path}"
            );
        }
    }
    rig.finish();
}

/// The backend is offered what the client offered, and its choice is the client's.
#[test]
fn m7_a_websocket_backend_selects() {
    let rig = Rig::start();
    for choice in ["", "Sec-WebSocket-Protocol: v2\r\n"] {
        let (mut client, _backend, asked) =
            rig.ask_ws(&Request::upgrade("/ws").with(FIELD, "v1, v2"), choice);
        assert_eq!(asked.field(FIELD), Some("v1, v2"));
        let head = client.read_head();
        assert_eq!(head.status(), 101);
        assert_eq!(head.field(FIELD), (!choice.is_empty()).then_some("v2"));
    }
    rig.finish();
}

#[test]
fn m7_a_list_goes_to_a_websocket_backend_as_one_offer() {
    let rig = Rig::with("subprotocols = ['v2', 'v3']");
    let ask = |offer: &str, more: &str| {
        let (mut client, backend, asked) = rig.ask_ws(&Request::upgrade("/ws").with(FIELD, offer), more);
        let offered = asked.field(FIELD).map(str::to_owned);
        drop(backend);
        (offered, status_and_choice(&mut client))
    };
    let (offered, answer) = ask("v1, v2, v3", "Sec-WebSocket-Protocol: v2\r\n");
    assert_eq!((offered.as_deref(), answer), (Some("v2"), (101, Some("v2".to_owned()))));
    let (offered, answer) = ask("v1", "");
    assert_eq!((offered, answer), (None, (101, None)));
    rig.finish();
}

#[track_caller]
fn status_and_choice(client: &mut Wire) -> (u16, Option<String>) {
    let head = client.read_head();
    (head.status(), head.field(FIELD).map(str::to_owned))
}

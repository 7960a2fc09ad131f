//! mod_websocket: every kind of entry, translated and served.

use tidegate_testkit::{Backend, Frame, Gateway, Hybi00, Request, Wire, opcode};

use crate::run::{Import, fixture, text};

#[test]
fn each_directive_is_accounted_for() {
    let import = fixture("websocket.conf");
    insta::assert_snapshot!(import.report);
    insta::assert_snapshot!(import.checked());
}

/// The sample's routes in front of real backends, all at once.
struct Sample {
    gateway: Gateway,
    /// In the order of their ports in the fixture.
    backends: Vec<Backend>,
}

impl Sample {
    fn start() -> Self {
        let file = format!("{}/tests/import/websocket.conf", env!("CARGO_MANIFEST_DIR"));
        let mut sample = std::fs::read_to_string(file).unwrap();
        let backends: Vec<_> = (0..8).map(|_| Backend::bind()).collect();
        for (number, backend) in backends.iter().enumerate() {
            sample = sample.replace(&format!("700{number}"), &backend.address().port().to_string());
        }
        // The testkit's backends have no IPv6 address.
        let sample = sample.replace("\"::1\"", "var.backend");
        Self { gateway: text(&sample).served(), backends }
    }

    /// A WebSocket of a page at `http://gw.test`, with the backend's end.
    #[track_caller]
    fn open(&self, path: &str, backend: usize) -> (Wire, Wire) {
        self.open_as(&Request::upgrade(path), backend)
    }

    #[track_caller]
    fn open_as(&self, request: &Request, backend: usize) -> (Wire, Wire) {
        let mut client = self.gateway.connect();
        client.send(request.encode());
        let backend = self.backends[backend].accept();
        assert_eq!(client.read_head().status(), 101);
        (client, backend)
    }

    #[track_caller]
    fn status(&self, request: &Request) -> u16 {
        let mut client = self.gateway.connect();
        client.send(request.encode());
        client.read_response().0.status()
    }
}

#[test]
fn the_later_entry_wins() {
    let sample = Sample::start();
    for (path, backend) in
        [("/", 0), ("/other", 0), ("/echo", 1), ("/echoes/of/it", 1), ("/chat", 2), ("/chat/x", 0)]
    {
        drop(sample.open(path, backend));
    }
}

#[test]
fn text_and_binary_routes() {
    let sample = Sample::start();
    for (path, backend, kind) in [
        ("/echo", 1, opcode::TEXT),
        ("/chat", 2, opcode::TEXT),
        ("/vnc/7", 3, opcode::BINARY),
        ("/v6", 4, opcode::BINARY),
    ] {
        let (mut client, mut far) = sample.open(path, backend);
        client.send_frame(&Frame::text("to the backend").masked());
        assert_eq!(far.read_exact(14), b"to the backend");
        far.send("to the client");
        let frame = client.read_frame();
        assert_eq!((frame.opcode, frame.payload.as_slice()), (kind, &b"to the client"[..]), "{path}");
    }
}

#[test]
fn a_websocket_backend_has_the_path_as_it_was() {
    let sample = Sample::start();
    let mut client = sample.gateway.connect();
    client.send(Request::upgrade("/app/room?id=7").encode());
    let (mut far, asked) = sample.backends[5].accept_websocket();
    assert_eq!(asked.target(), "/app/room?id=7");
    assert_eq!(client.read_head().status(), 101);
    let hello = Frame::text("hello").masked();
    client.send_frame(&hello);
    assert_eq!(far.read_frame(), hello);
}

/// Clients of hybi-00 reach the same backends as those of RFC 6455, and at the same time.
#[test]
fn old_clients_beside_new_ones() {
    let sample = Sample::start();
    let ask = |path| {
        let mut client = sample.gateway.connect();
        client.send(Hybi00::FIRST.request(path).encode());
        client.send(Hybi00::FIRST.key3);
        client
    };
    let expect_answer = |client: &mut Wire| {
        assert_eq!(client.read_head().line, "HTTP/1.1 101 WebSocket Protocol Handshake");
        assert_eq!(client.read_exact(16), Hybi00::FIRST.proof);
    };
    for (path, backend, is_binary) in [("/chat", 2, false), ("/vnc/7", 3, true)] {
        let (mut new, mut behind_new) = sample.open(path, backend);
        let mut old = ask(path);
        let mut behind_old = sample.backends[backend].accept();
        expect_answer(&mut old);
        new.send_frame(&Frame::text("from the new").masked());
        let framed = if is_binary { Hybi00::bytes("from the old") } else { Hybi00::text("from the old") };
        old.send(framed);
        assert_eq!(behind_new.read_exact(12), b"from the new");
        assert_eq!(behind_old.read_exact(12), b"from the old");
        behind_new.send("to the new");
        behind_old.send("to the old");
        assert_eq!(new.read_frame().payload, b"to the new");
        let heard = if is_binary { old.read_hybi00_bytes() } else { old.read_hybi00_text().into_bytes() };
        assert_eq!(heard, b"to the old", "{path}");
    }
    let mut old = ask("/app/room");
    let (mut far, asked) = sample.backends[5].accept_websocket();
    assert_eq!((asked.target(), asked.field("Sec-WebSocket-Version")), ("/app/room", Some("13")));
    expect_answer(&mut old);
    old.send(Hybi00::text("translated"));
    assert_eq!(far.read_message(), (opcode::TEXT, b"translated".to_vec()));
    far.send_frame(&Frame::text("and back"));
    assert_eq!(old.read_hybi00_text(), "and back");
}

#[test]
fn the_subprotocol_is_answered_to_those_who_offer_it() {
    let sample = Sample::start();
    for (offer, path, backend, answer) in
        [("chat", "/chat", 2, Some("chat")), ("mqtt", "/chat", 2, None), ("chat", "/echo", 1, None)]
    {
        let mut client = sample.gateway.connect();
        client.send(Request::upgrade(path).with("Sec-WebSocket-Protocol", offer).encode());
        drop(sample.backends[backend].accept());
        assert_eq!(client.read_head().field("Sec-WebSocket-Protocol"), answer, "{offer} at {path}");
    }
}

/// Every site is let in where there is no list, but no request that names none.
#[test]
fn who_is_let_in() {
    let sample = Sample::start();
    let from = |path, origin| Request::upgrade(path).set("Origin", origin);
    drop(sample.open_as(&from("/echo", "https://any.example"), 1));
    for path in ["/echo", "/app", "/guarded"] {
        assert_eq!(sample.status(&Request::upgrade(path).without("Origin")), 403, "{path}");
    }
    for origin in ["https://example.com", "http://www.example.com", "http://www.example.com:8080"] {
        drop(sample.open_as(&from("/guarded", origin), 6));
    }
    for origin in ["https://example.com:8443", "http://example.com", "http://any.example", "null"] {
        assert_eq!(sample.status(&from("/guarded", origin)), 403, "{origin}");
    }
}

#[test]
fn time_limits_stand_outside_of_conditions_only() {
    let entry = "( \"/\" => ( \"host\" => \"127.0.0.1\", \"port\" => 1 ) )";
    for (lines, kept) in [
        ("", ["ping_interval = 0", "idle_timeout = \"30s\""]),
        ("websocket.timeout = 0", ["ping_interval = 0", "idle_timeout = 0"]),
        ("websocket.ping_interval = 60", ["ping_interval = 0", "idle_timeout = \"30s\""]),
        ("websocket.ping_interval = 10", ["ping_interval = \"10s\"", "ping_timeout = \"30s\""]),
        (
            "$HTTP[\"host\"] == \"a\" { websocket.timeout = 5 }",
            ["ping_interval = 0", "idle_timeout = \"30s\""],
        ),
    ] {
        let import = text(&format!("server.port = 8080\nwebsocket.server = {entry}\n{lines}"));
        import.checked();
        for line in kept {
            assert!(import.text.lines().any(|found| found == line), "{lines}: {line}\n{}", import.text);
        }
        if lines.starts_with('$') {
            assert!(
                import.line("lighttpd.conf:3: websocket.timeout").contains("ignores it within a condition")
            );
        }
    }
}

#[test]
fn a_condition_has_its_own_list() {
    let import = text(
        r#"
        server.port = 8080
        websocket.server = ( "/" => ( "host" => "127.0.0.1", "port" => 1 ) )
        $HTTP["host"] == "chat.example.com" {
            websocket.server = ( "^/ws$" => ( "host" => "127.0.0.1", "port" => 2 ) )
        }
        "#,
    );
    insta::assert_snapshot!(import.checked());
}

#[test]
fn patterns_that_cannot_be_told_are_left_out_and_said() {
    let import = fixture("websocket.conf");
    let line = import.line("websocket.conf:21: websocket.server \"^/(?!admin)\"");
    assert!(line.contains("no equivalent") && line.contains("look-ahead"), "{line}");
    assert!(!import.text.contains("7007"));
    let strict = Import::of(
        &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import"),
        &["websocket.conf", "--strict"],
    );
    assert_eq!((strict.status, strict.text), (Some(1), import.text));
}

//! Both ends of a connection, talking to each other over two byte strings.

use core::time::Duration;
use tidegate_proto::{
    Close, CloseCode, CloseStatus, Connection, ControlFrame, Decoder, Demand, Encoder, Event, Limits,
    MaskingKey, MessageType, Opcode, Phase, Receiver, Role, SendError, Times, Violation,
};

const S: Duration = Duration::from_secs(1);
const KEY: MaskingKey = MaskingKey::new([1, 2, 3, 4]);

/// One end, with what it has received but not consumed, and what came of it.
struct End {
    role: Role,
    connection: Connection,
    received: Vec<u8>,
    seen: Vec<String>,
}

impl End {
    fn new(role: Role) -> Self {
        let receiver = Receiver::new(Decoder::new(role, Limits::default()));
        let connection =
            Connection::new(receiver, Encoder::new(role), &Times::default(), Duration::ZERO, *b"our ping");
        Self { role, connection, received: Vec::new(), seen: Vec::new() }
    }

    fn mask(&self) -> Option<MaskingKey> {
        (self.role == Role::Client).then_some(KEY)
    }

    /// The control frames that are due now.
    fn owed(&mut self, now: Duration) -> Vec<ControlFrame> {
        let mask = self.mask();
        std::iter::from_fn(|| self.connection.poll_control(now, mask).unwrap()).collect()
    }

    fn say(&mut self, text: &str) -> Vec<u8> {
        let mut room = [0; 256];
        let mask = self.mask();
        let encoded =
            self.connection.encode(MessageType::Text, text.as_bytes(), true, mask, &mut room).unwrap();
        assert!(encoded.done);
        room[encoded.frame].to_vec()
    }

    fn hear(&mut self, now: Duration, bytes: &[u8]) -> Result<(), Violation> {
        self.received.extend_from_slice(bytes);
        let mut at = 0;
        while let Some((consumed, event)) =
            self.connection.handle_bytes(now, &mut self.received[at..], &mut [])?
        {
            self.seen.push(match event {
                Event::Data { payload, .. } => format!("data {}", str::from_utf8(payload).unwrap()),
                Event::Ping(payload) => format!("ping {}", str::from_utf8(payload).unwrap()),
                Event::Pong(payload) => format!("pong {}", str::from_utf8(payload).unwrap()),
                Event::Close(close) => format!("close {:?} {}", close.code.map(CloseCode::get), close.reason),
            });
            at += consumed;
        }
        self.received.drain(..at);
        Ok(())
    }
}

/// Everything that `from` owes reaches `to`.
fn deliver(now: Duration, from: &mut End, to: &mut End) {
    for frame in from.owed(now) {
        to.hear(now, frame.as_slice()).unwrap();
    }
}

fn pair() -> (End, End) {
    (End::new(Role::Client), End::new(Role::Server))
}

#[test]
fn c059_every_ping_is_answered_with_its_own_payload_and_a_newer_one_takes_its_place() {
    let (mut client, mut server) = pair();
    for payload in [&b"one"[..], b"two"] {
        server.hear(S, ControlFrame::new(Opcode::Ping, payload, Some(KEY)).as_slice()).unwrap();
    }
    deliver(S, &mut server, &mut client);
    assert_eq!(server.seen, ["ping one", "ping two"]);
    assert_eq!(client.seen, ["pong two"]);
}

#[test]
fn c060_a_pong_that_nobody_asked_for_is_not_answered() {
    let (_, mut server) = pair();
    server.hear(S, ControlFrame::new(Opcode::Pong, b"hm", Some(KEY)).as_slice()).unwrap();
    assert_eq!(server.seen, ["pong hm"]);
    assert!(server.owed(S).is_empty());
}

#[test]
fn c055_c056_a_close_is_answered_with_its_code_and_the_server_ends_tcp_first() {
    let (mut client, mut server) = pair();
    client.connection.close(S, &Close { code: CloseCode::new(4321), reason: "enough" });
    assert_eq!(client.connection.phase(), Phase::Closing);
    deliver(S, &mut client, &mut server);
    assert_eq!(server.seen, ["close Some(4321) enough"]);
    assert_eq!(server.connection.phase(), Phase::Closing, "its answer is not out");
    deliver(S, &mut server, &mut client);
    assert_eq!(client.seen, ["close Some(4321) "]);
    assert_eq!(server.connection.phase(), Phase::Over);
    assert_eq!(client.connection.phase(), Phase::Closing, "c057: the client waits for the server's FIN");
    client.connection.handle_end();
    assert_eq!(client.connection.phase(), Phase::Over);
    assert_eq!(client.connection.close_status(), CloseStatus::Code(CloseCode::new(4321).unwrap()));
}

#[test]
fn c057_a_client_waits_for_the_servers_end_of_tcp_but_not_for_ever() {
    let (mut client, mut server) = pair();
    client.connection.close(S, &Close::code(CloseCode::NORMAL));
    deliver(S, &mut client, &mut server);
    deliver(2 * S, &mut server, &mut client);
    assert_eq!(client.connection.deadline(), Some(7 * S));
    assert_eq!(client.connection.handle_time(6 * S), None);
    assert_eq!(client.connection.phase(), Phase::Closing);
    assert_eq!(client.connection.handle_time(7 * S), None);
    assert_eq!((client.connection.phase(), client.connection.deadline()), (Phase::Over, None));
}

#[test]
fn c054_nothing_follows_a_close() {
    let (mut client, mut server) = pair();
    client.connection.close(S, &Close::code(CloseCode::NORMAL));
    let mut room = [0; 64];
    let data = client.connection.encode(MessageType::Text, b"x", true, Some(KEY), &mut room);
    assert_eq!(data, Err(SendError::Closing), "not even while it waits to be sent");
    let frame = client.connection.frame(MessageType::Text, &mut [], true, Some(KEY));
    assert_eq!(frame.err(), Some(SendError::Closing));
    assert_eq!(client.owed(S).len(), 1);
    client.hear(S, ControlFrame::new(Opcode::Ping, b"still there?", None).as_slice()).unwrap();
    client.connection.ping();
    client.connection.close(S, &Close::code(CloseCode::GOING_AWAY));
    assert!(client.owed(S).is_empty(), "neither Pong nor Ping nor a second Close");
    server.hear(S, b"").unwrap();
}

#[test]
fn c058_two_closes_that_cross_are_not_answered() {
    let (mut client, mut server) = pair();
    client.connection.close(S, &Close::code(CloseCode::NORMAL));
    server.connection.close(S, &Close::code(CloseCode::GOING_AWAY));
    let (ours, theirs) = (client.owed(S), server.owed(S));
    server.hear(S, ours[0].as_slice()).unwrap();
    client.hear(S, theirs[0].as_slice()).unwrap();
    assert!(client.owed(S).is_empty() && server.owed(S).is_empty());
    assert_eq!(server.connection.phase(), Phase::Over);
    assert_eq!(client.connection.close_status(), CloseStatus::Code(CloseCode::GOING_AWAY));
}

#[test]
fn c066_c067_a_violation_is_told_once_answered_with_its_code_and_nothing_after_it_is_heard() {
    let (mut client, mut server) = pair();
    let hello = client.say("hello");
    let goodbye = Close::code(CloseCode::NORMAL).frame(Some(KEY));
    let bytes = [&hello[..], b"\x83\x80\0\0\0\0", &hello, goodbye.as_slice()].concat();
    assert_eq!(server.hear(S, &bytes), Err(Violation::UnknownOpcode(3)));
    assert_eq!(server.hear(S, &hello), Ok(()));
    assert_eq!(server.seen, ["data hello"]);
    deliver(S, &mut server, &mut client);
    assert_eq!(client.seen, ["close Some(1002) "]);
    assert_eq!(server.connection.phase(), Phase::Over, "its FIN follows at once");
    assert_eq!(
        server.connection.close_status(),
        CloseStatus::Abnormal,
        "a Close after the failure counts not"
    );
}

#[test]
fn c069_without_a_close_the_status_is_1006() {
    let (mut client, _) = pair();
    client.connection.handle_end();
    assert_eq!(client.connection.phase(), Phase::Over);
    assert_eq!(client.connection.close_status().get(), 1006);
    assert!(client.owed(S).is_empty(), "1006 is never sent");
}

#[test]
fn c070_a_close_without_code_is_1005_here_and_empty_on_the_wire() {
    let (mut client, mut server) = pair();
    client.connection.close(S, &Close { code: None, reason: "" });
    deliver(S, &mut client, &mut server);
    assert_eq!(server.connection.close_status().get(), 1005);
    let answer = server.owed(S);
    assert_eq!(answer[0].as_slice(), b"\x88\x00");
}

#[test]
fn a_close_that_stands_right_before_the_end_of_tcp_is_still_answered() {
    let (mut client, mut server) = pair();
    client.connection.close(S, &Close::code(CloseCode::NORMAL));
    deliver(S, &mut client, &mut server);
    server.connection.handle_end();
    assert_eq!(server.connection.phase(), Phase::Closing);
    assert_eq!(server.owed(S).len(), 1);
    assert_eq!(server.connection.phase(), Phase::Over);
}

#[test]
fn a_silent_peer_is_pinged_then_given_up() {
    let (mut client, mut server) = pair();
    assert_eq!(server.connection.deadline(), Some(20 * S));
    assert_eq!(server.connection.handle_time(20 * S), Some(Demand::Ping));
    deliver(20 * S, &mut server, &mut client);
    assert_eq!(client.seen, ["ping our ping"]);
    assert_eq!(server.connection.handle_time(40 * S), Some(Demand::Unanswered));
    deliver(40 * S, &mut server, &mut client);
    assert_eq!(client.seen, ["ping our ping", "close Some(1011) "]);
    assert_eq!(server.connection.deadline(), Some(45 * S));
    assert_eq!(server.connection.handle_time(45 * S), None);
    assert_eq!(server.connection.phase(), Phase::Over);
}

#[test]
fn a_key_that_does_not_fit_the_role_changes_nothing() {
    let (mut client, mut server) = pair();
    client.connection.ping();
    server.connection.ping();
    assert_eq!(client.connection.poll_control(S, None).err(), Some(SendError::MaskMissing));
    assert_eq!(server.connection.poll_control(S, Some(KEY)).err(), Some(SendError::MaskUnexpected));
    assert_eq!((client.owed(S).len(), server.owed(S).len()), (1, 1));
}

//! [`Connection`], both ends of one, with a wire between them that is cut, delayed and damaged.

use std::time::Duration;

use tidegate_proto::deflate::{Context, Deflater, DeflaterConfig, InflateLimits, Inflater};
use tidegate_proto::{
    Close, CloseCode, Connection, Decoder, Encoder, Event, Limits, MaskingKey, MessageType, Phase, Receiver,
    Role, SendError, Times,
};

use super::inflate::window;
use super::input::Input;
use super::trace::{Message, Trace};

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let choices = input.byte();
    let mut pair = [End::new(Role::Client, choices), End::new(Role::Server, choices)];
    let mut now = Duration::ZERO;
    let mut is_damaged = false;
    while !input.is_empty() {
        let operation = input.byte();
        let [near, far] = &mut pair;
        let (this, that) = if operation & 1 == 0 { (near, far) } else { (far, near) };
        match operation >> 1 & 7 {
            0 | 1 => this.say(operation, &mut input),
            2 => this.connection.ping(),
            3 => this.close(now, input.byte()),
            4 => {
                now += Duration::from_secs(input.byte().into());
                this.tick(now);
                that.tick(now);
            }
            5 => that.hear(now, &mut this.wire, input.byte()),
            6 if operation & 0x10 != 0 => {
                is_damaged = true;
                this.damage(&mut input);
            }
            6 => that.hear(now, &mut this.wire, u8::MAX),
            _ => this.end(),
        }
        for end in &mut pair {
            end.answer(now);
            end.assert_sound();
        }
    }
    if !is_damaged {
        for (this, that) in [(0, 1), (1, 0)] {
            assert!(!pair[this].was_wronged, "two good ends find no fault with each other");
            assert_prefix(&pair[this].heard.messages(), &pair[that].said);
        }
    }
}

struct End {
    connection: Connection,
    role: Role,
    /// What was sent and not yet received.
    wire: Vec<u8>,
    carry: Vec<u8>,
    said: Vec<Message>,
    heard: Trace,
    phase: u8,
    has_closed: bool,
    was_wronged: bool,
}

impl End {
    fn new(role: Role, choices: u8) -> Self {
        let mut receiver = Receiver::new(Decoder::new(role, Limits::default()));
        let mut encoder = Encoder::new(role);
        if choices & 16 != 0 {
            let window = window(choices);
            let context = if choices & 8 == 0 { Context::Takeover } else { Context::Fresh };
            receiver = receiver.with_deflate(Inflater::new(window, context, InflateLimits::default()));
            let deflater = Deflater::new(DeflaterConfig { window, context, level: 1, mem_level: 1 });
            encoder = encoder.with_deflate(deflater, 8);
        }
        let times = Times {
            idle_timeout: (choices & 32 != 0).then_some(Duration::from_secs(60)),
            ..Times::default()
        };
        let connection = Connection::new(receiver, encoder, &times, Duration::ZERO, *b"our ping");
        Self {
            connection,
            role,
            wire: Vec::new(),
            carry: Vec::new(),
            said: Vec::new(),
            heard: Trace::default(),
            phase: 0,
            has_closed: false,
            was_wronged: false,
        }
    }

    fn mask(&self) -> Option<MaskingKey> {
        (self.role == Role::Client).then(|| MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]))
    }

    /// The next part of a message, whole or not.
    fn say(&mut self, operation: u8, input: &mut Input<'_>) {
        let len = input.byte();
        let part = String::from_utf8_lossy(input.take(len.into())).into_owned();
        let ends_message = operation & 0x10 == 0;
        let wanted = if operation & 0x20 == 0 { MessageType::Text } else { MessageType::Binary };
        let open = self.said.last().filter(|last| !last.is_whole).map(|last| last.message);
        let message = open.unwrap_or(wanted);
        let mut room = vec![0; Encoder::ROOM_MIN + usize::from(operation >> 6) * 30];
        let mut rest = part.as_bytes();
        loop {
            let mask = self.mask();
            let encoded = match self.connection.encode(message, rest, ends_message, mask, &mut room) {
                Ok(encoded) => encoded,
                Err(error) => {
                    assert_eq!(error, SendError::Closing);
                    assert!(!self.connection.may_send());
                    return;
                }
            };
            self.wire.extend_from_slice(&room[encoded.frame]);
            rest = &rest[encoded.consumed..];
            if encoded.done {
                break;
            }
        }
        if open.is_none() {
            self.said.push(Message { message, rsv1: false, payload: Vec::new(), is_whole: false });
        }
        let last = self.said.last_mut().expect("one is open");
        last.payload.extend_from_slice(part.as_bytes());
        last.is_whole = ends_message;
    }

    fn close(&mut self, now: Duration, choice: u8) {
        let code = CloseCode::new(1000 + u16::from(choice % 15)).unwrap_or(CloseCode::NORMAL);
        self.connection.close(now, &Close { code: Some(code), reason: "enough" });
        assert!(!self.connection.may_send());
    }

    fn tick(&mut self, now: Duration) {
        let _demand = self.connection.handle_time(now);
        let deadline = self.connection.deadline();
        assert!(deadline.is_none_or(|deadline| deadline > now), "{deadline:?} has come at {now:?}");
    }

    /// Takes up to so many bytes from the peer.
    fn hear(&mut self, now: Duration, wire: &mut Vec<u8>, len: u8) {
        let len = if len == u8::MAX { wire.len() } else { wire.len().min(len.into()) };
        let mut bytes = std::mem::take(&mut self.carry);
        bytes.extend(wire.drain(..len));
        let mut room = [0; 64];
        let mut at = 0;
        loop {
            match self.connection.handle_bytes(now, &mut bytes[at..], &mut room) {
                Ok(None) => break,
                Ok(Some((consumed, event))) => {
                    self.heard.event(&event);
                    at += consumed;
                    if matches!(event, Event::Close(_)) {
                        break;
                    }
                }
                Err(violation) => {
                    assert!(!self.was_wronged, "{violation} is told once");
                    self.was_wronged = true;
                    assert!(!self.connection.may_send());
                    break;
                }
            }
        }
        self.carry = bytes.split_off(at);
    }

    fn damage(&mut self, input: &mut Input<'_>) {
        let [place, bits] = input.array();
        let len = self.wire.len();
        if let Some(byte) = self.wire.get_mut(usize::from(place) % len.max(1)) {
            *byte ^= bits;
        }
    }

    fn end(&mut self) {
        self.connection.handle_end();
        assert_ne!(self.connection.phase(), Phase::Open);
    }

    /// Sends the control frames that are due.
    fn answer(&mut self, now: Duration) {
        while let Ok(Some(frame)) = self.connection.poll_control(now, self.mask()) {
            assert!(!self.has_closed, "nothing follows a Close");
            self.has_closed = frame.as_slice().first() == Some(&0x88);
            self.wire.extend_from_slice(frame.as_slice());
        }
    }

    fn assert_sound(&mut self) {
        let phase = match self.connection.phase() {
            Phase::Open => 0,
            Phase::Closing => 1,
            Phase::Over => 2,
        };
        assert!(phase >= self.phase, "a connection never goes back");
        self.phase = phase;
        assert!(!self.has_closed || !self.connection.may_send());
        assert!(phase < 2 || self.connection.deadline().is_none());
        let messages = self.heard.messages();
        let last = messages.last();
        assert!(last.is_none_or(|last| last.message == MessageType::Binary || last.is_text_so_far()));
    }
}

/// What was heard is what was said, as far as it has come.
fn assert_prefix(heard: &[Message], said: &[Message]) {
    assert!(heard.len() <= said.len());
    for (index, (heard, said)) in heard.iter().zip(said).enumerate() {
        assert_eq!(heard.message, said.message);
        assert!(said.payload.starts_with(&heard.payload), "message {index}: {heard:?} of {said:?}");
        assert!(!heard.is_whole || (said.is_whole && heard.payload == said.payload), "message {index}");
    }
}

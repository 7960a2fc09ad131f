//! What another implementation, tungstenite, hears in the same bytes.
//!
//! Both read random streams, good ones and damaged ones, as either end. They must hear the same messages and both find
//! fault or both find none. Where they differ, the difference must be one of [`Difference`], each of which is a rule
//! that one of the two does not keep; any other fails.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::io::{self, Read, Write};

use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_proto::{Assembler, Decoder, Event, Limits, MaskingKey, Role, Violation};
use tungstenite::error::ProtocolError;
use tungstenite::protocol::{self, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn both_hear_the_same(
        role in prop_oneof![Just(Role::Server), Just(Role::Client)],
        frames in vec(frame(), 0..6),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..2),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut stream: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes(role)).collect();
        for (place, bits) in damage {
            if !stream.is_empty() {
                let place = place.index(stream.len());
                stream[place] ^= bits;
            }
        }
        stream.truncate(cut.index(stream.len() + 1).max(stream.len() / 2));
        assert_same(role, &stream)?;
    }

    #[test]
    fn both_hear_the_same_in_noise(
        role in prop_oneof![Just(Role::Server), Just(Role::Client)],
        stream in vec(prop_oneof![Just(0x81u8), Just(0x80), Just(0x02), 0u8..10, any::<u8>()], 0..60),
    ) {
        assert_same(role, &stream)?;
    }
}

#[test]
fn every_difference_is_a_rule_that_one_of_the_two_does_not_keep() {
    use Difference::{BadGateway, FailsEarlier, LengthNotMinimal, ReservedCloseCode};
    let table: [(Role, &[u8], Option<Difference>); 11] = [
        (Role::Client, b"\x81\x05Hello", None),
        (Role::Client, b"\x83\x00", None),
        (Role::Client, b"\x81\x7e\x00\x01a", Some(LengthNotMinimal)),
        (Role::Client, b"\x81\x7f\0\0\0\0\0\0\0\x01a", Some(LengthNotMinimal)),
        (Role::Client, b"\x88\x02\x03\xed", Some(ReservedCloseCode)),
        (Role::Client, b"\x01\x02\xff", Some(FailsEarlier)),
        (Role::Client, b"\xc1\x05He", Some(FailsEarlier)),
        (Role::Client, b"\x88\x02\x03\xf6", Some(BadGateway)),
        (Role::Client, b"\x89\x7e\x00\x00", Some(LengthNotMinimal)),
        (Role::Server, b"\x81\x05Hello", None),
        (Role::Client, b"\x88\x03\x03\xe8\xff", None),
    ];
    for (role, stream, difference) in table {
        let (ours, theirs) = (ours(role, stream), theirs(role, stream));
        assert_eq!(
            Difference::between(&ours, &theirs),
            Ok(difference),
            "{stream:x?}: {ours:?} and {theirs:?}"
        );
    }
}

fn assert_same(role: Role, stream: &[u8]) -> Result<(), TestCaseError> {
    let (ours, theirs) = (ours(role, stream), theirs(role, stream));
    let difference = Difference::between(&ours, &theirs);
    prop_assert!(difference.is_ok(), "{stream:x?}: {ours:?}, but {theirs:?}");
    Ok(())
}

/// Where the two may differ. We keep the rule in each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    /// RFC 6455 §5.2 demands the shortest form of a length. tungstenite takes any, and so also finds no fault with a
    /// control frame (§5.5) whose short length is written in the long form.
    LengthNotMinimal,
    /// §7.4: 1004 to 1006 and 1015 are for no wire, and 1016 to 2999 are nobody's. tungstenite hands out a Close 1002 of
    /// its own making in the place of what was sent, and takes that for a good end.
    ReservedCloseCode,
    /// §7.4.2 and the IANA registry: 1014 may be sent. tungstenite does not know it, and says 1002 in its place.
    BadGateway,
    /// We find fault with a frame as soon as the bytes that decide it are there (§7.1.7, §8.1). tungstenite waits for
    /// the rest of the header or of the frame, which never comes here, and with text for the end of the message.
    FailsEarlier,
}

impl Difference {
    /// The one difference there is, `None` where there is none, or an error where it is not known.
    fn between(ours: &Heard, theirs: &Heard) -> Result<Option<Self>, ()> {
        let is_same = ours.said == theirs.said;
        let goes_on = theirs.said.starts_with(&ours.said);
        match (ours.end, theirs.end) {
            (End::Open, End::Open) | (End::Closed, End::Closed) | (End::Fault(_), End::TheirFault)
                if is_same =>
            {
                Ok(None)
            }
            (End::Fault(Violation::LengthNotMinimal | Violation::ControlTooLong), _) if goes_on => {
                Ok(Some(Self::LengthNotMinimal))
            }
            (End::Fault(Violation::CloseCodeInvalid(_)), End::Closed) if goes_on => {
                Ok(Some(Self::ReservedCloseCode))
            }
            (End::Closed, End::Closed) if ours.differs_in_1014(theirs) => Ok(Some(Self::BadGateway)),
            (End::Fault(_), End::Open) if is_same => Ok(Some(Self::FailsEarlier)),
            _ => Err(()),
        }
    }
}

/// What was heard in a stream, and how it ended.
#[derive(Debug)]
struct Heard {
    said: Vec<Message>,
    end: End,
}

impl Heard {
    fn differs_in_1014(&self, other: &Self) -> bool {
        let (Some((last, said)), Some((_, other))) = (self.said.split_last(), other.said.split_last()) else {
            return false;
        };
        let is_1014 = matches!(last, Message::Close(Some(close)) if u16::from(close.code) == 1014);
        is_1014 && said == other
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// More may come.
    Open,
    /// With a Close, the last of what was said.
    Closed,
    Fault(Violation),
    TheirFault,
}

fn ours(role: Role, stream: &[u8]) -> Heard {
    let mut decoder = Decoder::new(role, Limits::default());
    let mut assembler = Assembler::new(1 << 20);
    let mut bytes = stream.to_vec();
    let mut at = 0;
    let mut said = Vec::new();
    let end = loop {
        let (consumed, event) = match decoder.decode(&mut bytes[at..]) {
            Ok(None) => break End::Open,
            Ok(Some(decoded)) => decoded,
            Err(violation) => break End::Fault(violation),
        };
        at += consumed;
        match &event {
            Event::Data { .. } => {
                let message = assembler.push(&event).unwrap();
                said.extend(message.map(|message| match message.as_text() {
                    Some(text) => Message::text(text),
                    None => Message::binary(message.payload.to_vec()),
                }));
            }
            Event::Ping(payload) => said.push(Message::Ping(payload.to_vec().into())),
            Event::Pong(payload) => said.push(Message::Pong(payload.to_vec().into())),
            Event::Close(close) => {
                let frame = close.code.map(|code| protocol::CloseFrame {
                    code: code.get().into(),
                    reason: close.reason.into(),
                });
                said.push(Message::Close(frame));
                break End::Closed;
            }
        }
    };
    Heard { said, end }
}

fn theirs(role: Role, stream: &[u8]) -> Heard {
    let role = match role {
        Role::Server => protocol::Role::Server,
        Role::Client => protocol::Role::Client,
    };
    let config = WebSocketConfig::default().max_frame_size(Some(1 << 20)).max_message_size(Some(1 << 20));
    let mut context = WebSocketContext::new(role, Some(config));
    let mut socket = Received(stream);
    let mut said = Vec::new();
    let end = loop {
        match context.read(&mut socket) {
            Ok(message) => {
                let is_close = message.is_close();
                said.push(message);
                if is_close {
                    break End::Closed;
                }
            }
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => break End::Open,
            Err(_) => break End::TheirFault,
        }
    };
    Heard { said, end }
}

/// A socket with so many bytes in it, and then the end; what is written to it is lost.
struct Received<'a>(&'a [u8]);

impl Read for Received<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.0.read(room)
    }
}

impl Write for Received<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, Debug)]
struct Frame {
    fin: bool,
    reserved: u8,
    opcode: u8,
    payload: Vec<u8>,
    key: [u8; 4],
    is_masked_wrongly: bool,
    length: Length,
}

/// How the payload length is written.
#[derive(Clone, Copy, Debug)]
enum Length {
    Shortest,
    In2Bytes,
    In8Bytes,
    Huge,
}

fn frame() -> impl Strategy<Value = Frame> {
    let opcode = prop_oneof![4 => Just(0u8), 4 => Just(1), 4 => Just(2), 2 => 8u8..=10, 1 => 0u8..16];
    let close = prop_oneof![
        (prop_oneof![990u16..1020, 2990u16..3010, any::<u16>()], ".{0,8}")
            .prop_map(|(code, reason)| { [&code.to_be_bytes()[..], reason.as_bytes()].concat() }),
        Just(Vec::new()),
    ];
    let payload = prop_oneof![
        ".{0,20}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..20),
        vec(any::<u8>(), 120..140),
        close,
    ];
    let rarely = || prop::bool::weighted(0.03);
    let length = prop_oneof![
        20 => Just(Length::Shortest), 1 => Just(Length::In2Bytes), 1 => Just(Length::In8Bytes), 1 => Just(Length::Huge),
    ];
    (prop::bool::weighted(0.6), (rarely(), 1u8..8), opcode, payload, any::<[u8; 4]>(), rarely(), length)
        .prop_map(|(fin, (has_bits, bits), opcode, payload, key, is_masked_wrongly, length)| Frame {
            fin: fin || opcode >= 8,
            reserved: if has_bits { bits } else { 0 },
            opcode,
            payload,
            key,
            is_masked_wrongly,
            length,
        })
}

impl Frame {
    fn bytes(&self, reader: Role) -> Vec<u8> {
        let is_masked = (reader == Role::Server) != self.is_masked_wrongly;
        let mask_bit = u8::from(is_masked) << 7;
        let len = self.payload.len();
        let mut bytes = vec![u8::from(self.fin) << 7 | self.reserved << 4 | self.opcode];
        match self.length {
            Length::Shortest if len < 126 => bytes.push(mask_bit | u8::try_from(len).unwrap()),
            Length::Shortest | Length::In2Bytes => {
                bytes.push(mask_bit | 126);
                bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
            }
            Length::In8Bytes => {
                bytes.push(mask_bit | 127);
                bytes.extend((len as u64).to_be_bytes());
            }
            Length::Huge => {
                bytes.push(mask_bit | 127);
                bytes.extend((len as u64 | 1 << 63 >> (self.key[0] % 40)).to_be_bytes());
            }
        }
        let mut payload = self.payload.clone();
        if is_masked {
            bytes.extend(self.key);
            MaskingKey::new(self.key).apply(&mut payload);
        }
        bytes.extend(payload);
        bytes
    }
}

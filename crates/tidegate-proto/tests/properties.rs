//! The laws of the crate, over random conversations: whatever is sent arrives, however the bytes are cut.

#![cfg(feature = "deflate")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_proto::deflate::{Context, Deflater, DeflaterConfig, InflateLimits, Inflater, WindowBits};
use tidegate_proto::{
    ControlFrame, Decoder, Encoder, Event, Limits, MaskingKey, MessageType, Opcode, Receiver, Role, Violation,
};

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(setting: Setting, said in vec(said(), 0..6), cuts in cuts()) {
        let wire = setting.encode(&said);
        let heard = setting.decode(&wire, &cuts);
        prop_assert_eq!(heard.violation, None);
        prop_assert!(heard.is_at_boundary);
        prop_assert_eq!(heard.said, said);
    }

    #[test]
    fn any_split_says_the_same(
        setting: Setting,
        said in vec(said(), 0..4),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        cuts in cuts(),
    ) {
        let mut wire = setting.encode(&said);
        for (place, bits) in damage {
            if !wire.is_empty() {
                let place = place.index(wire.len());
                wire[place] ^= bits;
            }
        }
        let whole = setting.decode(&wire, &Cuts { pieces: vec![wire.len().max(1)], room: 1 << 16 });
        let cut = setting.decode(&wire, &cuts);
        prop_assert_eq!(whole.violation, cut.violation);
        // Of a piece that breaks a rule in its middle, nothing need be handed out; what is whole was.
        let shorter = whole.said.len().min(cut.said.len());
        prop_assert_eq!(&whole.said[..shorter], &cut.said[..shorter]);
        prop_assert_eq!(whole.said.len(), cut.said.len());
        if whole.violation.is_none() {
            prop_assert_eq!(whole.is_at_boundary, cut.is_at_boundary);
            prop_assert_eq!(whole.open, cut.open);
        }
    }
}

/// Found by the fuzzer: compressed text that is wrong twice, as text in what comes out first and as DEFLATE behind that.
#[test]
fn of_two_faults_the_first_is_found_however_the_bytes_are_cut() {
    // A stored block with one byte that is no text, and a block of no known type.
    let wire = b"\xc1\x07\x00\x01\x00\xfe\xff\xff\x06";
    for pieces in [vec![wire.len()], vec![1], vec![7, 1]] {
        let heard = compressed(16).decode(wire, &Cuts { pieces: pieces.clone(), room: 16 });
        assert_eq!(heard.violation, Some(Violation::InvalidUtf8), "by {pieces:?}");
    }
}

/// Found by the fuzzer: a text fails while more of its frame waits for room.
#[test]
fn a_receiver_that_has_failed_fails_alike_for_ever() {
    let inflater = Inflater::new(WindowBits::MAX, Context::Takeover, InflateLimits::default());
    let mut receiver = Receiver::new(Decoder::new(Role::Client, Limits::default())).with_deflate(inflater);
    let mut wire = *b"\xc1\x09\x00\x03\x00\xfc\xff\xffab\x00";
    let mut room = [0; 1];
    assert_eq!(receiver.receive(&mut wire, &mut room), Err(Violation::InvalidUtf8));
    for later in [&wire[..], b"", b"\x81\x00"] {
        let found = receiver.receive(&mut later.to_vec(), &mut room).map(|received| received.is_some());
        assert_eq!(found, Err(Violation::InvalidUtf8), "{later:x?}");
    }
}

/// Messages of a server, with the largest window.
fn compressed(room: usize) -> Setting {
    let deflate =
        DeflaterConfig { window: WindowBits::MAX, context: Context::Takeover, level: 1, mem_level: 1 };
    Setting {
        writer: Role::Server,
        deflate: Some(deflate),
        compresses_from: 0,
        parts: vec![1],
        room,
        in_place: false,
        keys: [0; 4],
    }
}

/// A message, and the Pings (`true`) and Pongs that are sent before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    message: MessageType,
    payload: Vec<u8>,
    interludes: Vec<(bool, Vec<u8>)>,
}

fn said() -> impl Strategy<Value = Said> {
    let text = prop_oneof![".{0,40}", "[a-c]{0,300}", "(ab|κό|𝄞){0,80}"].prop_map(String::into_bytes);
    let bytes = prop_oneof![vec(any::<u8>(), 0..300), vec(0u8..3, 0..2000), Just(vec![7; 5000])];
    let payload = prop_oneof![
        text.prop_map(|text| (MessageType::Text, text)),
        bytes.prop_map(|bytes| (MessageType::Binary, bytes)),
    ];
    let control = (any::<bool>(), vec(any::<u8>(), 0..=125));
    let interludes = vec(control, 0..3);
    (payload, interludes).prop_map(|((message, payload), interludes)| Said { message, payload, interludes })
}

/// How two ends agreed to talk, and the one that is heard talks.
#[derive(Clone, Debug)]
struct Setting {
    writer: Role,
    deflate: Option<DeflaterConfig>,
    compresses_from: usize,
    /// Sizes of the parts in which a message is given to the encoder, which repeat, and of the room for its frames.
    parts: Vec<usize>,
    room: usize,
    /// Plain messages are masked where they are, and not copied.
    in_place: bool,
    keys: [u8; 4],
}

impl Arbitrary for Setting {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        let context = prop_oneof![Just(Context::Takeover), Just(Context::Fresh)];
        let config = (8u8..=15, context, 0u8..=9, 1u8..=9).prop_map(|(bits, context, level, mem_level)| {
            DeflaterConfig { window: WindowBits::try_from(bits).unwrap(), context, level, mem_level }
        });
        let writer = prop_oneof![Just(Role::Server), Just(Role::Client)];
        let deflate = prop::option::weighted(0.7, config);
        let room = prop_oneof![Encoder::ROOM_MIN..40, 1000usize..9000];
        (writer, deflate, 0usize..64, vec(1usize..700, 1..4), room, any::<bool>(), any::<[u8; 4]>())
            .prop_map(|(writer, deflate, compresses_from, parts, room, in_place, keys)| Self {
                writer,
                deflate,
                compresses_from,
                parts,
                room,
                in_place,
                keys,
            })
            .boxed()
    }
}

impl Setting {
    fn encode(&self, said: &[Said]) -> Vec<u8> {
        let mut encoder = Encoder::new(self.writer);
        if let Some(config) = self.deflate {
            encoder = encoder.with_deflate(Deflater::new(config), self.compresses_from);
        }
        let mut wire = Vec::new();
        for Said { message, payload, interludes } in said {
            let mut interludes = interludes.iter();
            let mut sizes = self.parts.iter().cycle();
            let mut rest = payload.as_slice();
            loop {
                let (part, later) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                rest = later;
                let due = if rest.is_empty() { usize::MAX } else { 1 };
                wire.extend(interludes.by_ref().take(due).flat_map(|control| self.control(control)));
                self.encode_part(&mut encoder, *message, part, rest.is_empty(), &mut wire);
                if rest.is_empty() {
                    break;
                }
            }
        }
        assert!(encoder.at_message_boundary());
        wire
    }

    fn encode_part(
        &self,
        encoder: &mut Encoder,
        message: MessageType,
        part: &[u8],
        ends: bool,
        wire: &mut Vec<u8>,
    ) {
        if self.in_place && self.deflate.is_none() {
            let mut payload = part.to_vec();
            let header = encoder.frame(message, &mut payload, ends, self.mask()).unwrap();
            wire.extend(header.as_slice().iter().chain(&payload));
            return;
        }
        let mut room = vec![0; self.room];
        let mut rest = part;
        loop {
            let encoded = encoder.encode(message, rest, ends, self.mask(), &mut room).unwrap();
            wire.extend_from_slice(&room[encoded.frame]);
            rest = &rest[encoded.consumed..];
            if encoded.done {
                return;
            }
        }
    }

    fn control(&self, (is_ping, payload): &(bool, Vec<u8>)) -> Vec<u8> {
        let opcode = if *is_ping { Opcode::Ping } else { Opcode::Pong };
        ControlFrame::new(opcode, payload, self.mask()).as_slice().to_vec()
    }

    fn mask(&self) -> Option<MaskingKey> {
        (self.writer == Role::Client).then(|| MaskingKey::new(self.keys))
    }

    fn decode(&self, wire: &[u8], cuts: &Cuts) -> Heard {
        let reader = if self.writer == Role::Client { Role::Server } else { Role::Client };
        let mut receiver = Receiver::new(Decoder::new(reader, Limits::NONE));
        if let Some(DeflaterConfig { window, context, .. }) = self.deflate {
            receiver = receiver.with_deflate(Inflater::new(window, context, InflateLimits::NONE));
        }
        let mut heard = Heard::default();
        let mut room = vec![0; cuts.room];
        let mut carry: Vec<u8> = Vec::new();
        let mut rest = wire;
        let mut sizes = cuts.pieces.iter().cycle();
        'all: while !rest.is_empty() {
            let (piece, later) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            rest = later;
            let mut bytes = [&carry[..], piece].concat();
            let mut at = 0;
            loop {
                match receiver.receive(&mut bytes[at..], &mut room) {
                    Ok(None) => break,
                    Ok(Some((consumed, event))) => {
                        at += consumed;
                        if !heard.event(&event) {
                            break 'all;
                        }
                    }
                    Err(violation) => {
                        heard.violation = Some(violation);
                        break 'all;
                    }
                }
            }
            carry = bytes.split_off(at);
        }
        heard.is_at_boundary = receiver.at_message_boundary();
        heard
    }
}

/// How the bytes arrive, and the room for what is inflated.
#[derive(Clone, Debug)]
struct Cuts {
    pieces: Vec<usize>,
    room: usize,
}

fn cuts() -> impl Strategy<Value = Cuts> {
    let pieces = prop_oneof![Just(vec![1]), vec(1usize..300, 1..6)];
    let room = prop_oneof![1usize..20, 100usize..9000];
    (pieces, room).prop_map(|(pieces, room)| Cuts { pieces, room })
}

/// What arrived.
#[derive(Debug, Default)]
struct Heard {
    said: Vec<Said>,
    violation: Option<Violation>,
    is_at_boundary: bool,
    /// The message under way.
    open: Option<(MessageType, Vec<u8>)>,
    interludes: Vec<(bool, Vec<u8>)>,
}

impl Heard {
    /// Whether more may follow.
    fn event(&mut self, event: &Event<'_>) -> bool {
        match event {
            Event::Ping(payload) => self.interludes.push((true, payload.to_vec())),
            Event::Pong(payload) => self.interludes.push((false, payload.to_vec())),
            Event::Close(_) => return false,
            Event::Data { message, payload, starts_message, ends_message, .. } => {
                assert_eq!(*starts_message, self.open.is_none());
                let (_, sofar) = self.open.get_or_insert((*message, Vec::new()));
                sofar.extend_from_slice(payload);
                if *ends_message && let Some((message, payload)) = self.open.take() {
                    let interludes = std::mem::take(&mut self.interludes);
                    self.said.push(Said { message, payload, interludes });
                }
            }
        }
        true
    }
}

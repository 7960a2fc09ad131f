//! What was received, in a form that does not depend on how the bytes were cut.

use tidegate_proto::{Close, Event, MessageType, Violation};

/// A step of what a peer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Begin {
        message: MessageType,
        rsv1: bool,
    },
    /// Never empty, and never next to another.
    Payload(Vec<u8>),
    FrameEnd,
    MessageEnd,
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// The body.
    Close(Vec<u8>),
}

/// What a peer said, as far as it was handed out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace(Vec<Item>);

impl Trace {
    pub(crate) fn items(&self) -> &[Item] {
        &self.0
    }

    /// What grows with whatever is noted.
    pub(crate) fn size(&self) -> (usize, usize) {
        let last = match self.0.last() {
            Some(Item::Payload(payload)) => payload.len(),
            _ => 0,
        };
        (self.0.len(), last)
    }

    pub(crate) fn push(&mut self, item: Item) {
        self.0.push(item);
    }

    pub(crate) fn payload(&mut self, payload: &[u8]) {
        match self.0.last_mut() {
            _ if payload.is_empty() => {}
            Some(Item::Payload(sofar)) => sofar.extend_from_slice(payload),
            _ => self.push(Item::Payload(payload.to_vec())),
        }
    }

    pub(crate) fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Data { message, payload, rsv1, starts_message, ends_frame, ends_message } => {
                if *starts_message {
                    self.push(Item::Begin { message: *message, rsv1: *rsv1 });
                }
                self.payload(payload);
                self.ends(*ends_frame, *ends_message);
            }
            Event::Ping(payload) => self.push(Item::Ping(payload.to_vec())),
            Event::Pong(payload) => self.push(Item::Pong(payload.to_vec())),
            Event::Close(close) => self.push(Item::Close(body(close))),
        }
    }

    pub(crate) fn ends(&mut self, frame: bool, message: bool) {
        assert!(frame || !message, "a message ends where a frame does");
        if frame {
            self.push(Item::FrameEnd);
        }
        if message {
            self.push(Item::MessageEnd);
        }
    }

    /// Nothing after a Close is of interest.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.0.last(), Some(Item::Close(_)))
    }

    /// The data messages, each with whether it is compressed and whether it is whole.
    pub(crate) fn messages(&self) -> Vec<Message> {
        let mut messages: Vec<Message> = Vec::new();
        for item in &self.0 {
            match (item, messages.last_mut()) {
                (&Item::Begin { message, rsv1 }, _) => {
                    messages.push(Message { message, rsv1, payload: Vec::new(), is_whole: false });
                }
                (Item::Payload(payload), Some(last)) => last.payload.extend_from_slice(payload),
                (Item::MessageEnd, Some(last)) => last.is_whole = true,
                (Item::FrameEnd | Item::Ping(_) | Item::Pong(_) | Item::Close(_), _) => {}
                (Item::Payload(_) | Item::MessageEnd, None) => panic!("{item:?} before a message"),
            }
        }
        messages
    }

    /// Whether `longer` has this and nothing more than the beginning of a message, or more payload of the last one:
    /// what a violation inside of a piece keeps from being handed out, and what the pieces before it did hand out.
    fn is_cut_of(&self, longer: &Self) -> bool {
        let common = self.0.iter().zip(&longer.0).take_while(|(a, b)| a == b).count();
        let (mine, theirs) = (&self.0[common..], &longer.0[common..]);
        match (mine, theirs) {
            ([], [])
            | ([], [Item::Payload(_)] | [Item::Begin { .. }] | [Item::Begin { .. }, Item::Payload(_)]) => {
                true
            }
            ([Item::Payload(short)], [Item::Payload(long)]) => long.starts_with(short),
            _ => false,
        }
    }
}

/// A data message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) message: MessageType,
    pub(crate) rsv1: bool,
    pub(crate) payload: Vec<u8>,
    pub(crate) is_whole: bool,
}

impl Message {
    pub(crate) fn is_text_so_far(&self) -> bool {
        is_text(&self.payload, self.is_whole)
    }
}

/// Whether it is UTF-8, but for the code point at its end if more may follow.
pub(crate) fn is_text(bytes: &[u8], is_whole: bool) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => !is_whole && error.error_len().is_none(),
    }
}

/// How the reading of a stream went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) trace: Trace,
    pub(crate) violation: Option<Violation>,
}

impl Run {
    /// The law of stream parsers: however the bytes are cut, the same is said and the same is wrong. Of a piece whose
    /// content is wrong, nothing need be handed out.
    pub(crate) fn assert_same(&self, other: &Self) {
        assert_eq!(self.violation, other.violation, "in {self:?} and {other:?}");
        let same = self.trace == other.trace;
        let cut = || self.trace.is_cut_of(&other.trace) || other.trace.is_cut_of(&self.trace);
        let cut_allowed = self.violation.is_some_and(is_of_content);
        assert!(same || cut_allowed && cut(), "{self:?} is not {other:?}");
    }
}

/// Whether it is the payload that is wrong, and not a header.
pub(crate) const fn is_of_content(violation: Violation) -> bool {
    matches!(
        violation,
        Violation::InvalidUtf8
            | Violation::InvalidDeflate(_)
            | Violation::DeflateWindowExceeded
            | Violation::InflatedTooBig
            | Violation::InflatedTooMuch
            | Violation::TooManyBlocks
    )
}

fn body(close: &Close<'_>) -> Vec<u8> {
    let code = close.code.map(|code| code.get().to_be_bytes());
    code.into_iter().flatten().chain(close.reason.bytes()).collect()
}

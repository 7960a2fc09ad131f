//! What a decoder is told about the connection, and what it tells.

use crate::{Close, MaskingKey};

/// Which end of the connection we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Role {
    /// We read a client's frames, which must be masked (§5.1).
    Server,
    /// We read a server's frames, which must not be.
    Client,
}

/// What the negotiated extensions make of the reserved bits (§5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Reserved {
    /// No extension: none may be set.
    #[default]
    None,
    /// permessage-deflate: RSV1 may be set on the first frame of a data message (RFC 7692 §6).
    PermessageDeflate,
    /// An extension that only the two endpoints understand: any may be set, on any frame.
    Any,
}

/// Type of a data message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum MessageType {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
}

/// A part of the received bytes: a header, payload, or both; a control frame always whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Bytes of frame header at the front; 0 where payload goes on.
    pub header_len: usize,
    /// Bytes of payload after them.
    pub payload_len: usize,
    /// The key for this payload, aligned to its first byte.
    pub mask: Option<MaskingKey>,
    /// What it is a part of.
    pub kind: StepKind,
}

impl Step {
    /// Header and payload together.
    pub const fn len(&self) -> usize {
        self.header_len + self.payload_len
    }

    /// Never: a step consumes something.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a [`Step`] is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// A data frame.
    Data {
        /// The type of the message.
        message: MessageType,
        /// RSV1 was set on the first frame of the message.
        rsv1: bool,
        /// The message begins with this step.
        starts_message: bool,
        /// The frame ends with this step.
        ends_frame: bool,
        /// The message ends with this step.
        ends_message: bool,
    },
    /// A whole Ping.
    Ping,
    /// A whole Pong.
    Pong,
    /// A whole Close.
    Close,
}

/// What was received, unmasked and checked.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The next bytes of a message. Chunks may be empty, and follow the wire: their boundaries mean nothing.
    Data {
        /// The type of the message.
        message: MessageType,
        /// The bytes; of text, every chunk that was handed out so far is valid up to a cut code point.
        payload: &'a mut [u8],
        /// RSV1 was set on the first frame: the message is compressed, and text was not checked.
        rsv1: bool,
        /// This is the first chunk of the message.
        starts_message: bool,
        /// This is the last chunk of its frame.
        ends_frame: bool,
        /// This is the last chunk of the message.
        ends_message: bool,
    },
    /// A Pong with the same payload is owed (§5.5.2).
    Ping(&'a [u8]),
    /// An answer to a Ping, or unsolicited.
    Pong(&'a [u8]),
    /// The closing handshake. What follows it must not be decoded.
    Close(Close<'a>),
}

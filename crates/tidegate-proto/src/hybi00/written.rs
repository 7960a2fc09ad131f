//! Both directions as they are written down. Nothing is believed that neither could have written.

use serde::{Deserialize, Serialize};

use super::decoder::{Content, LENGTH_BYTES_MAX, State};
use super::{Coding, Decoder, Encoder, Violation, base64::Base64};
use crate::Utf8;

/// A decoder. The names are part of what is written: they may be added to, but not changed.
#[derive(Serialize, Deserialize)]
pub(super) struct Reading {
    bytes_max: u64,
    state: State,
    content: Content,
    failed: Option<Violation>,
}

/// An encoder.
#[derive(Serialize, Deserialize)]
pub(super) struct Writing {
    coding: Coding,
    open: bool,
    utf8: Utf8,
    held: [u8; 3],
    held_len: u8,
}

/// What was read is no state that a direction can be in.
#[derive(Debug, thiserror::Error)]
#[error("no direction of hybi-00 can be in this state: {0}")]
pub(super) struct Impossible(&'static str);

impl From<Decoder> for Reading {
    fn from(decoder: Decoder) -> Self {
        let Decoder { bytes_max, state, content, failed } = decoder;
        Self { bytes_max, state, content, failed }
    }
}

impl TryFrom<Reading> for Decoder {
    type Error = Impossible;

    fn try_from(written: Reading) -> Result<Self, Impossible> {
        let Reading { bytes_max, state, content, failed } = written;
        let (is_in_message, is_within) = match state {
            State::Boundary | State::Closed => (false, true),
            State::Message { seen } => (true, seen <= bytes_max),
            State::Unknown { seen } => (false, seen <= bytes_max),
            State::Length(length) => (false, length.value <= bytes_max && length.digits <= LENGTH_BYTES_MAX),
            State::Skip { left } => (false, left > 0 && left <= bytes_max),
        };
        if !is_within {
            return Err(Impossible("a frame beyond its limit"));
        }
        let (is_possible, is_at_start) = match content {
            Content::Text(utf8) => (true, utf8.is_complete()),
            Content::Base64(base64) => (base64.is_possible(), base64 == Base64::default()),
        };
        if !is_possible || !is_at_start && !is_in_message && failed.is_none() {
            return Err(Impossible("a part of a character outside of a message"));
        }
        Ok(Self { bytes_max, state, content, failed })
    }
}

impl From<Encoder> for Writing {
    fn from(encoder: Encoder) -> Self {
        let Encoder { coding, open, utf8, held, held_len } = encoder;
        Self { coding, open, utf8, held, held_len }
    }
}

impl TryFrom<Writing> for Encoder {
    type Error = Impossible;

    fn try_from(written: Writing) -> Result<Self, Impossible> {
        let Writing { coding, open, utf8, held, held_len } = written;
        let is_held = match coding {
            Coding::Text => held_len == 0 && (open || utf8.is_complete()),
            Coding::Base64 => utf8.is_complete() && held_len < 3 && (open || held_len == 0),
        };
        if !is_held {
            return Err(Impossible("a part of a character that no message under way has"));
        }
        Ok(Self { coding, open, utf8, held, held_len })
    }
}

//! A decoder as it is written down. What follows from the rest is left out, and nothing is believed that no decoder could
//! have written.

use serde::{Deserialize, Serialize};

use super::{Decoder, MessageType, Reserved, Role, whole_below};
use crate::{Limits, MaskingKey, Utf8, Violation};

/// The names are part of what is written: they may be added to, but not changed.
#[derive(Serialize, Deserialize)]
pub(super) struct Written {
    role: Role,
    limits: Limits,
    reserved: Reserved,
    message: Option<MessageType>,
    message_bytes: u64,
    fragments: u32,
    rsv1: bool,
    frame_left: u64,
    fin: bool,
    mask: MaskingKey,
    utf8: Utf8,
    failed: Option<Violation>,
}

/// What was read is no state that a decoder can be in.
#[derive(Debug, thiserror::Error)]
#[error("no decoder can be in this state: {0}")]
pub(super) struct Impossible(&'static str);

impl From<Decoder> for Written {
    fn from(decoder: Decoder) -> Self {
        Self {
            role: if decoder.mask_bit == 0 { Role::Client } else { Role::Server },
            limits: decoder.limits,
            reserved: decoder.reserved,
            message: decoder.message,
            message_bytes: decoder.message_bytes,
            fragments: decoder.fragments,
            rsv1: decoder.rsv1,
            frame_left: decoder.frame_left,
            fin: decoder.fin,
            mask: decoder.mask,
            utf8: decoder.utf8,
            failed: decoder.failed,
        }
    }
}

impl TryFrom<Written> for Decoder {
    type Error = Impossible;

    fn try_from(written: Written) -> Result<Self, Impossible> {
        let Written { role, limits, reserved, message, message_bytes, fragments, rsv1, .. } = written;
        let Written { frame_left, fin, mask, utf8, failed, .. } = written;
        if message.is_none() && frame_left > 0 {
            return Err(Impossible("a frame of data without a message"));
        }
        if frame_left > limits.frame_bytes_max || frame_left > message_bytes && message.is_some() {
            return Err(Impossible("more is to come than was announced"));
        }
        if fragments > limits.fragments_max || message_bytes > limits.message_bytes_max {
            return Err(Impossible("the message is beyond its limits"));
        }
        if !utf8.is_complete() && message != Some(MessageType::Text) && failed.is_none() {
            return Err(Impossible("half a code point outside of a text"));
        }
        let is_idle = message.is_none() && failed.is_none();
        let whole_below = if is_idle { whole_below(&limits) } else { 0 };
        let decoder = Self::new(role, limits).with_reserved(reserved);
        Ok(Self {
            whole_below,
            frame_left,
            message_bytes,
            fragments,
            mask,
            utf8,
            message,
            fin,
            rsv1,
            failed,
            ..decoder
        })
    }
}

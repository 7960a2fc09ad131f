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

#[cfg(test)]
mod tests {
    use super::*;

    /// In the midst of a frame, and at every limit.
    fn at_its_limits() -> Written {
        Written {
            role: Role::Server,
            limits: Limits { frame_bytes_max: 10, message_bytes_max: 10, fragments_max: 3 },
            reserved: Reserved::None,
            message: Some(MessageType::Binary),
            message_bytes: 10,
            fragments: 3,
            rsv1: false,
            frame_left: 10,
            fin: true,
            mask: MaskingKey::new([0; 4]),
            utf8: Utf8::new(),
            failed: None,
        }
    }

    fn half_a_code_point() -> Utf8 {
        let mut utf8 = Utf8::new();
        utf8.check(b"\xc3").unwrap();
        utf8
    }

    #[track_caller]
    fn refused(written: Written, why: &str) {
        assert_eq!(Decoder::try_from(written).map(drop).unwrap_err().0, why);
    }

    #[test]
    fn what_is_at_its_limits_is_taken_up() {
        let limits = Limits { message_bytes_max: 20, ..at_its_limits().limits };
        for good in [
            at_its_limits(),
            Written { frame_left: 9, message_bytes: 20, limits, ..at_its_limits() },
            Written { message: None, frame_left: 0, message_bytes: 0, fragments: 0, ..at_its_limits() },
            Written { message: Some(MessageType::Text), utf8: half_a_code_point(), ..at_its_limits() },
            Written { failed: Some(Violation::InvalidUtf8), utf8: half_a_code_point(), ..at_its_limits() },
        ] {
            assert!(Decoder::try_from(good).is_ok());
        }
    }

    #[test]
    fn what_is_beyond_them_is_refused() {
        let more = "more is to come than was announced";
        let limits = Limits { frame_bytes_max: 11, message_bytes_max: 11, fragments_max: 3 };
        refused(
            Written { message: None, frame_left: 1, ..at_its_limits() },
            "a frame of data without a message",
        );
        refused(
            Written {
                frame_left: 11,
                message_bytes: 11,
                limits: Limits { frame_bytes_max: 10, ..limits },
                ..at_its_limits()
            },
            more,
        );
        refused(Written { frame_left: 11, limits, ..at_its_limits() }, more);
        let beyond = "the message is beyond its limits";
        refused(Written { fragments: 4, ..at_its_limits() }, beyond);
        refused(Written { message_bytes: 11, ..at_its_limits() }, beyond);
        let outside = "half a code point outside of a text";
        refused(Written { utf8: half_a_code_point(), ..at_its_limits() }, outside);
    }

    /// Neither in a message nor behind a violation another message is taken for good.
    #[test]
    fn a_whole_message_waits_for_its_turn() {
        let whole = b"\x81\x80\0\0\0\0";
        let between = Written { frame_left: 0, ..at_its_limits() };
        let mut decoder = Decoder::try_from(between).unwrap();
        assert_eq!(decoder.step(whole), Err(Violation::MessageInterrupted));
        let idle =
            Written { message: None, frame_left: 0, message_bytes: 0, fragments: 0, ..at_its_limits() };
        let mut decoder =
            Decoder::try_from(Written { failed: Some(Violation::FrameTooBig), ..idle }).unwrap();
        assert_eq!(decoder.step(whole), Err(Violation::FrameTooBig));
    }
}

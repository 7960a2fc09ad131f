use crate::{CloseCode, Limits};

/// A breach of hybi-00 or of a limit, by the peer. Final: nothing that follows can be understood.
///
/// The protocol has no code to tell the peer, so the connection ends with the [closing frame](super::CLOSING_FRAME) or
/// without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Violation {
    /// More bytes in a frame than [`Limits::frame_bytes_max`] or [`Limits::message_bytes_max`], which are the same
    /// here. Frames that are discarded count as well.
    #[error("frame is larger than the limit")]
    TooBig,
    /// A length of more than nine bytes, whatever its value: nine are enough for 2⁶³.
    #[error("frame length has more than 9 bytes")]
    LengthTooLong,
    /// Text that is not UTF-8; found as soon as the bytes that decide it are there.
    #[error("text is not valid UTF-8")]
    InvalidUtf8,
    /// Text that is not base64 where bytes are carried in it.
    #[error("text is not base64 with padding")]
    InvalidBase64,
}

impl Violation {
    /// The code of RFC 6455 that says the same: 1002, 1007 or 1009. For logs, and for the far side of a translation.
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::LengthTooLong => CloseCode::PROTOCOL_ERROR,
            Self::InvalidUtf8 | Self::InvalidBase64 => CloseCode::INVALID_PAYLOAD,
            Self::TooBig => CloseCode::TOO_BIG,
        }
    }
}

/// The bound on one frame: there are no fragments, so that frame and message are one.
pub(super) fn bytes_max(limits: Limits) -> u64 {
    limits.frame_bytes_max.min(limits.message_bytes_max)
}

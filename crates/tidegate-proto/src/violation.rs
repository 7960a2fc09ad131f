//! What a peer can do wrong after the opening handshake, and the Close code that answers it.

use crate::CloseCode;

/// A breach of RFC 6455 or of a limit, by the peer. The connection has failed (§7.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// RSV1–3 set without an extension that gives them a meaning (§5.2).
    #[error("reserved bits set without an extension")]
    ReservedBits,
    /// Opcode 3–7 or 11–15 (§5.2).
    #[error("unknown opcode {0}")]
    UnknownOpcode(u8),
    /// A payload length in more bytes than it needs (§5.2).
    #[error("payload length is not in its shortest form")]
    LengthNotMinimal,
    /// The most significant bit of a 64-bit payload length is set (§5.2).
    #[error("payload length has its top bit set")]
    LengthTopBit,
    /// A client's frame without masking key (§5.1).
    #[error("frame from a client is not masked")]
    MaskMissing,
    /// A server's frame with a masking key (§5.1).
    #[error("frame from a server is masked")]
    MaskUnexpected,
    /// A control frame with FIN clear (§5.5).
    #[error("control frame is fragmented")]
    ControlFragmented,
    /// A control frame of more than 125 bytes (§5.5).
    #[error("control frame is longer than 125 bytes")]
    ControlTooLong,
    /// A continuation frame while no message is open (§5.4).
    #[error("continuation frame without a message to continue")]
    ContinuationWithoutStart,
    /// A new message before the last one ended (§5.4).
    #[error("new message inside a fragmented one")]
    MessageInterrupted,
    /// More payload in a frame than [`Limits::frame_bytes_max`](crate::Limits::frame_bytes_max).
    #[error("frame is larger than the limit")]
    FrameTooBig,
    /// More payload in a message than [`Limits::message_bytes_max`](crate::Limits::message_bytes_max).
    #[error("message is larger than the limit")]
    MessageTooBig,
    /// More frames in a message than [`Limits::fragments_max`](crate::Limits::fragments_max).
    #[error("message has more fragments than the limit")]
    TooManyFragments,
    /// A text message that is not UTF-8; found as soon as the bytes that decide it are there (§8.1).
    #[error("text is not valid UTF-8")]
    InvalidUtf8,
    /// A Close body of one byte (§5.5.1).
    #[error("close frame has a body of one byte")]
    CloseBodyTooShort,
    /// A close code that may not be on the wire (§7.4).
    #[error("close code {0} may not be sent")]
    CloseCodeInvalid(u16),
    /// A close reason that is not UTF-8 (§5.5.1).
    #[error("close reason is not valid UTF-8")]
    CloseReasonInvalidUtf8,
}

impl Violation {
    /// The code of the Close frame that answers it (§7.4.1): 1002, 1007, 1008 or 1009.
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::ReservedBits
            | Self::UnknownOpcode(_)
            | Self::LengthNotMinimal
            | Self::LengthTopBit
            | Self::MaskMissing
            | Self::MaskUnexpected
            | Self::ControlFragmented
            | Self::ControlTooLong
            | Self::ContinuationWithoutStart
            | Self::MessageInterrupted
            | Self::CloseBodyTooShort
            | Self::CloseCodeInvalid(_) => CloseCode::PROTOCOL_ERROR,
            Self::InvalidUtf8 | Self::CloseReasonInvalidUtf8 => CloseCode::INVALID_PAYLOAD,
            Self::TooManyFragments => CloseCode::POLICY_VIOLATION,
            Self::FrameTooBig | Self::MessageTooBig => CloseCode::TOO_BIG,
        }
    }
}

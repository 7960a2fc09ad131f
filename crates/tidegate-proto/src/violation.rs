//! What a peer can do wrong after the opening handshake, and the Close code that answers it.

use crate::CloseCode;

/// A breach of RFC 6455 or of a limit, by the peer. The connection has failed (§7.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
    /// A compressed message that is not DEFLATE (RFC 7692 §7.2.2).
    #[error("compressed message is not valid: {0}")]
    InvalidDeflate(#[from] InvalidDeflate),
    /// A compressed message that refers back farther than the window that was agreed (RFC 7692 §7.1.2).
    #[error("compressed message reaches back farther than the agreed window")]
    DeflateWindowExceeded,
    /// A compressed message that becomes larger than
    /// [`InflateLimits::message_bytes_max`](crate::deflate::InflateLimits::message_bytes_max).
    #[error("message is larger than the limit once inflated")]
    InflatedTooBig,
    /// A compressed message that grows more than
    /// [`InflateLimits::ratio_max`](crate::deflate::InflateLimits::ratio_max) allows.
    #[error("message grows by more than the limit when inflated")]
    InflatedTooMuch,
    /// A compressed message with far more blocks than its content needs, which is work for nothing.
    #[error("compressed message has more blocks than its content needs")]
    TooManyBlocks,
}

/// How a compressed message breaks the format of DEFLATE (RFC 1951).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum InvalidDeflate {
    /// The reserved type of block (§3.2.3).
    #[error("block type 3")]
    BlockType,
    /// The length of a stored block contradicts its complement (§3.2.4).
    #[error("stored block with contradictory lengths")]
    StoredLength,
    /// Code lengths that make no prefix code, or are too many (§3.2.7).
    #[error("code lengths that make no code")]
    CodeLengths,
    /// A code that stands for nothing (§3.2.5, §3.2.6).
    #[error("code without a meaning")]
    Symbol,
    /// A distance to before the first byte of the history (§3.2.3).
    #[error("distance to before the first byte")]
    Distance,
    /// The message ends inside a block (RFC 7692 §7.2.2).
    #[error("end inside a block")]
    Truncated,
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
            | Self::CloseCodeInvalid(_)
            | Self::DeflateWindowExceeded => CloseCode::PROTOCOL_ERROR,
            Self::InvalidUtf8 | Self::CloseReasonInvalidUtf8 | Self::InvalidDeflate(_) => {
                CloseCode::INVALID_PAYLOAD
            }
            Self::TooManyFragments | Self::TooManyBlocks => CloseCode::POLICY_VIOLATION,
            Self::FrameTooBig | Self::MessageTooBig | Self::InflatedTooBig | Self::InflatedTooMuch => {
                CloseCode::TOO_BIG
            }
        }
    }
}

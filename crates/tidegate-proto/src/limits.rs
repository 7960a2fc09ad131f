//! Every bound on what a peer may send.

/// What one peer may send before its connection is failed. All bounds are inclusive; [`u64::MAX`] is no limit.
///
/// A limit is compared with what a frame header declares, before any of the payload arrives; nothing is ever allocated
/// from a declared length. RFC 6455 §10.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Limits {
    /// Payload bytes of one frame. Default 1 MiB; breach: [`Violation::FrameTooBig`](crate::Violation::FrameTooBig).
    pub frame_bytes_max: u64,
    /// Payload bytes of one message, as on the wire. Default 1 MiB; breach:
    /// [`Violation::MessageTooBig`](crate::Violation::MessageTooBig).
    pub message_bytes_max: u64,
    /// Frames of one message, empty ones included. Default 1024; breach:
    /// [`Violation::TooManyFragments`](crate::Violation::TooManyFragments).
    pub fragments_max: u32,
}

impl Limits {
    /// No limits but those of the protocol itself.
    pub const NONE: Self =
        Self { frame_bytes_max: u64::MAX, message_bytes_max: u64::MAX, fragments_max: u32::MAX };
}

impl Default for Limits {
    fn default() -> Self {
        Self { frame_bytes_max: 1 << 20, message_bytes_max: 1 << 20, fragments_max: 1024 }
    }
}

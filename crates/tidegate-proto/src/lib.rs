//! The WebSocket protocol without I/O: RFC 6455 as pure functions over bytes.
//!
//! The crate has no socket, no clock, no task and no randomness of its own. Bytes go in, events come out; masking keys
//! and nonces are arguments. It is `no_std` with `alloc`, and never holds a message: payload is handed out as slices of
//! the caller's own buffer, as it arrives.
//!
//! # Reading
//!
//! A [`Decoder`] is one direction of one connection: some dozens of bytes of state. Put received bytes into a buffer
//! and call [`Decoder::decode`] until it returns `None`; what it has not consumed by then is the beginning of a frame
//! header or of a control frame, at most [`CARRY_BYTES_MAX`] bytes, and must stand in front of the bytes of the next
//! read.
//!
//! ```
//! use tidegate_proto::{Decoder, Event, Limits, Role};
//!
//! let mut decoder = Decoder::new(Role::Server, Limits::default());
//! let mut bytes = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; // RFC 6455 §5.7: a masked "Hello"
//! let mut read = &mut bytes[..];
//! let mut text = Vec::new();
//! while let Some((consumed, event)) = decoder.decode(read)? {
//!     if let Event::Data { payload, .. } = event {
//!         text.extend_from_slice(payload);
//!     }
//!     read = &mut read[consumed..];
//! }
//! assert_eq!(text, b"Hello");
//! # Ok::<(), tidegate_proto::Violation>(())
//! ```
//!
//! An intermediary that only checks and passes frames on calls [`Decoder::step`] instead: the same rules, but not a
//! byte of the buffer is changed.
//!
//! A [`Violation`] is the peer's fault, is final, and knows the Close code that answers it
//! ([`Violation::close_code`]). Errors of one's own caller do not exist while reading.
//!
//! # Writing
//!
//! [`FrameHeader::encode`] gives the bytes of a header, [`ControlFrame`] those of a whole Ping, Pong or Close frame.
//! [`Closing`] says when a Close frame may or must be sent and when the closing handshake is complete.
//!
//! # Handshakes
//!
//! [`handshake`] checks an opening handshake as a server and as a client, over any HTTP library.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod close;
mod decoder;
mod frame;
pub mod handshake;
mod limits;
mod mask;
mod utf8;
mod violation;

pub use close::{Close, CloseCode, Closing};
pub use decoder::{CARRY_BYTES_MAX, Decoder, Event, MessageType, Reserved, Role, Step, StepKind};
pub use frame::{CONTROL_PAYLOAD_MAX, ControlFrame, FrameHeader, HEADER_BYTES_MAX, HeaderBytes, Opcode};
pub use limits::Limits;
pub use mask::MaskingKey;
pub use utf8::Utf8;
pub use violation::Violation;

//! The WebSocket protocol without I/O: RFC 6455, RFC 7692 and hybi-00 as pure functions over bytes.
//!
//! The crate has no socket, no clock, no task and no randomness of its own. Bytes go in, events and bytes come out;
//! time, masking keys and nonces are arguments. It is `no_std` with `alloc`, and runs on threads, on any runtime, and
//! where there is no operating system at all.
//!
//! # The contract
//!
//! - **Streaming.** No message is ever held. Payload is handed out as slices of the caller's own buffer, as it arrives,
//!   unmasked in place; a message of any size passes through any buffer. What was not consumed when more bytes are
//!   needed is the beginning of a frame header or of a control frame, at most [`CARRY_BYTES_MAX`] bytes, and must stand
//!   in front of the bytes of the next read.
//! - **Memory.** A [`Decoder`] and an [`Encoder`] are some dozens of bytes each. Nothing is allocated for payload, nor
//!   from a declared length. [`deflate`] says what compression costs, and is the only part with buffers of its own.
//! - **Time.** A call takes time in proportion to the bytes it was given. Deadlines are values: [`Connection::deadline`]
//!   says when [`Connection::handle_time`] wants to be called.
//! - **Faults.** A [`Violation`] is the peer's fault, is final, and knows the Close code that answers it. A
//!   [`SendError`] is the caller's own, and changes nothing. There are no panics.
//! - **Strictness.** Every rule is checked as soon as the bytes that decide it are there; what the peer sent before is
//!   handed out first. [`Limits`] bound what a peer may send, with defaults.
//!
//! # A connection
//!
//! [`Connection`] is both directions, closing and clock. One loop serves either role: what is due is sent, what was
//! read goes in, and the socket is ended when the connection is [over](Phase::Over). Of several Pings between two calls
//! of [`Connection::poll_control`] the last is answered, as RFC 6455 §5.5.3 allows.
//!
//! ```
//! use std::time::Duration;
//! use tidegate_proto::{
//!     Connection, Decoder, Encoder, Event, Limits, Phase, Receiver, Role, SendError, Times,
//! };
//!
//! /// One turn of an echo server: `read` holds received bytes; returns how many of them are consumed.
//! fn turn(
//!     connection: &mut Connection,
//!     now: Duration,
//!     read: &mut [u8],
//!     out: &mut Vec<u8>,
//! ) -> Result<usize, SendError> {
//!     let mut at = 0;
//!     loop {
//!         while let Some(frame) = connection.poll_control(now, None)? {
//!             out.extend_from_slice(frame.as_slice());
//!         }
//!         match connection.handle_bytes(now, &mut read[at..], &mut []) {
//!             Ok(None) => return Ok(at), // more bytes are needed
//!             Ok(Some((consumed, event))) => {
//!                 if let Event::Data { message, payload, ends_message, .. } = event
//!                     && connection.may_send()
//!                 {
//!                     let header = connection.frame(message, payload, ends_message, None)?;
//!                     out.extend_from_slice(header.as_slice());
//!                     out.extend_from_slice(payload);
//!                 }
//!                 at += consumed;
//!             }
//!             Err(violation) => eprintln!("{violation}"), // the Close that answers it is due now
//!         }
//!     }
//! }
//!
//! let receiver = Receiver::new(Decoder::new(Role::Server, Limits::default()));
//! let encoder = Encoder::new(Role::Server);
//! let now = Duration::ZERO; // since any moment that stays the same
//! let mut connection = Connection::new(receiver, encoder, &Times::default(), now, *b"our ping");
//!
//! // RFC 6455 §5.7, a masked "Hello"; and a masked Close.
//! let mut read = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x88\x82\0\0\0\0\x03\xe8";
//! let mut out = Vec::new();
//! let consumed = turn(&mut connection, now, &mut read, &mut out)?;
//! assert_eq!((consumed, &out[..]), (read.len(), &b"\x81\x05Hello\x88\x02\x03\xe8"[..]));
//! assert_eq!(connection.phase(), Phase::Over);
//! # Ok::<(), SendError>(())
//! ```
//!
//! # Its parts
//!
//! Each is of use alone, and small enough to be kept by the hundred thousand:
//!
//! - [`Decoder`] reads frames. An intermediary that only checks and passes them on calls [`Decoder::step`]: the same
//!   rules, but not a byte of the buffer is changed.
//! - [`Receiver`] is a decoder with decompression.
//! - [`Encoder`] makes the frames of messages, in place or into a buffer, plain or compressed. [`FrameHeader`] and
//!   [`ControlFrame`] are the bytes alone.
//! - [`Closing`] says when a Close may or must be sent, [`Keepalive`] when a Ping is due and a peer given up.
//! - [`Assembler`] holds whole messages, with a limit, for whoever wants them.
//! - [`handshake`] checks an opening handshake as a server and as a client, over any HTTP library; [`WsUri`] reads
//!   `ws://` and `wss://`.
//! - [`hybi00`] is the protocol before the standard, for clients that never learned another.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod assembler;
mod close;
mod connection;
mod decoder;
#[cfg(feature = "deflate")]
pub mod deflate;
mod encoder;
mod frame;
pub mod handshake;
pub mod hybi00;
mod keepalive;
mod limits;
mod mask;
mod receiver;
mod uri;
mod utf8;
mod violation;

pub use assembler::{Assembler, Message};
pub use close::{CLOSE_REASON_BYTES_MAX, Close, CloseCode, Closing};
pub use connection::{CloseStatus, Connection, Phase};
pub use decoder::{CARRY_BYTES_MAX, Decoder, Event, MessageType, Reserved, Role, Step, StepKind};
pub use encoder::{Encoded, Encoder, SendError};
pub use frame::{CONTROL_PAYLOAD_MAX, ControlFrame, FrameHeader, HEADER_BYTES_MAX, HeaderBytes, Opcode};
pub use keepalive::{Demand, Keepalive, Times};
pub use limits::Limits;
pub use mask::MaskingKey;
pub use receiver::Receiver;
pub use uri::{UriError, WsUri};
pub use utf8::Utf8;
pub use violation::{InvalidDeflate, Violation};

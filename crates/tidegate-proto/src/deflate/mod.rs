//! permessage-deflate (RFC 7692): both halves of the codec, streaming.
//!
//! A half takes the payload of a message in any pieces and gives out what it becomes in any pieces; it never holds a
//! message. What it works with is agreed in the handshake, see
//! [`DeflatePreferences`](crate::handshake::DeflatePreferences). Frames, RSV1 and UTF-8 are not its affair.
//!
//! ```
//! use tidegate_proto::deflate::{Context, Deflater, DeflaterConfig, InflateLimits, Inflater, WindowBits};
//!
//! let (window, context) = (WindowBits::MAX, Context::Takeover);
//! let mut writer = Deflater::new(DeflaterConfig { window, context, level: 6, mem_level: 8 });
//! let mut reader = Inflater::new(window, context, InflateLimits::default());
//! let (mut payload, mut message) = ([0; 64], [0; 64]);
//!
//! let made = writer.deflate(b"Hello", &mut payload, true);
//! assert_eq!(&payload[..made.produced], b"\xf2\x48\xcd\xc9\xc9\x07\x00"); // RFC 7692 §7.2.3.1
//! let read = reader.inflate(&payload[..made.produced], &mut message, true)?;
//! assert!(read.done);
//! assert_eq!(&message[..read.produced], b"Hello");
//! # Ok::<(), tidegate_proto::Violation>(())
//! ```
//!
//! # Memory
//!
//! An [`Inflater`] owns on its heap, with a window of *w* bits:
//!
//! | when | bytes |
//! |---|---|
//! | before the first message, and with [`Context::Fresh`] between messages | 0 |
//! | with [`Context::Takeover`] between messages | what was received, rounded up to a power of two, and at most 2ʷ |
//! | during a message | 7.2 KiB more, if a block has codes of its own; and the history, with either context |
//!
//! So 4 to 32 KiB a connection bound what clients make us hold, by the window that is granted to them. It is written
//! here and not left to a library for that, and because a message that reaches back farther than was agreed is to be
//! refused, and one that goes on after a final block is to be read, with the window it had.
//!
//! A [`Deflater`] owns nothing before the first message, and from then on, whatever the context, 4·2ʷ for the window
//! (with *w* at least 9), 448·2ᵐ for the memory level *m*, and 131 KiB for the hash table of zlib-rs:
//!
//! | KiB | *m* = 1 | 5 | 8 | 9 |
//! |---|---|---|---|---|
//! | *w* = 9 | 134 | 147 | 245 | 357 |
//! | 12 | 148 | 161 | 259 | 371 |
//! | 15 | 260 | 273 | 371 | 483 |
//!
//! That is much for each of many connections. With [`Context::Fresh`] it is not needed for each: between two messages
//! a half holds nothing of the connection, and one of them serves any number of connections that agreed on the same.
//! The price is that each message begins with clearing the table, 1 to 3 µs, and finds nothing to refer to.

mod deflater;
mod inflate;

pub use crate::handshake::{Context, WindowBits};
pub use deflater::{Deflater, DeflaterConfig};
pub use inflate::{InflateLimits, Inflater};

/// How far a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes taken from the front of the input.
    pub consumed: usize,
    /// Bytes made at the front of the output.
    pub produced: usize,
    /// All input was taken and nothing waits for room. If the input ended the message, the message is complete.
    pub done: bool,
}

impl Progress {
    const NOTHING: Self = Self { consumed: 0, produced: 0, done: true };
}

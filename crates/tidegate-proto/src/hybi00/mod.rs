//! The protocol before RFC 6455: draft-ietf-hybi-thewebsocketprotocol-00, also known as Hixie-76.
//!
//! Browsers of 2010 and 2011 spoke it, and devices built then still do. It has text and a closing handshake and
//! nothing else: no binary data, no fragments, no Ping, no masking, no codes or reasons. Like the rest of the crate this
//! is pure: bytes in, events out, randomness an argument.
//!
//! | on the wire | meaning |
//! |---|---|
//! | `00` … `FF` | a message of UTF-8 text, which holds no `FF` |
//! | `01`–`7F` … `FF` | a frame of no known type: discarded |
//! | `80`–`FF`, length, bytes | the same; the length is in base 128, its highest digit first |
//! | `FF 00` | the closing handshake, once in each direction |
//!
//! - [`handshake`] opens a connection, as a server and as a client.
//! - A [`Decoder`] reads one direction, an [`Encoder`] writes the other.
//! - [`CLOSING_FRAME`] ends the connection. [`Closing`](crate::Closing) counts it as it counts Close frames: the
//!   server answers it once, sends nothing after it, and closes TCP. It may be sent only
//!   [between messages](Encoder::at_message_boundary).
//! - [`Coding::Base64`] carries bytes: each message is the base64 of a part of the stream, decoded and encoded as it
//!   passes.
//!
//! # Deviations from the draft
//! Text that is not UTF-8 is a violation; the draft would have U+FFFD in the place of each bad byte, and hand on text
//! that nobody wrote. Lengths and sizes have bounds.
//!
//! ```
//! use tidegate_proto::{Limits, hybi00::{Coding, Decoder, Encoder, Event}};
//!
//! let mut wire = Vec::new();
//! Encoder::new(Coding::Base64).encode(b"\xff\x00\x80", true, &mut wire)?;
//! assert_eq!(wire, b"\x00/wCA\xff");
//!
//! let mut decoder = Decoder::new(Coding::Base64, Limits::default());
//! let (consumed, event) = decoder.decode(&mut wire)?.expect("bytes are never left over");
//! assert_eq!(consumed, 6);
//! assert!(matches!(event, Event::Data { payload: [0xff, 0x00, 0x80], ends_message: true, .. }));
//! # Ok::<(), tidegate_proto::hybi00::Violation>(())
//! ```

mod base64;
mod decoder;
mod encoder;
pub mod handshake;
mod violation;
#[cfg(feature = "serde")]
mod written;

pub use decoder::{Decoder, Event};
pub use encoder::Encoder;
pub use violation::Violation;

/// The whole closing frame, the same in both directions.
pub const CLOSING_FRAME: [u8; 2] = [0xff, 0x00];

/// What stands between the ends of a text frame. Both directions of a connection have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Coding {
    /// The text itself.
    Text,
    /// Bytes in base64 (RFC 4648 §4): the standard alphabet, padded at the end of each message, no white space.
    Base64,
}

/// The type of a frame of text.
const TEXT: u8 = 0x00;

/// The byte that ends a frame of text, and is in no text.
const END: u8 = 0xff;

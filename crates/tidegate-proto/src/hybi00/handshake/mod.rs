//! The opening handshake of hybi-00 (draft §4.1 and §5.2), for both ends.
//!
//! It looks like an upgrade of HTTP/1.1, but for eight bytes that follow the head of the request without having been
//! announced, and sixteen that follow the head of the answer: they prove that the server has read two keys, which no
//! plain HTTP request can be made to hold, and those eight bytes.
//!
//! - **Server.** [`is_asked_for`] tells the handshakes apart, [`check`] turns a request into an [`Offer`] or a
//!   [`Refusal`]. [`Offer::answer`] gives the fields of the 101, and [`Offer::proof`] what follows them, once a [`Key3`]
//!   is complete. No eight bytes are wrong, so the head may be sent before they are there; proxies exist that hold them
//!   back until they have seen it.
//! - **Client.** A [`Request`] gives the fields to send and the eight bytes, and [`Request::verify`] holds the answer
//!   against them.
//!
//! ```
//! use tidegate_proto::{WsUri, handshake::HttpVersion, hybi00::handshake::{Key3, Request, check}};
//!
//! // The client. The bytes are constant here to be an example; they must be random.
//! let uri = WsUri::parse("ws://example.com/demo")?;
//! let request = Request::new(&[7; 92], &uri, "http://example.com")?;
//! let sent = request.fields();
//!
//! // The server.
//! let offer = check("GET", HttpVersion::Http11, "/demo", sent.as_slice())?;
//! let answer = offer.answer(false, None)?;
//! let mut key3 = Key3::default();
//! assert_eq!(key3.push(request.key3()), 8);
//! let proof = offer.proof(key3.get().expect("eight bytes were pushed"));
//!
//! // The client again.
//! request.verify(101, answer.as_slice(), proof)?;
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod client;
mod key;
mod refusal;
mod server;

pub use client::{REQUEST_RANDOM_BYTES, Request, RequestError, ResponseViolation};
pub use key::{Key3, KeyError};
pub use refusal::Refusal;
pub use server::{Offer, check, is_asked_for};

/// The reason phrase of the 101, with which the draft sets it apart. No client is known to look at it.
pub const REASON: &str = "WebSocket Protocol Handshake";

/// The value as text if it is not empty and safe to put into a header field: visible ASCII, and spaces inside.
fn printable(value: &[u8]) -> Option<&str> {
    let is_printable = |byte: &u8| (b' '..=b'~').contains(byte);
    let is_framed = value.first().is_some_and(|&byte| byte != b' ') && value.last() != Some(&b' ');
    let text = core::str::from_utf8(value).ok()?;
    (is_framed && value.iter().all(is_printable)).then_some(text)
}

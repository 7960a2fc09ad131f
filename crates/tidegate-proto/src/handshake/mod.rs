//! The opening handshake over HTTP/1.1 (RFC 6455 §4), for both ends.
//!
//! The functions here decide and nothing else: an HTTP library has read the head, and they say what the
//! head means.
//!
//! - **Server.** [`check`] turns a request into an [`Offer`], or into a [`Refusal`] that knows its status and
//!   the fields that go with it. Whoever answers later builds the 101 with [`Offer::answer`], which refuses to
//!   write what the client did not offer.
//! - **Client.** A [`Request`] gives the fields to send, and [`Request::verify`] holds the response against
//!   what was sent.
//!
//! ```
//! use tidegate_proto::handshake::{Extensions, HttpVersion, Request, ServerRules, Subprotocols, check};
//!
//! // The client. The nonce is constant here to be an example; it must be random.
//! let request = Request::new(*b"the sample nonce").with_subprotocols(Subprotocols::parse([&b"chat"[..]])?);
//! let mut sent = request.fields();
//! sent.push(("Host", "example.com".into()));
//!
//! // The server.
//! let offer = check("GET", HttpVersion::Http11, sent.as_slice(), ServerRules::default())?;
//! let chosen = offer.subprotocols().select(&Subprotocols::parse([&b"mqtt, chat"[..]])?);
//! let answer = offer.answer(chosen, &Extensions::default())?;
//!
//! // The client again.
//! let agreed = request.verify(101, answer.as_slice())?;
//! assert_eq!(agreed.subprotocol.as_ref(), chosen);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! Every parser is a single pass without backtracking, so its cost is linear in the size of the head, which
//! the HTTP library bounds. What is kept of a head is bounded here: [`SUBPROTOCOLS_MAX`], [`EXTENSIONS_MAX`],
//! [`EXTENSION_PARAMETERS_MAX`], [`HOST_BYTES_MAX`] and [`LENIENT_KEY_BYTES_MAX`].

mod client;
mod deflate;
pub mod extended;
mod extensions;
mod field;
mod headers;
mod host;
mod key;
mod refusal;
mod server;
mod subprotocol;
pub(crate) mod translated;
mod violation;

pub use client::{Agreed, Request};
pub use deflate::{
    Context, DeflateAgreement, DeflateError, DeflateParameters, DeflatePreferences, DeflateSide, WindowBits,
};
pub use extensions::{
    EXTENSION_PARAMETERS_MAX, EXTENSIONS_MAX, Extension, Extensions, ExtensionsError, PERMESSAGE_DEFLATE,
    Parameter,
};
pub use headers::{Field, Headers};
pub use host::{Authority, HOST_BYTES_MAX, HostError};
pub(crate) use key::Key;
pub use key::{AcceptKey, LENIENT_KEY_BYTES_MAX};
pub use refusal::Refusal;
pub use server::{HttpVersion, NotOffered, Offer, ServerRules, check};
pub use subprotocol::{NotAToken, SUBPROTOCOLS_MAX, Subprotocol, Subprotocols, SubprotocolsError};
pub use violation::ResponseViolation;

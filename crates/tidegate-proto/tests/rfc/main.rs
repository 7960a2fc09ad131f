//! The protocol as RFC 6455 demands it, one test for each demand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod connection;
#[cfg(feature = "deflate")]
mod deflate;
mod extended;
mod framing;
mod handshake;
mod hybi00;
mod uri;

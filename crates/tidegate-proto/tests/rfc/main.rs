//! The protocol as RFC 6455 demands it, one test for each demand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod framing;
mod handshake;

//! The protocol as RFC 6455 demands it, one test for each demand.

mod framing;
mod handshake;

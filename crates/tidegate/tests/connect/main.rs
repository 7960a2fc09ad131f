//! `tidegate connect`, the built binary, against servers of every kind over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod closing;
mod opening;
mod rig;
mod signals;
mod streams;

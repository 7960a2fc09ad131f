//! `tidegate connect`, the built binary, against servers of every kind over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod answers;
mod asleep;
mod closing;
mod documents;
mod frames;
mod opening;
mod proxies;
mod reconnect;
mod request;
mod rig;
mod secure;
mod signals;
mod streams;

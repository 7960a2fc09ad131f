//! The built binary, started as websockify is: by that name or as a subcommand, with that command line.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod rig;

mod admission;
mod background;
mod import;
mod life;
mod listening;
mod logs;
mod recording;
mod secure;
mod serving;
mod subprotocols;
mod tokens;
mod traffic;
mod usage;
mod wrapped;

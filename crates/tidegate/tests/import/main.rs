//! Configurations of what the gateway replaces: imported, checked, and served.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod language;
mod proxy;
mod run;
mod websocket;
mod wstunnel;

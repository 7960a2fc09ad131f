//! The built gateway between a client and a backend that the tests hold, byte by byte.
//!
//! Modules follow the way of a connection: opening handshake, frames, endings, pressure, stopping. A test is named
//! after the row of the requirement that it holds: `t…` for hostile input, `f…` for faults, `ends_…` for the table of
//! endings.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod rig;
mod signing;
mod timing;
mod tripwire;

mod auth;
mod balance;
mod behind_apache;
mod bodies;
mod certificates;
mod examples;
mod files;
mod forwarded;
mod handoff;
mod http;
mod listings;
mod lookup;
mod opening;
mod origins;
mod parsing;
mod places;
mod proxy_protocol;
mod subprotocols;
mod systemd;
mod unix_listener;
mod upgrade_answers;
mod upgrade_flow;
mod uploads;

mod close_frames;
mod fragments;
mod limits;
mod messages;
mod text;
mod violations;

mod ends_backend;
mod ends_client;
mod half_close;
mod keepalive;
mod secure;

mod abandoned;
mod access_lines;
mod admin;
mod bulk;
mod collisions;
mod compression;
mod drain;
mod faults;
mod floods;
mod handover;
mod hybi00;
mod memory;
mod pressure;
mod recording;
mod reload;
mod replay;
mod slow;
mod slow_ends;
mod standard;
mod tls_bytes;

//! tidegate, the WebSocket gateway, as a library: the binary is a thin door in front of it.
//!
//! The modules stand in the order in which a connection meets them; `conn` is the line that it walks.

mod admin;
mod app;
pub mod cli;
pub mod config;
mod import;
mod operator;
mod websockify;

pub mod auth;
pub mod backend;
mod conn;
mod connect;
mod forward;
mod generation;
mod handover;
mod http;
mod journal;
mod listener;
pub mod lookup;
pub mod opening;
pub mod outcome;
pub mod policy;
mod proof;
mod proxied;
mod refused;
pub mod relay;
pub mod request;
pub mod route;
mod tls;
mod worker;

mod files;
mod page;

mod access_log;
mod ask;
mod certificate;
mod clock;
mod date;
mod diagnosis;
pub mod drain;
pub mod io;
mod jwt;
pub mod live;
mod memory;
mod metrics;
mod named_file;
mod names;
mod notify;
mod path;
mod pool;
mod proxy_header;
mod queue;
pub mod recording;
pub mod replay;
mod scratch;
mod service;
mod shown;
mod swap;
mod ticker;
mod tls_socket;
pub mod via;

#[cfg(any(test, fuzzing))]
pub mod fuzzing;

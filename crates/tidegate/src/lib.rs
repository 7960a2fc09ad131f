//! tidegate, the WebSocket gateway, as a library: the binary is a thin door in front of it.
//!
//! The modules stand in the order in which a connection meets them; `conn` is the line that it walks.

mod app;
pub mod cli;
pub mod config;

mod worker;
mod listener;
mod tls;
mod http;
pub mod request;
pub mod route;
pub mod policy;
pub mod backend;
mod forward;
mod refused;
mod conn;
pub mod relay;
pub mod outcome;

mod files;
mod page;

mod service;
mod access_log;
pub mod drain;
mod scratch;
pub mod io;
mod clock;

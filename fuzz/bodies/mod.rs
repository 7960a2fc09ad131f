//! What each fuzz target does with an input. The fuzzer calls a body with inputs that it makes up, and the tests of
//! `tidegate-proto` call it with those that are kept in `corpus/`.
//!
//! A body panics where the protocol breaks a promise: that is the finding. It judges by what stands in the standards,
//! through the [`oracle`] that is written for being obviously right and nothing else.
#![allow(unreachable_pub, reason = "in the fuzzer this is a crate, in the tests a module of one")]

pub mod close_payload;
pub mod connection;
pub mod extension_list;
pub mod frame_decoder;
pub mod handshake_request;
pub mod handshake_response;
pub mod hybi00_frames;
pub mod hybi00_handshake;
pub mod inflate;
pub mod message_client;
pub mod message_server;
pub mod subprotocol_list;
pub mod uri;

mod assemble;
mod feed;
mod head;
mod input;
mod message;
mod oracle;
mod trace;

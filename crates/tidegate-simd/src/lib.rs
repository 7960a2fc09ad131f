//! XOR masking and UTF-8 validation at the machine's speed, behind a safe interface.
//!
//! Two loops of the WebSocket protocol touch every byte of every message: masking (RFC 6455 §5.3) and the check of text
//! (§8.1). They are here, apart from the protocol, because the fastest ones need instructions that a processor may not
//! have, and calling those is `unsafe`. All of it is in the module `x86`: on any other processor, and on one without
//! AVX2, the same safe loops are compiled for what every processor of the kind has (SSE2, NEON).
//!
//! The crate needs neither `std` nor `alloc`. What the processor has is asked once and remembered.
#![no_std]
#![deny(missing_docs)]

mod blocks;
mod utf8;
mod words;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod x86;
mod xor;

pub use utf8::is_utf8;
pub use xor::{xor, xor_ascii, xor_copy};

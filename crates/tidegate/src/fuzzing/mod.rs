//! What the fuzz targets of the gateway do with an input; `fuzz/gateway` calls them with inputs that it makes up, the
//! test in here with those that are kept there.
//!
//! They are part of the crate, and only where it is tested or fuzzed, because what they try is nobody else's business:
//! nothing had to be made public for them. Each panics where a promise is broken, and judges by code of its own that is
//! written for being obviously right.

pub mod access_line;
pub mod configuration;
pub mod lighttpd;
pub mod origin;
pub mod proxy_header;
pub mod relay;
pub mod request;
pub mod tokens;

mod folder;
#[cfg(test)]
mod tests;

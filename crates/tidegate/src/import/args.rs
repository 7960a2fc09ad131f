//! The flags of `tidegate import`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Subcommand;

/// What the configuration is of.
#[derive(Debug, Subcommand)]
pub(crate) enum ImportFrom {
    /// lighttpd with mod_websocket, mod_wstunnel or mod_proxy.
    Lighttpd {
        /// Main configuration file of lighttpd; included files are read as well.
        file: PathBuf,
        /// Exit with status 1 if anything has no equivalent, or the result cannot be served here as it is.
        #[arg(long)]
        strict: bool,
    },
    /// websockify, by its command line.
    Websockify {
        /// Exit with status 1 if anything has no equivalent, or the result cannot be served here as it is.
        #[arg(long)]
        strict: bool,
        /// Arguments of the websockify command line.
        #[arg(last = true, required = true, value_name = "ARG")]
        arguments: Vec<OsString>,
    },
}

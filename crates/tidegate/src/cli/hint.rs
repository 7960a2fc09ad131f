//! A flag that does not exist may be a key of the configuration.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::config;

/// The same error; where `serve` or `check` was given a flag that a file has a key for, it says how to write that.
pub(super) fn added(mut error: clap::Error, arguments: &[OsString]) -> clap::Error {
    let reads_file = arguments.get(1).is_some_and(|command| command == "serve" || command == "check");
    if !reads_file || error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return error };
    if let Some(hint) = config::in_place_of_flag(flag) {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint.into()]));
    }
    error
}

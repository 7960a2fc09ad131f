//! The command line of websockify, with the gateway behind it.
//!
//! `args` reads the options, `options` holds them against each other, `mapping` makes the gateway's configuration of
//! them, and `life` decides when it ends.

mod address;
mod args;
mod life;
mod mapping;
mod options;

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::error::ErrorKind;
use tracing_subscriber::filter::LevelFilter;

pub(crate) use self::args::Args;
use self::life::Life;
use self::mapping::Unserved;
use self::options::Options;
use crate::diagnosis;

/// Whether a program of this name is to behave like websockify.
pub(crate) fn is_named(program: &OsStr) -> bool {
    Path::new(program).file_stem() == Some(OsStr::new(args::PROGRAM))
}

/// Runs a command line. `separated`: it has a `--`, so that what stands behind the address to listen on is a command.
///
/// Exit status: 2 for wrong usage, 1 for what keeps it from starting, the status of a wrapped command that ended it,
/// otherwise 0.
pub(crate) fn run(args: Args, separated: bool) -> ExitCode {
    let options = Options::new(args, separated).unwrap_or_else(|problem| wrong_usage(&problem));
    match serve(&options) {
        Ok(status) => status,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(options: &Options) -> anyhow::Result<ExitCode> {
    let config = match mapping::config(options, None) {
        Err(wrong @ Unserved::NoCertificate(_)) => wrong_usage(&wrong.to_string()),
        other => other,
    };
    start_diagnosis(&options.args)?;
    let config = config?;
    let control = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    control.block_on(Life::new(&options.args).serve(config))
}

fn start_diagnosis(args: &Args) -> anyhow::Result<()> {
    let mut sinks = Vec::new();
    if let Some(path) = &args.log_file {
        let sink = diagnosis::file(path).with_context(|| format!("cannot log to {}", path.display()))?;
        sinks.push(sink);
    }
    let level = if args.verbose { LevelFilter::DEBUG } else { LevelFilter::INFO };
    diagnosis::start(level, sinks);
    Ok(())
}

fn wrong_usage(problem: &str) -> ! {
    args::command().error(ErrorKind::ValueValidation, problem).exit()
}

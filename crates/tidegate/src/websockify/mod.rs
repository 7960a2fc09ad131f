//! The command line of websockify, with the gateway behind it.
//!
//! `args` reads the options, `options` holds them against each other, `mapping` and `plugins` make the gateway's
//! configuration of them (`import` a file of it), and `life` decides when it ends. `daemon`, `wrap` and `syslog` are
//! what the gateway does not do otherwise.

mod address;
mod args;
mod daemon;
mod import;
mod life;
mod mapping;
mod options;
mod plugins;
mod syslog;
mod wrap;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::error::ErrorKind;
use tracing_subscriber::filter::LevelFilter;

pub(crate) use self::args::Args;
use self::life::Life;
use self::mapping::Unserved;
use self::options::{Options, Target};
use self::syslog::Form;
use self::wrap::Wrapped;
use crate::config::{Config, Listener, ListenerTls};
use crate::diagnosis::{self, Sink};
use crate::import::Outcome;

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

/// Turns a command line into a configuration file. `arguments` stand behind the program's name.
///
/// # Errors
/// What keeps it from being served at all.
pub(crate) fn import(arguments: &[OsString]) -> anyhow::Result<Outcome> {
    let args = Args::read(arguments).unwrap_or_else(|error| error.exit());
    let separated = arguments.iter().any(|argument| argument == "--");
    let options = Options::new(args, separated).unwrap_or_else(|problem| wrong_usage(&problem));
    Ok(import::import(&options)?)
}

fn serve(options: &Options) -> anyhow::Result<ExitCode> {
    let args = &options.args;
    if args.daemon && !daemon::is_background() {
        return daemon::launch(args.inetd); // what is wrong with the rest is found there, and told here
    }
    let wrapped = match &options.target {
        Target::Command(words) => Some(Wrapped::new(words, args.wrap_mode).context("no port is free")?),
        Target::Tcp(_) | Target::Unix(_) | Target::Lookup(_) => None,
    };
    let config = match mapping::config(options, wrapped.as_ref().map(Wrapped::port)) {
        Err(wrong @ Unserved::NoCertificate(_)) => wrong_usage(&wrong.to_string()),
        other => other,
    };
    start_diagnosis(args)?;
    let config = config?;
    if let Some(folder) = args.web.as_ref().filter(|folder| !folder.is_dir()) {
        bail!("--web: there is no folder {}", folder.display());
    }
    warn(args, &config);
    if args.daemon {
        daemon::leave_session().context("cannot leave the terminal")?;
    }
    let control = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    control.block_on(Life::new(args, wrapped).serve(config))
}

/// What was asked for and does not happen, but is no reason not to serve.
fn warn(args: &Args, config: &Config) {
    let is_auto = |listener: &Listener| matches!(listener.tls, ListenerTls::Auto(_));
    let warnings = [
        (
            args.key_password.is_some(),
            "--key-password can be read by every user of this machine, in the list of processes; \
             a tidegate.toml names a file with it",
        ),
        (args.libserver, "--libserver has no meaning here"),
        (args.ssl_ciphers.is_some(), "--ssl-ciphers is not used: every suite that is offered is strong"),
        (
            args.verify_client && config.listeners.iter().any(is_auto),
            "--verify-client does not concern connections without TLS; add --ssl-only to refuse them",
        ),
    ];
    for (_, warning) in warnings.iter().filter(|(given, _)| *given) {
        tracing::warn!("{warning}");
    }
    if args.cert != Path::new(args::CERT_DEFAULT) && !args.cert.exists() {
        tracing::warn!("--cert: there is no file {}, and so there is no TLS", args.cert.display());
    }
}

/// Standard error, and the two more places that the command line may name.
fn start_diagnosis(args: &Args) -> anyhow::Result<()> {
    let level = if args.verbose { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let sinks = sinks(args);
    let (sinks, problem) = match sinks {
        Ok(sinks) => (sinks, Ok(())),
        Err(problem) => (Vec::new(), Err(problem)), // which has to be told somewhere
    };
    diagnosis::start(level, sinks).unwrap_or_else(|error| wrong_usage(&error.to_string()));
    problem
}

fn sinks(args: &Args) -> anyhow::Result<Vec<Sink>> {
    let mut sinks = Vec::new();
    if let Some(path) = &args.log_file {
        sinks.push(diagnosis::file(path).with_context(|| format!("cannot log to {}", path.display()))?);
    }
    if let Some(server) = &args.syslog {
        let form = Form { legacy: args.legacy_syslog, daemon: args.daemon };
        sinks.push(syslog::sink(server, form).with_context(|| format!("cannot log to syslog at {server}"))?);
    }
    Ok(sinks)
}

fn wrong_usage(problem: &str) -> ! {
    args::command().error(ErrorKind::ValueValidation, problem).exit()
}

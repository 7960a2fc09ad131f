//! The command line.

mod args;
mod help;
mod hint;
mod manual;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail, ensure};
use clap::{CommandFactory as _, Parser as _};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::LevelFilter;

pub use self::args::Cli;
use self::args::{CheckArgs, Command, ServeArgs};
use crate::app::{self, Launch, Predecessor, Source};
use crate::config::{self, Checked, Config, Diagnostic, Location, Overrides, Severity};
use crate::connect;
use crate::import::{self, ImportFrom};
use crate::replay::{Replay, ReplayArgs, Script};
use crate::{diagnosis, websockify};
use crate::{operator, recording};

/// Runs the command line of this process. Exit status: 0 after a drain, 1 for a failure, 2 for wrong usage.
pub fn run() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let separated = arguments.iter().any(|argument| argument == "--");
    if arguments.first().is_some_and(|program| websockify::is_named(program)) {
        let args = websockify::Args::read(&arguments[1..]).unwrap_or_else(|error| error.exit());
        return websockify::run(args, separated);
    }
    let (arguments, takes_over) = without_switch(arguments);
    let cli = Cli::try_parse_from(&arguments).unwrap_or_else(|error| hint::added(error, &arguments).exit());
    if cli.command.logs()
        && let Err(error) = diagnosis::start(LevelFilter::INFO, Vec::new())
    {
        return fail(&error.into(), USAGE);
    }
    let result = match cli.command {
        Command::Serve(args) => serve(args, takes_over),
        Command::Reload(args) => operator::reload(&args),
        Command::Upgrade(args) => operator::upgrade(&args),
        Command::Check(args) => check(&args),
        Command::Connect(args) => connect::run(*args),
        Command::Import { from } => import(&from),
        Command::Status(args) => operator::status(&args),
        Command::Drain(args) => operator::drain(&args),
        Command::Close(args) => operator::close(&args),
        Command::Replay(args) => replay(&args),
        Command::Websockify(args) => Ok(websockify::run(*args, separated)),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "tidegate", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Man(args) => manual::print(&args),
    };
    result.unwrap_or_else(|error| fail(&error, FAILURE))
}

/// Why a command has failed. It is no line of the log, which may be off: a process that does not start says why.
fn fail(error: &anyhow::Error, status: u8) -> ExitCode {
    // With nowhere to write, the status has to do.
    writeln!(std::io::stderr(), "error: {error:#}").ok();
    ExitCode::from(status)
}

/// The command line as people write it, and whether a gateway has started this one to take its place. That is between the
/// two of them: no help, manual page or completion offers it.
fn without_switch(arguments: Vec<OsString>) -> (Vec<OsString>, bool) {
    let is_serve = arguments.get(1).is_some_and(|command| command == "serve");
    let (switches, others): (Vec<_>, Vec<_>) =
        arguments.into_iter().partition(|argument| is_serve && argument == app::SWITCH);
    (others, !switches.is_empty())
}

fn serve(args: ServeArgs, takes_over: bool) -> anyhow::Result<ExitCode> {
    args.file.mention_unread()?;
    let predecessor = takes_over.then(Predecessor::at_standard_input).transpose()?;
    let source: Source = Arc::new(move || load(&args));
    let launch = launch()?;
    if let Some(predecessor) = predecessor {
        return take_over(predecessor, source, launch);
    }
    let config = match report(source()?)? {
        Ok(config) => config,
        Err(status) => return Ok(status),
    };
    run_until(config, source, Some(launch), CancellationToken::new())
}

/// How this process was started, for the one that is to take its place.
fn launch() -> anyhow::Result<Launch> {
    let binary = std::env::current_exe().context("cannot find out which file this program is")?;
    let arguments = std::env::args_os().skip(1).filter(|argument| argument != app::SWITCH).collect();
    Ok(Launch { binary, arguments })
}

/// Takes the place of the process that has started this one, and then serves as any other.
fn take_over(predecessor: Predecessor, source: Source, launch: Launch) -> anyhow::Result<ExitCode> {
    let config = source().map_err(|error| format!("{error:#}")).and_then(|checked| {
        let said: Vec<_> = checked.diagnostics.iter().map(ToString::to_string).collect();
        checked.config.ok_or_else(|| format!("the configuration has errors:\n{}", said.join("\n")))
    });
    control()?.block_on(app::take_over(predecessor, config, source, launch))?;
    Ok(ExitCode::SUCCESS)
}

/// Serves until a signal, or until this is told, and the drain after it.
fn run_until(
    config: Config,
    source: Source,
    launch: Option<Launch>,
    stop: CancellationToken,
) -> anyhow::Result<ExitCode> {
    control()?.block_on(app::serve(config, source, launch, stop))?;
    Ok(ExitCode::SUCCESS)
}

/// The runtime of the thread that has no connections.
fn control() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn replay(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let format = args.format.known();
    let file = args.file.display();
    let recording = recording::read(&args.file, format).map_err(|error| anyhow!("{file}{error}"))?;
    if recording.is_cut {
        tracing::warn!("{file} has no end: it is played as far as it goes");
    }
    if recording.others > 0 {
        tracing::warn!("{file} has {} more WebSockets; the first is played", recording.others);
    }
    tracing::info!(messages = recording.messages.len(), "replaying {file}");
    let (played, stop) = (CancellationToken::new(), CancellationToken::new());
    let script = Script::new(recording.messages, args.pace(), args.follow_client, played.clone());
    let overrides = Overrides { listen: vec![args.listen.clone()], ..Overrides::default() };
    let (replay, origins) = (Replay::new(script), args.origin.clone());
    let source: Source = Arc::new(move || Ok(config::replaying(replay.clone(), &overrides, &origins)));
    match report(source()?)? {
        Ok(config) => run_until(config, source, None, if args.once { played } else { stop }),
        Err(status) => Ok(status),
    }
}

fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    args.file.mention_unread()?;
    let checked = match args.file.path() {
        Some(file) => config::parse(&read(file)?, file, &Overrides::default()),
        None => Checked { config: Some(config::embedded()), diagnostics: Vec::new() },
    };
    let warnings = checked.diagnostics.len(); // where there is an error, they do not matter
    let config = match report(checked)? {
        Ok(config) => config,
        Err(status) => return Ok(status),
    };
    write!(std::io::stdout(), "{}", config::table(&config))?;
    let noun = if warnings == 1 { "warning" } else { "warnings" };
    ensure!(!args.deny_warnings || warnings == 0, "{warnings} {noun}, and --deny-warnings");
    Ok(ExitCode::SUCCESS)
}

fn import(from: &ImportFrom) -> anyhow::Result<ExitCode> {
    let (outcome, strict) = match from {
        ImportFrom::Lighttpd { file, strict } => {
            (import::lighttpd(file).map_err(anyhow::Error::msg)?, strict)
        }
        ImportFrom::Websockify { arguments, strict } => (websockify::import(arguments)?, strict),
    };
    write!(std::io::stdout(), "{}", outcome.text)?;
    write!(std::io::stderr(), "{}", outcome.report)?;
    Ok(if *strict && !outcome.is_complete { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn load(args: &ServeArgs) -> anyhow::Result<Checked> {
    let overrides = Overrides {
        listen: args.listen.clone(),
        routes: args.route.clone(),
        tls_cert: args.tls_cert.clone(),
        tls_key: args.tls_key.clone(),
        workers: args.workers,
        admin: args.admin.clone(),
    };
    Ok(match args.file.path() {
        Some(file) => config::parse(&read(file)?, file, &overrides),
        None => config::from_routes(&overrides),
    })
}

fn read(file: &Path) -> anyhow::Result<String> {
    if file.to_string_lossy().contains("://") {
        bail!(
            "{} is no file; to serve it write --route '/=URL', to connect to it tidegate connect",
            file.display()
        );
    }
    config::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Prints what was found, one line each; the configuration, or with which status to end if it cannot be served.
fn report(checked: Checked) -> anyhow::Result<Result<Config, ExitCode>> {
    let mut stderr = std::io::stderr().lock();
    for diagnostic in &checked.diagnostics {
        writeln!(stderr, "{diagnostic}")?;
    }
    let is_usage =
        |found: &Diagnostic| found.severity == Severity::Error && matches!(found.location, Location::Flag(_));
    let is_usage = checked.diagnostics.iter().any(is_usage);
    Ok(checked.config.ok_or(ExitCode::from(if is_usage { USAGE } else { FAILURE })))
}

const FAILURE: u8 = 1;
/// As for flags that do not exist.
const USAGE: u8 = 2;

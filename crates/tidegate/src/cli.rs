//! The command line.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::LevelFilter;

use crate::app::{self, Source};
use crate::config::{self, Checked, Config, Diagnostic, Location, Overrides, Severity};
use crate::connect::{self, ConnectArgs};
use crate::import::{self, ImportFrom};
use crate::operator::{self, CloseArgs, DrainArgs, StatusArgs};
use crate::recording;
use crate::replay::{Replay, ReplayArgs, Script};
use crate::{diagnosis, websockify};

/// The WebSocket gateway: any TCP or WebSocket service behind ws:// and wss://.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, about, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  tidegate serve                                        try it: a page and an echo on http://127.0.0.1:8080
  tidegate serve --route '/vnc=tcp://127.0.0.1:5900'    a TCP service behind ws://127.0.0.1:8080/vnc
  tidegate serve -c tidegate.toml                       everything a file says
  tidegate check -c tidegate.toml                       what the file says, or every mistake in it
  tidegate connect tcp://127.0.0.1:5900 wss://gw/vnc    the other end: a local port that leads through a gateway
  tidegate import lighttpd lighttpd.conf                a tidegate.toml from what lighttpd was told
  tidegate import websockify -- 6080 localhost:5900     the same, from a command line of websockify
  tidegate status --admin 127.0.0.1:9090                how a running gateway is
  tidegate replay session.har --fast                    a recording, played to each client";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway. With no options: the built-in page, echo and status on 127.0.0.1:8080.
    Serve(ServeArgs),
    /// Tell a running gateway to read its configuration again. Nothing changes where that has errors.
    Reload(operator::ReloadArgs),
    /// Check a configuration: print its route table, or every error with line and column.
    Check(CheckArgs),
    /// Make local connections (TCP, Unix socket, standard input) WebSockets to somewhere else.
    Connect(Box<ConnectArgs>),
    /// Turn the configuration of what the gateway replaces into a tidegate.toml, with a report on stderr.
    Import {
        #[command(subcommand)]
        from: ImportFrom,
    },
    /// Print how a running gateway is: a summary, its routes, its busiest connections.
    Status(StatusArgs),
    /// Close WebSockets of a running gateway, spread over a time. It goes on to serve.
    Drain(DrainArgs),
    /// Close one WebSocket of a running gateway.
    Close(CloseArgs),
    /// Play the backend's side of a recording to each WebSocket client.
    Replay(ReplayArgs),
    /// Take the command line of websockify. Started by that name, tidegate does so at once.
    Websockify(Box<websockify::Args>),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff).
    Man,
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// Configuration file (TOML).
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address to listen on, such as 0.0.0.0:8080; may be repeated. Takes the place of the file's listeners.
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
    /// A route, such as '/vnc=tcp://127.0.0.1:5900' or '/*=file:./public'; may be repeated. Comes before the file's.
    #[arg(long, value_name = "PATH=BACKEND")]
    route: Vec<String>,
    /// Certificate chain (PEM) for wss:// and https://.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Worker threads; 0 is one per core.
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Address of the admin listener.
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Configuration file (TOML). Without it, the built-in default is shown.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs the command line of this process. Exit status: 0 after a drain, 1 for a failure, 2 for wrong usage.
pub fn run() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let separated = arguments.iter().any(|argument| argument == "--");
    if arguments.first().is_some_and(|program| websockify::is_named(program)) {
        let args = websockify::Args::read(&arguments[1..]).unwrap_or_else(|error| error.exit());
        return websockify::run(args, separated);
    }
    let cli = Cli::parse();
    if !matches!(cli.command, Command::Websockify(_)) {
        diagnosis::start(LevelFilter::INFO, Vec::new()); // that one says by itself where its diagnosis goes
    }
    let result = match cli.command {
        Command::Serve(args) => serve(args),
        Command::Reload(args) => operator::reload(&args),
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
        Command::Man => man(),
    };
    result.unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        ExitCode::FAILURE
    })
}

fn serve(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let source: Source = Arc::new(move || load(&args));
    let config = match report(source()?)? {
        Ok(config) => config,
        Err(status) => return Ok(status),
    };
    run_until(config, source, CancellationToken::new())
}

/// Serves until a signal, or until this is told, and the drain after it.
fn run_until(config: Config, source: Source, stop: CancellationToken) -> anyhow::Result<ExitCode> {
    let control = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    control.block_on(app::serve(config, source, stop))?;
    Ok(ExitCode::SUCCESS)
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
        Ok(config) => run_until(config, source, if args.once { played } else { stop }),
        Err(status) => Ok(status),
    }
}

fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let checked = match &args.config {
        Some(file) => config::parse(&read(file)?, file, &Overrides::default()),
        None => Checked { config: Some(config::embedded()), diagnostics: Vec::new() },
    };
    let config = match report(checked)? {
        Ok(config) => config,
        Err(status) => return Ok(status),
    };
    write!(std::io::stdout(), "{}", config::table(&config))?;
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

fn man() -> anyhow::Result<ExitCode> {
    clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?;
    Ok(ExitCode::SUCCESS)
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
    Ok(match &args.config {
        Some(file) => config::parse(&read(file)?, file, &overrides),
        None => config::from_routes(&overrides),
    })
}

fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
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
    Ok(checked.config.ok_or(if is_usage { ExitCode::from(USAGE) } else { ExitCode::FAILURE }))
}

/// As for flags that do not exist.
const USAGE: u8 = 2;

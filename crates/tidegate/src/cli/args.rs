//! Commands and flags.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use super::help;
use crate::connect::ConnectArgs;
use crate::import::ImportFrom;
use crate::operator::{CloseArgs, DrainArgs, GatewayArgs, StatusArgs, UpgradeArgs};
use crate::replay::ReplayArgs;
use crate::websockify;

/// The WebSocket gateway: any TCP or WebSocket service behind ws:// and wss://.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, about, after_help = help::TIDEGATE)]
pub struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the gateway. Without options: a built-in page, an echo and a status page on 127.0.0.1:8080.
    #[command(after_help = help::SERVE)]
    Serve(ServeArgs),
    /// Tell a running gateway to read its configuration again. If that has errors, nothing changes.
    #[command(after_help = help::RELOAD)]
    Reload(GatewayArgs),
    /// Have a running gateway hand over to a new process: its listeners, and its WebSockets as they are.
    #[command(after_help = help::UPGRADE)]
    Upgrade(UpgradeArgs),
    /// Check a configuration: print its route table, or every error with line and column.
    #[command(after_help = help::CHECK)]
    Check(CheckArgs),
    /// Forward local connections (TCP, Unix socket, standard input) to a WebSocket server.
    #[command(after_help = help::CONNECT)]
    Connect(Box<ConnectArgs>),
    /// Convert the configuration of another program into a tidegate.toml; a report goes to standard error.
    #[command(after_help = help::IMPORT)]
    Import {
        #[command(subcommand)]
        from: ImportFrom,
    },
    /// Show the state of a running gateway: a summary, its routes and its busiest connections.
    #[command(after_help = help::STATUS)]
    Status(StatusArgs),
    /// Close WebSockets of a running gateway, spread over time. New ones are still accepted.
    #[command(after_help = help::DRAIN)]
    Drain(DrainArgs),
    /// Close one WebSocket of a running gateway.
    #[command(after_help = help::CLOSE)]
    Close(CloseArgs),
    /// Play the backend's side of a recording to each WebSocket client.
    #[command(after_help = help::REPLAY)]
    Replay(ReplayArgs),
    /// Run with the command line of websockify. A tidegate that is started under that name does so by itself.
    Websockify(Box<websockify::Args>),
    /// Print a completion script for a shell.
    Completions {
        /// Shell to complete for.
        shell: clap_complete::Shell,
    },
    /// Print a manual page (roff), or write all of them into a directory.
    #[command(after_help = help::MAN)]
    Man(ManArgs),
}

impl Command {
    /// Whether it runs on and keeps a log on standard error. The others say what they have to say and end;
    /// `websockify` decides by itself where its log goes.
    pub(super) const fn logs(&self) -> bool {
        match self {
            Self::Serve(_) | Self::Connect(_) | Self::Replay(_) => true,
            Self::Reload(_) | Self::Check(_) | Self::Import { .. } | Self::Status(_) | Self::Drain(_) => {
                false
            }
            Self::Upgrade(_)
            | Self::Close(_)
            | Self::Websockify(_)
            | Self::Completions { .. }
            | Self::Man(_) => false,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    pub(super) file: FileArgs,
    /// Address to listen on, such as 0.0.0.0:8080; may be repeated. Replaces the listeners of the file.
    #[arg(long, value_name = "ADDR")]
    pub(super) listen: Vec<String>,
    /// A route, such as '/vnc=tcp://127.0.0.1:5900' or '/*=file:./public'; may be repeated. Goes before the routes of
    /// the file.
    #[arg(long, value_name = "PATH=BACKEND")]
    pub(super) route: Vec<String>,
    /// Certificate chain (PEM) for wss:// and https://.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,
    /// Number of worker threads; 0 means one per core.
    #[arg(long, value_name = "N")]
    pub(super) workers: Option<usize>,
    /// Address of the admin listener, such as 127.0.0.1:9090.
    #[arg(long, value_name = "ADDR")]
    pub(super) admin: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub(super) file: FileArgs,
    /// Exit with status 1 if there are warnings.
    #[arg(long)]
    pub(super) deny_warnings: bool,
}

/// The configuration file, with its flag or without.
#[derive(Debug, Args)]
pub(super) struct FileArgs {
    /// Configuration file (TOML). Without one, the built-in default is used.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The same, without -c.
    #[arg(value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
}

impl FileArgs {
    pub(super) fn path(&self) -> Option<&Path> {
        self.config.as_deref().or(self.file.as_deref())
    }

    /// Whoever stands beside a file of the usual name probably means it; but what is served is never a matter of where
    /// the command was started.
    pub(super) fn mention_unread(&self) -> io::Result<()> {
        if self.path().is_none() && Path::new(USUAL_NAME).is_file() {
            writeln!(
                io::stderr(),
                "warning: there is a {USUAL_NAME} here, which is not read; name it: -c {USUAL_NAME}"
            )?;
        }
        Ok(())
    }
}

const USUAL_NAME: &str = "tidegate.toml";

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Command to print the page of, such as `serve` or `import lighttpd`, or tidegate.toml for that of the configuration;
    /// without one, the page of tidegate itself.
    #[arg(value_name = "COMMAND", num_args = 0..)]
    pub(super) command: Vec<String>,
    /// Write all pages into this directory instead, as tidegate.1, tidegate-serve.1 and so on. That of the configuration is
    /// tidegate.toml.5; beside a directory called man1 it goes into man5.
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(super) dir: Option<PathBuf>,
}

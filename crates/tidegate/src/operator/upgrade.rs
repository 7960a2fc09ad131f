//! `tidegate upgrade`: has a running gateway hand over to a new process.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use http::Method;
use rustix::process::Signal;

use super::args::{PlaceArgs, TlsArgs};
use super::client::Client;
use super::{process, shown, with_query};

/// The longest that a hand-over may take: what is waited for is bounded on the other side, step by step.
const PATIENCE: Duration = Duration::from_secs(120);

/// Which gateway, and what is to take its place.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["pid", "pid_file", "admin", "config"])))]
pub(crate) struct UpgradeArgs {
    /// Process id of the gateway; it is sent SIGUSR2.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pid: Option<i32>,
    /// File that holds the process id, such as a service manager writes.
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Address of the gateway's admin listener, such as 127.0.0.1:9090, unix:/run/tidegate-admin.sock or
    /// https://gateway.example.com:9090. The outcome is printed here.
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
    /// File that holds the token of the admin listener.
    #[arg(long, value_name = "FILE", requires = "admin")]
    admin_token_file: Option<PathBuf>,
    /// The gateway's configuration file, to read the admin address and token from.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The new binary. Without it, the one that the gateway was started from, as it is there now.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["pid", "pid_file"])]
    binary: Option<PathBuf>,
    #[command(flatten)]
    tls: TlsArgs,
}

/// Asks the admin listener and says what came of it, or sends SIGUSR2: then the gateway tells on its standard error.
///
/// # Errors
/// There is no such gateway, or the new process did not take over; then all goes on in the old one.
pub(crate) fn upgrade(args: &UpgradeArgs) -> anyhow::Result<ExitCode> {
    if args.pid.is_some() || args.pid_file.is_some() {
        process::tell(args.pid, args.pid_file.as_ref(), Signal::USR2, "SIGUSR2")?;
        return Ok(ExitCode::SUCCESS);
    }
    let place = PlaceArgs {
        admin: args.admin.clone(),
        admin_token_file: args.admin_token_file.clone(),
        config: args.config.clone(),
        tls: args.tls.clone(),
    };
    let mut query = Vec::new();
    if let Some(binary) = &args.binary {
        let binary = std::path::absolute(binary).context("the path of the new binary")?;
        let binary = binary.to_str().context("the path of the new binary is not UTF-8")?;
        query.push(("binary", binary.to_owned()));
    }
    let client = Client::new(&place)?.patient(PATIENCE);
    let answer = client.ask(&Method::POST, &with_query("/upgrade", &query))?;
    let report = answer["report"].as_str().context("the gateway does not say what came of it")?;
    writeln!(std::io::stdout(), "{}", shown(report))?;
    Ok(ExitCode::SUCCESS)
}

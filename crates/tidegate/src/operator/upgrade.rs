//! `tidegate upgrade`: has a running gateway hand over to a new process.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use http::Method;
use rustix::process::Signal;

use super::args::{GatewayArgs, PlaceArgs, Recipient};
use super::client::Client;
use super::{process, shown, with_query};

/// The longest that a hand-over may take: what is waited for is bounded on the other side, step by step.
const PATIENCE: Duration = Duration::from_secs(120);

/// Which gateway, and what is to take its place.
#[derive(Debug, clap::Args)]
pub(crate) struct UpgradeArgs {
    #[command(flatten)]
    gateway: GatewayArgs,
    /// The new binary. Without it, the one that the gateway was started from, as it is there now.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["pid", "pid_file"])]
    binary: Option<PathBuf>,
}

/// Asks the admin listener and says what came of it, or sends SIGUSR2: then the gateway tells on its standard error.
///
/// # Errors
/// There is no such gateway, or the new process did not take over; then all goes on in the old one.
pub(crate) fn upgrade(args: &UpgradeArgs) -> anyhow::Result<ExitCode> {
    let hand_over = |pid| process::tell(pid, Signal::USR2, "SIGUSR2");
    match args.gateway.recipient() {
        Recipient::Process(pid) => hand_over(pid)?,
        Recipient::PidFile(file) => hand_over(process::read(file)?)?,
        Recipient::Place(place) => ask(&place, args.binary.as_ref())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn ask(place: &PlaceArgs, binary: Option<&PathBuf>) -> anyhow::Result<()> {
    let mut query = Vec::new();
    if let Some(binary) = binary {
        let binary = std::path::absolute(binary).context("the path of the new binary")?;
        let binary = binary.to_str().context("the path of the new binary is not UTF-8")?;
        query.push(("binary", binary.to_owned()));
    }
    let client = Client::new(place)?.patient(PATIENCE);
    let answer = client.ask(&Method::POST, &with_query("/upgrade", &query))?;
    let report = answer["report"].as_str().context("the gateway does not say what came of it")?;
    writeln!(std::io::stdout(), "{}", shown(report))?;
    Ok(())
}

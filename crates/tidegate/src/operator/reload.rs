//! `tidegate reload`: tells a running gateway to read its configuration again.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use http::Method;
use rustix::process::Signal;
use serde_json::Value;

use super::args::{GatewayArgs, Recipient};
use super::client::Client;
use super::{process, shown};

/// Asks the admin listener and says what came of it, or sends SIGHUP: then the gateway tells on its standard error.
///
/// # Errors
/// There is no such gateway, or it is none that the signal would reload, or it refuses.
pub(crate) fn reload(args: &GatewayArgs) -> anyhow::Result<ExitCode> {
    let hang_up = |pid| process::tell(pid, Signal::HUP, "SIGHUP");
    match args.recipient() {
        Recipient::Process(pid) => hang_up(pid)?,
        Recipient::PidFile(file) => hang_up(process::read(file)?)?,
        Recipient::Place(place) => {
            let answer = Client::new(&place)?.ask(&Method::POST, "/reload")?;
            let report = answer["report"].as_str().context("the gateway does not say what came of it")?;
            for warning in answer["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                writeln!(std::io::stderr(), "{}", shown(warning))?;
            }
            writeln!(std::io::stdout(), "{}", shown(report))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

//! `tidegate reload`: tells a running gateway to read its configuration again.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use http::Method;
use rustix::process::Signal;
use serde_json::Value;

use super::args::{PlaceArgs, TlsArgs};
use super::client::Client;
use super::{process, shown};

/// Which gateway.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["pid", "pid_file", "admin", "config"])))]
pub(crate) struct ReloadArgs {
    /// Process id of the gateway; it is sent SIGHUP.
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
    #[command(flatten)]
    tls: TlsArgs,
}

/// Asks the admin listener and says what came of it, or sends SIGHUP: then the gateway tells on its standard error.
///
/// # Errors
/// There is no such gateway, or it is none that the signal would reload, or it refuses.
pub(crate) fn reload(args: &ReloadArgs) -> anyhow::Result<ExitCode> {
    if args.pid.is_none() && args.pid_file.is_none() {
        let place = PlaceArgs {
            admin: args.admin.clone(),
            admin_token_file: args.admin_token_file.clone(),
            config: args.config.clone(),
            tls: args.tls.clone(),
        };
        let answer = Client::new(&place)?.ask(&Method::POST, "/reload")?;
        let report = answer["report"].as_str().context("the gateway does not say what came of it")?;
        for warning in answer["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            writeln!(std::io::stderr(), "{}", shown(warning))?;
        }
        writeln!(std::io::stdout(), "{}", shown(report))?;
    } else {
        process::tell(args.pid, args.pid_file.as_ref(), Signal::HUP, "SIGHUP")?;
    }
    Ok(ExitCode::SUCCESS)
}

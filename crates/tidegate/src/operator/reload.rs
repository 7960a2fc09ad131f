//! `tidegate reload`: tells a running gateway to read its configuration again.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use http::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::args::{PlaceArgs, TlsArgs};
use super::client::Client;
use super::shown;
use crate::websockify;

/// Bytes of a file with the number of a process in it.
const PID_FILE_BYTES_MAX: u64 = 64;

/// The commands that reload on SIGHUP.
const SERVING: [&str; 2] = ["serve", "websockify"];

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
        signal(args)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn signal(args: &ReloadArgs) -> anyhow::Result<()> {
    let number = match (&args.pid, &args.pid_file) {
        (Some(pid), _) => *pid,
        (None, Some(file)) => read(file)?,
        (None, None) => bail!("name a process: --pid N or --pid-file FILE"),
    };
    let pid = Pid::from_raw(number).filter(|_| number > 0).context("no process has a number below 1")?;
    ensure_gateway(number)?;
    ensure!(
        catches_hangup(number)?,
        "process {number} does not listen to SIGHUP, which would end it: it is no gateway that can be reloaded"
    );
    kill_process(pid, Signal::HUP).with_context(|| format!("cannot tell process {number}"))
}

fn read(file: &PathBuf) -> anyhow::Result<i32> {
    let name = file.display();
    let size = fs::metadata(file).with_context(|| format!("cannot read {name}"))?.len();
    ensure!(size <= PID_FILE_BYTES_MAX, "{name} has {size} bytes, and not just the number of a process");
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
    let number = text.trim().parse();
    number.with_context(|| format!("{name} has {:?} in it, and not the number of a process", text.trim()))
}

/// That a process is a gateway which reloads when it is told so: this program, serving. The signal ends other programs,
/// and other commands of this one.
fn ensure_gateway(pid: i32) -> anyhow::Result<()> {
    let comm = fs::read_to_string(format!("/proc/{pid}/comm"));
    let comm = comm.with_context(|| format!("there is no process {pid}"))?;
    let program = program(Path::new(&format!("/proc/{pid}"))).unwrap_or_else(|| comm.trim_end().to_owned());
    let ours = program_of_ours();
    ensure!(
        ours.contains(&program),
        "process {pid} is {program:?}, and not a gateway; it was not told anything"
    );
    let line = fs::read(format!("/proc/{pid}/cmdline"))
        .with_context(|| format!("cannot see what process {pid} does"))?;
    let mut arguments = line.split(|byte| *byte == 0).map(OsStr::from_bytes);
    let called = arguments.next().unwrap_or_default();
    let command = arguments.next().unwrap_or_default();
    let serves = websockify::is_named(called) || SERVING.iter().any(|known| *known == command);
    ensure!(
        serves,
        "process {pid} is {program:?} with the command {command:?}, which does not reload; it was not told anything"
    );
    Ok(())
}

/// The names that a process of this program may have.
fn program_of_ours() -> [String; 2] {
    let own = program(Path::new("/proc/self")).unwrap_or_default();
    [own, env!("CARGO_PKG_NAME").to_owned()]
}

/// The name of the file that a process runs, where it may be seen. An update may have taken its place since.
fn program(process: &Path) -> Option<String> {
    let file = fs::read_link(process.join("exe")).ok()?;
    let name = file.file_name()?.to_string_lossy().into_owned();
    Some(name.strip_suffix(" (deleted)").map_or(name.clone(), ToOwned::to_owned))
}

/// Whether a process has a handler for SIGHUP, as the system tells. A file with the number of a process that has ended
/// may name an innocent one by now.
fn catches_hangup(pid: i32) -> anyhow::Result<bool> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("there is no process {pid}"))?;
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    Ok(caught.context("the system does not tell which signals it listens to")? & 1 == 1)
}

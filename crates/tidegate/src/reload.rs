//! `tidegate reload`: tells a running gateway to read its configuration again.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// Bytes of a file with the number of a process in it.
const PID_FILE_BYTES_MAX: u64 = 64;

/// Which gateway.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Args {
    /// The number of its process.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pid: Option<i32>,
    /// A file with that number in it, such as a service manager writes.
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
}

/// Sends SIGHUP. What comes of it is told by the gateway, on its standard error.
///
/// # Errors
/// There is no such process, or it is none that the signal would reload.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let number = match (&args.pid, &args.pid_file) {
        (Some(pid), _) => *pid,
        (None, Some(file)) => read(file)?,
        (None, None) => bail!("name a process: --pid N or --pid-file FILE"),
    };
    let pid = Pid::from_raw(number).filter(|_| number > 0).context("no process has a number below 1")?;
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

/// Whether a process has a handler for SIGHUP, as the system tells. A file with the number of a process that has ended
/// may name an innocent one by now.
fn catches_hangup(pid: i32) -> anyhow::Result<bool> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("there is no process {pid}"))?;
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    Ok(caught.context("the system does not tell which signals it listens to")? & 1 == 1)
}

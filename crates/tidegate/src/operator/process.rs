//! A gateway that is known by the number of its process, and told by a signal.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::websockify;

/// Bytes of a file with the number of a process in it.
const PID_FILE_BYTES_MAX: u64 = 64;

/// The commands that listen to signals as a gateway does.
const SERVING: [&str; 2] = ["serve", "websockify"];

/// Sends a signal to a process, if it is a gateway that listens to that signal.
///
/// # Errors
/// There is no such process, or none that the signal would not end.
pub(super) fn tell(number: i32, signal: Signal, name: &str) -> anyhow::Result<()> {
    let pid = Pid::from_raw(number).filter(|_| number > 0).context("no process has a number below 1")?;
    ensure_gateway(number)?;
    ensure!(
        catches(number, signal)?,
        "process {number} does not listen to {name}, which would end it: it is no gateway that understands it"
    );
    kill_process(pid, signal).with_context(|| format!("cannot tell process {number}"))
}

/// The number of a process that is in a file.
///
/// # Errors
/// The file cannot be read, or has something else in it.
pub(super) fn read(file: &Path) -> anyhow::Result<i32> {
    let name = file.display();
    let size = fs::metadata(file).with_context(|| format!("cannot read {name}"))?.len();
    ensure!(size <= PID_FILE_BYTES_MAX, "{name} has {size} bytes, and not just the number of a process");
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
    let number = text.trim().parse();
    number.with_context(|| format!("{name} has {:?} in it, and not the number of a process", text.trim()))
}

/// That a process is a gateway: this program, serving. The signal ends other programs, and other commands of this one.
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
        "process {pid} is {program:?} with the command {command:?}, which does not serve; it was not told anything"
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

/// Whether a process has a handler for a signal, as the system tells. A file with the number of a process that has ended
/// may name an innocent one by now.
fn catches(pid: i32, signal: Signal) -> anyhow::Result<bool> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("there is no process {pid}"))?;
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let caught = caught.context("the system does not tell which signals it listens to")?;
    Ok(caught >> (signal.as_raw() - 1) & 1 == 1)
}

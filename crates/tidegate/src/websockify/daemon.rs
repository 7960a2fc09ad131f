//! Going to the background: the process starts itself anew in a session of its own, and stays until that one listens.
//!
//! A fork in the middle would have to come before the first thread and be sure of it; a new process has no past. What
//! keeps it from starting is seen where it was started, with the status that belongs to it.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::{env, fs, io};

use anyhow::Context as _;
use rustix::process::{getppid, setsid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

/// Set for the process in the background, to the number of the one that started it: another process that inherits it
/// is none of them.
const STARTED_BY: &str = "TIDEGATE_STARTED_BY";

/// Said on its standard output by the process in the background.
const READY: &[u8] = b"ready\n";

/// Whether this is the process in the background.
pub(super) fn is_background() -> bool {
    let parent = getppid().map(|pid| pid.as_raw_nonzero().to_string());
    env::var(STARTED_BY).ok().is_some_and(|by| Some(by) == parent)
}

/// Starts the process in the background, and waits until it listens. `keeps_stdin`: it listens on standard input.
///
/// # Errors
/// It cannot be started.
pub(super) fn launch(keeps_stdin: bool) -> anyhow::Result<ExitCode> {
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_else(|| super::args::PROGRAM.into());
    let stdin = if keeps_stdin { Stdio::inherit() } else { Stdio::null() };
    let mut child = Command::new(env::current_exe().context("cannot find this program")?)
        .arg0(name)
        .args(arguments)
        .env(STARTED_BY, std::process::id().to_string())
        .stdin(stdin)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start a process in the background")?;
    let mut said = [0; READY.len()];
    let stdout = child.stdout.as_mut().expect("it was made a pipe");
    if stdout.read_exact(&mut said).is_ok() {
        return Ok(ExitCode::SUCCESS);
    }
    let ended = child.wait().context("cannot wait for the process in the background")?;
    let status = ended.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0);
    Ok(status.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Leaves the terminal's session.
///
/// # Errors
/// The system refuses.
pub(super) fn leave_session() -> io::Result<()> {
    setsid()?;
    Ok(())
}

/// Tells the process that started this one, and leaves its folder, terminal and standard streams.
///
/// # Errors
/// The system refuses.
pub(super) fn detach(folder: &Path, keeps_stdin: bool) -> io::Result<()> {
    env::set_current_dir(folder)?;
    io::stdout().write_all(READY)?;
    io::stdout().flush()?;
    let nothing = fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    if !keeps_stdin {
        dup2_stdin(&nothing)?;
    }
    dup2_stdout(&nothing)?;
    dup2_stderr(&nothing)?;
    Ok(())
}

//! A wrapped command: started when the gateway listens, told on which port it has to, and ended with the gateway.
//!
//! Nothing is preloaded into it, as websockify does to move the port that it binds: it is told a port, and has to
//! take it.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until};

use super::args::WrapMode;
use crate::clock::{self, timeout};

/// A command, and the port on which it has to listen.
#[derive(Debug)]
pub(super) struct Wrapped {
    words: Vec<String>,
    mode: WrapMode,
    port: u16,
    child: Option<Child>,
    /// When it was started the last few times.
    starts: VecDeque<Instant>,
}

impl Wrapped {
    /// Chooses a port that is free just now. The command is not started yet.
    ///
    /// # Errors
    /// There is no free port.
    pub(super) fn new(words: &[String], mode: WrapMode) -> io::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        Ok(Self { words: words.to_vec(), mode, port, child: None, starts: VecDeque::new() })
    }

    /// Where on 127.0.0.1 it has to listen.
    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// Starts it, and starts it again if it is to be; completes when its end is to be the gateway's, with the status
    /// to end with. Must not be called again then.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) async fn run(&mut self) -> anyhow::Result<u8> {
        loop {
            let child = self.start()?;
            let ended = child.wait().await.context("cannot wait for the command")?;
            self.child = None;
            tracing::info!("the command has ended: {ended}");
            match self.mode {
                WrapMode::Exit => return Ok(status(ended)),
                WrapMode::Ignore => std::future::pending().await,
                WrapMode::Respawn => self.rest().await,
            }
        }
    }

    /// Ends it: asked first, killed after a while.
    pub(super) async fn stop(mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid
            && let Err(error) = kill_process(pid, Signal::TERM)
        {
            tracing::warn!(%error, "cannot ask the command to end");
        }
        if timeout(PATIENCE, child.wait()).await.is_err() {
            tracing::warn!("the command does not end, and is killed");
            drop(child.kill().await); // fails only where it has ended just now
        }
    }

    fn start(&mut self) -> anyhow::Result<&mut Child> {
        let port = self.port.to_string();
        let mut words = self.words.iter().map(|word| word.replace("{port}", &port));
        let program = words.next().expect("a command has at least one word");
        let child = Command::new(&program)
            .args(words)
            .env("PORT", &port)
            .env("TIDEGATE_PORT", &port)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start the command {program:?}"))?;
        tracing::info!("the command {program:?} is told to listen on 127.0.0.1:{port}");
        self.starts.push_back(clock::now());
        if self.starts.len() > STARTS {
            self.starts.pop_front();
        }
        Ok(self.child.insert(child))
    }

    /// Waits until it may be started again: the last few starts must lie back far enough on average.
    async fn rest(&self) {
        let (Some(first), STARTS) = (self.starts.front(), self.starts.len()) else { return };
        let after_first: Duration = self.starts.iter().map(|start| *start - *first).sum();
        let average = *first + after_first / u32::try_from(STARTS).expect("they are few");
        if average + RESPAWN_TIME > clock::now() {
            tracing::warn!("the command ends too soon each time; it is started again after a rest");
            sleep_until(average + RESPAWN_TIME).await;
        }
    }
}

/// As a shell tells it.
fn status(ended: ExitStatus) -> u8 {
    let status = ended.code().or_else(|| ended.signal().map(|signal| SIGNALLED + signal)).unwrap_or(1);
    u8::try_from(status).unwrap_or(1)
}

const SIGNALLED: i32 = 128;
/// How many starts are remembered, and how long ago they must be on average for another one.
const STARTS: usize = 3;
const RESPAWN_TIME: Duration = Duration::from_secs(10);
/// For a command that is asked to end.
const PATIENCE: Duration = Duration::from_secs(5);

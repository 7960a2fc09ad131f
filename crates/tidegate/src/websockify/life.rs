//! How long it serves: until a signal, or until what the command line says has come to pass.

use std::future::pending;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::sleep;

use super::args::Args;
use super::daemon;
use super::wrap::Wrapped;
use crate::app::{Running, Stop, StopSignals};
use crate::config::Config;

/// What happens once it listens, and what ends it besides a signal.
#[derive(Debug)]
pub(super) struct Life {
    /// `--daemon`: the folder to go to, and whether standard input is needed.
    background: Option<(PathBuf, bool)>,
    /// `-- COMMAND`.
    wrapped: Option<Wrapped>,
    /// `--run-once`.
    once: bool,
    /// `--timeout`.
    accepting: Option<Duration>,
    /// `--idle-timeout`.
    idle: Option<Duration>,
}

/// What has come to pass.
enum End {
    Signal(Stop),
    /// The first WebSocket is over.
    Once,
    /// No more connections are wanted; those that there are go on.
    Timeout,
    Idle,
    /// The wrapped command has ended, with this status.
    Command(u8),
}

impl Life {
    /// `wrapped`: the command that stands behind the address to listen on.
    pub(super) fn new(args: &Args, wrapped: Option<Wrapped>) -> Self {
        let unless_never = |seconds: u32| (seconds != 0).then(|| Duration::from_secs(seconds.into()));
        let folder = || args.web.clone().unwrap_or_else(|| PathBuf::from("/"));
        Self {
            background: args.daemon.then(|| (folder(), args.inetd)),
            wrapped,
            once: args.run_once,
            accepting: unless_never(args.timeout),
            idle: unless_never(args.idle_timeout),
        }
    }

    /// Serves for as long as this says.
    ///
    /// # Errors
    /// What keeps it or the wrapped command from starting.
    pub(super) async fn serve(mut self, config: Config) -> anyhow::Result<ExitCode> {
        let mut signals = StopSignals::listen()?;
        let running = Running::start(config, None)?;
        if let Some((folder, keeps_stdin)) = &self.background {
            daemon::detach(folder, *keeps_stdin).context("cannot go to the background")?;
            tracing::info!("in the background as process {}", std::process::id());
        }
        let end = tokio::select! {
            stop = signals.next() => End::Signal(stop),
            () = first_websocket(&running), if self.once => End::Once,
            () = wait(self.accepting) => End::Timeout,
            () = idle(&running, self.idle) => End::Idle,
            status = command(&mut self.wrapped) => End::Command(status?),
            never = running.watch_certificates() => match never {},
        };
        let told = match end {
            End::Signal(stop) => Some(stop),
            End::Command(_) => None,
            End::Once => {
                tracing::info!("the first WebSocket is over, and only one was wanted");
                None
            }
            End::Idle => {
                tracing::info!("there was no connection for as long as was allowed");
                None
            }
            End::Timeout => {
                tracing::info!("the time is over: no more connections are accepted");
                running.run_out(&mut signals).await
            }
        };
        running.finish(told.unwrap_or(Stop::Shutdown), &mut signals).await;
        if let Some(wrapped) = self.wrapped {
            wrapped.stop().await;
        }
        Ok(match end {
            End::Command(status) => ExitCode::from(status),
            End::Signal(_) | End::Once | End::Timeout | End::Idle => ExitCode::SUCCESS,
        })
    }
}

/// While it is open nobody else is let in.
async fn first_websocket(running: &Running) {
    running.websocket_opened().await;
    running.stop_accepting();
    running.websockets_over().await;
}

async fn command(wrapped: &mut Option<Wrapped>) -> anyhow::Result<u8> {
    match wrapped {
        Some(wrapped) => wrapped.run().await,
        None => pending().await,
    }
}

async fn idle(running: &Running, time: Option<Duration>) {
    match time {
        Some(time) => running.unused_for(time).await,
        None => pending().await,
    }
}

async fn wait(time: Option<Duration>) {
    match time {
        Some(time) => sleep(time).await,
        None => pending().await,
    }
}

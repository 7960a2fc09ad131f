//! How long it serves: until a signal, or until what the command line says has come to pass.

use std::future::pending;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::sleep;

use super::args::Args;
use crate::app::{Running, StopSignals};
use crate::config::Config;

/// What ends it besides a signal.
#[derive(Debug)]
pub(super) struct Life {
    /// `--run-once`.
    once: bool,
    /// `--timeout`.
    accepting: Option<Duration>,
    /// `--idle-timeout`.
    idle: Option<Duration>,
}

/// What has come to pass.
enum End {
    Signal,
    /// The first WebSocket is over.
    Once,
    /// No more connections are wanted; those that there are go on.
    Timeout,
    Idle,
}

impl Life {
    pub(super) fn new(args: &Args) -> Self {
        let unless_never = |seconds: u32| (seconds != 0).then(|| Duration::from_secs(seconds.into()));
        Self {
            once: args.run_once,
            accepting: unless_never(args.timeout),
            idle: unless_never(args.idle_timeout),
        }
    }

    /// Serves for as long as this says.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub(super) async fn serve(self, config: Config) -> anyhow::Result<ExitCode> {
        let mut signals = StopSignals::listen()?;
        let running = Running::start(config)?;
        let end = tokio::select! {
            () = signals.next() => End::Signal,
            () = first_websocket(&running), if self.once => End::Once,
            () = wait(self.accepting) => End::Timeout,
            () = idle(&running, self.idle) => End::Idle,
        };
        match end {
            End::Signal => {}
            End::Once => tracing::info!("the first WebSocket is over, and only one was wanted"),
            End::Idle => tracing::info!("there was no connection for as long as was allowed"),
            End::Timeout => {
                tracing::info!("the time is over: no more connections are accepted");
                running.run_out(&mut signals).await;
            }
        }
        running.finish(&mut signals).await;
        Ok(ExitCode::SUCCESS)
    }
}

/// While it is open nobody else is let in.
async fn first_websocket(running: &Running) {
    running.websocket_opened().await;
    running.stop_accepting();
    running.websockets_over().await;
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

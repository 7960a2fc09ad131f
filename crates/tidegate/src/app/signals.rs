//! What signals mean: TERM and INT stop, QUIT stops for a restart, HUP reloads, USR2 hands over.

use std::task::{Context, Waker};

use anyhow::Context as _;
use rustix::process;
use tidegate_proto::CloseCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Why the gateway stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It goes away: clients are told 1001.
    Shutdown,
    /// Another takes its place: clients are told 1012, with which many come back at once.
    Restart,
    /// Another has taken its place already: clients are told the same, and nobody waits for the end.
    HandedOver,
}

impl Stop {
    /// What clients are told.
    pub(super) const fn close(self) -> (CloseCode, &'static str) {
        match self {
            Self::Shutdown => (CloseCode::GOING_AWAY, "shutting down"),
            Self::Restart | Self::HandedOver => (CloseCode::RESTART, "restarting"),
        }
    }

    /// How another process is told the same.
    pub(super) const fn signal(self) -> process::Signal {
        match self {
            Self::Shutdown => process::Signal::TERM,
            Self::Restart | Self::HandedOver => process::Signal::QUIT,
        }
    }
}

/// SIGTERM, SIGINT and SIGQUIT.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

impl StopSignals {
    /// From now on they do not end the process.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            quit: listen(SignalKind::quit())?,
        })
    }

    /// Waits for one.
    pub(crate) async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.terminate.recv() => Stop::Shutdown,
            _ = self.interrupt.recv() => Stop::Shutdown,
            _ = self.quit.recv() => Stop::Restart,
        }
    }
}

/// SIGUSR2: a new process is to take over.
pub(super) struct Upgrades(Signal);

impl Upgrades {
    /// From now on it does not end the process.
    pub(super) fn listen() -> anyhow::Result<Self> {
        Ok(Self(listen(SignalKind::user_defined2())?))
    }

    /// Waits for one.
    pub(super) async fn next(&mut self) {
        self.0.recv().await;
    }
}

/// SIGHUP. Those that come while one is obeyed are one.
pub(super) struct Hangups {
    signal: Signal,
    /// One has come, and what it asks for has not been done.
    due: bool,
}

impl Hangups {
    /// From now on it does not end the process.
    pub(super) fn listen() -> anyhow::Result<Self> {
        Ok(Self { signal: listen(SignalKind::hangup())?, due: false })
    }

    /// Waits for one, or returns at once while one is due.
    pub(super) async fn next(&mut self) {
        if !self.due {
            self.signal.recv().await;
            self.due = true;
        }
    }

    /// What it asks for has been done.
    pub(super) const fn done(&mut self) {
        self.due = false;
    }

    /// Whether there is one for which nothing was done.
    pub(super) fn is_due(&mut self) -> bool {
        self.due |= self.signal.poll_recv(&mut Context::from_waker(Waker::noop())).is_ready();
        self.due
    }
}

fn listen(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("cannot listen to signals")
}

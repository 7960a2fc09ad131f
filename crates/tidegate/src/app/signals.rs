//! What signals mean: TERM and INT stop, QUIT stops for a restart, HUP reloads, USR2 hands over.

use std::future::pending;
use std::task::{Context, Waker};
use std::time::Duration;

use anyhow::Context as _;
use rustix::process;
use tidegate_proto::CloseCode;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::upgrade::Counterpart;
use crate::clock;

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

    /// Whether clients may come back at once.
    pub(super) const fn is_restart(self) -> bool {
        matches!(self, Self::Restart | Self::HandedOver)
    }

    /// How another process is told the same.
    pub(super) const fn signal(self) -> process::Signal {
        match self {
            Self::Shutdown => process::Signal::TERM,
            Self::Restart | Self::HandedOver => process::Signal::QUIT,
        }
    }
}

/// For this time after a hand-over, whoever stops the process that was the gateway means the gateway: it may not be known
/// yet that another one is.
const NEWS: Duration = Duration::from_secs(5);

/// SIGTERM, SIGINT and SIGQUIT, and what the other process of a hand-over was told.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    /// The process before this one, as long as it drains.
    predecessor: Counterpart,
    /// The process that has taken over, and since when.
    successor: Option<(Counterpart, Instant)>,
    /// Stops that have come as signals, and those that came over the line. One may come both ways, to a group of
    /// processes for example, and is one.
    signals: u32,
    words: u32,
}

impl StopSignals {
    /// From now on they do not end the process.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            quit: listen(SignalKind::quit())?,
            predecessor: Counterpart::default(),
            successor: None,
            signals: 0,
            words: 0,
        })
    }

    /// Names the process that was the gateway before this one: each is told when the other is to stop.
    pub(super) fn follow(&mut self, predecessor: Counterpart) {
        self.predecessor = predecessor;
    }

    /// Names the process that is the gateway from now on.
    pub(super) fn give_way(&mut self, successor: Counterpart) {
        self.successor = Some((successor, clock::now()));
    }

    /// Whether the process before this one is still there.
    pub(super) const fn has_predecessor(&self) -> bool {
        self.predecessor.is_there()
    }

    /// Waits for a stop.
    pub(crate) async fn next(&mut self) -> Stop {
        loop {
            if let Some(stop) = self.next_event().await {
                return stop;
            }
        }
    }

    /// Waits for a stop that has not come already in another way. `None`: it has, or another process is gone.
    pub(super) async fn next_event(&mut self) -> Option<Stop> {
        let before = self.signals.max(self.words);
        let successor = async {
            match &mut self.successor {
                Some((successor, _)) => successor.next().await,
                None => pending().await,
            }
        };
        let (stop, is_signal) = tokio::select! {
            _ = self.terminate.recv() => (Stop::Shutdown, true),
            _ = self.interrupt.recv() => (Stop::Shutdown, true),
            _ = self.quit.recv() => (Stop::Restart, true),
            stop = self.predecessor.next() => (stop?, false),
            stop = successor => (stop?, false),
        };
        let count = if is_signal { &mut self.signals } else { &mut self.words };
        *count += 1;
        if *count <= before {
            return None; // it has come the other way, and been passed on
        }
        self.predecessor.tell(stop);
        if let Some((successor, since)) = &self.successor
            && is_signal
            && clock::now() - *since < NEWS
        {
            successor.tell(stop);
        }
        Some(stop)
    }

    /// What has come until now is the stop that was obeyed.
    pub(super) fn forget_repeated(&mut self) {
        for signal in [&mut self.terminate, &mut self.interrupt, &mut self.quit] {
            while signal.poll_recv(&mut Context::from_waker(Waker::noop())).is_ready() {}
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

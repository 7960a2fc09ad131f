//! What the service manager is told: systemd, or whoever else has set `NOTIFY_SOCKET`. Where nobody has, nothing happens.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;

/// Everything listens: the start, or a reload, has come to its end.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
}

/// The configuration is read again; [`ready`] is said when that has come to its end.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => {
            tracing::warn!(%error, "the service manager cannot be told of a reload: there is no clock");
        }
    }
}

/// The end has begun, and this many connections are still there.
pub(crate) fn stopping(connections: usize) {
    let status = format!("stopping; connections left: {connections}");
    tell(&[NotifyState::Stopping, NotifyState::Status(&status)]);
}

/// How often [`alive`] has to be said: twice in the time after which the service manager would act. `None`: it does not
/// watch.
pub(crate) fn watchdog_period() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

/// Nothing hangs.
pub(crate) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// The process of this number is the main one, and serves: a reload that was begun here is over with that.
pub(crate) fn main_process(pid: u32) {
    tell(&[NotifyState::MainPid(pid), NotifyState::Ready]);
}

/// Another process tells from now on.
pub(crate) fn be_silent() {
    SILENT.store(true, Ordering::Relaxed);
}

/// Nothing more is told by this process: another has taken its place.
static SILENT: AtomicBool = AtomicBool::new(false);

fn tell(states: &[NotifyState<'_>]) {
    if SILENT.load(Ordering::Relaxed) {
        return;
    }
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told how the gateway is (NOTIFY_SOCKET)");
    }
}

//! Handing over to a new process of the gateway: its listeners, and every WebSocket that can be moved.
//!
//! The process that serves starts the new one and speaks with it over a pair of sockets that only the two have, so nobody
//! else has to be kept out. It goes on to serve until the new one has everything: whatever goes wrong, each session is
//! in the process that has said so, and goes on there.
//!
//! 1. Both say who they are; the new process reads the configuration.
//! 2. It is given the sockets that listen, opens those that are new, and is ready.
//! 3. Sessions move, a few at a time: each stands still between two bytes, is written down, and sent with its sockets. It
//!    goes on in the new process, which has said first that it does, or else in the old one.
//! 4. The old process accepts no more, the new one does. Sessions that were about to open then are moved as they do.
//! 5. The old process drains what cannot be moved, and ends.

mod counterpart;
mod giving;
mod leftovers;
mod moving;
mod report;
mod taking;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;

pub(super) use self::counterpart::Counterpart;
use self::giving::Failed;
pub(super) use self::leftovers::{Leftovers, number, send};
use self::report::Report;
pub(crate) use self::taking::Predecessor;
pub(super) use self::taking::{Takeover, take_over};
use super::Running;
use super::signals::Upgrades;
use crate::admin::UpgradeOrder;
use crate::service::Service;

/// The switch that a new process is started with beside the arguments of the old one.
pub(crate) const SWITCH: &str = "--take-over";

/// The longest that one of the two processes waits for the other at any step, or for a worker.
const STEP: Duration = Duration::from_secs(10);

/// How long the connections that are about to open when the new process begins to accept are waited for: those that
/// take longer open in the old one, and are told to come back.
const STRAGGLERS: Duration = Duration::from_secs(20);

/// Hand-overs that wait for the one under way: the next one is for the new process to do.
const ORDERS_MAX: usize = 1;

/// How this process was started.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    /// Where its binary was then. Another file may have that name by now, and is the one that is meant.
    pub(crate) binary: PathBuf,
    /// Without the name of the program, and without [`SWITCH`].
    pub(crate) arguments: Vec<OsString>,
}

/// The way of orders to hand over, from the admin listener to here.
pub(super) fn orders() -> (mpsc::Sender<UpgradeOrder>, mpsc::Receiver<UpgradeOrder>) {
    mpsc::channel(ORDERS_MAX)
}

impl Running {
    /// Hands over for SIGUSR2, or when the admin listener is told to, and says what came of it. Completes when a new
    /// process has taken over, with its number and the line to it.
    pub(super) async fn hand_over_when_told(
        &self,
        launch: Option<&Launch>,
        signals: &mut Upgrades,
    ) -> (u32, Counterpart) {
        let mut orders = self.upgrades.lock().await;
        loop {
            let order = tokio::select! {
                Some(order) = orders.recv() => Some(order), // without an admin listener there never is one
                () = signals.next() => None,
            };
            let binary = order.as_ref().and_then(|order| order.binary.clone());
            let result = {
                let _under_way = UnderWay::begin(&self.service);
                self.hand_over(launch, binary).await
            };
            let (result, counterpart) = match result {
                Ok((report, counterpart)) => (Ok(report), Some(counterpart)),
                Err(failed) => (Err(failed), None),
            };
            tell(&result);
            self.service.telemetry.metrics.handovers.add(if result.is_ok() { "ok" } else { "failed" });
            let successor = result.as_ref().ok().map(|report| report.pid).zip(counterpart);
            if let Some(order) = order {
                order.answer(result.map(|report| report.json()).map_err(|failed| failed.to_string()));
            }
            if let Some(successor) = successor {
                return successor;
            }
        }
    }

    /// Lets whoever asked for the hand-over hear what came of it: the answer is the last thing that this process says.
    pub(super) async fn finish_answering_admin(&self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        let answered = self.admin().as_ref().map(|admin| admin.answered());
        if let Some(answered) = answered {
            crate::clock::timeout(PATIENCE, answered).await.ok(); // who does not go is not waited for
        }
    }
}

/// While there is one, what sessions are told is not certain to reach them: they may have been written down already.
struct UnderWay<'s>(&'s Service);

impl<'s> UnderWay<'s> {
    fn begin(service: &'s Service) -> Self {
        service.hands_over.store(true, Ordering::Relaxed);
        Self(service)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.hands_over.store(false, Ordering::Relaxed);
    }
}

fn tell(result: &Result<Report, Failed>) {
    match result {
        Ok(report) => tracing::info!("{report}"),
        Err(failed) => tracing::error!("not handed over, everything goes on here: {failed}"),
    }
}

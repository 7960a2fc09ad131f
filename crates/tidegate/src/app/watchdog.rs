//! The service manager is told again and again that nothing hangs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::interval;

use super::Running;
use crate::clock::timeout;
use crate::notify;
use crate::worker::Workers;

impl Running {
    /// Begins to tell, if the service manager wants to know.
    pub(super) fn feed_watchdog(&self) {
        if let Some(period) = notify::watchdog_period() {
            tokio::spawn(watch(Arc::clone(&self.workers), period));
        }
    }
}

/// Says that the gateway lives each time that all its workers have answered.
async fn watch(workers: Arc<Workers>, period: Duration) {
    let mut beats = interval(period);
    loop {
        beats.tick().await;
        let answered = timeout(period / 2, workers.answer()).await;
        if let Ok(true) = answered {
            notify::alive();
        } else {
            let how = if answered.is_err() { "hangs" } else { "has ended" };
            tracing::error!("a worker thread {how}; the watchdog is not told that all is well");
        }
    }
}

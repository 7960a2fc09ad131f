//! Memory is shed before the system kills: nobody new is let in, and who holds the most goes first.

use std::cmp::Reverse;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tidegate_proto::CloseCode;
use tokio::time::sleep;

use super::Running;
use crate::clock;
use crate::live::{CloseNotice, Filter, Live, Order};
use crate::memory::{Bounds, Fullness};
use crate::outcome::Cause;
use crate::relay::budget;
use crate::service::Service;

/// Time between two looks while more than half of the memory is taken, and otherwise.
const NEAR: Duration = Duration::from_millis(100);
const FAR: Duration = Duration::from_secs(1);

/// Bytes that may wait for sockets: what the configuration says, or else a quarter of the memory.
pub(super) fn divide(buffered_max: Option<u64>, workers: usize) {
    let bytes = buffered_max.unwrap_or_else(|| Bounds::find().memory() / 4);
    budget::set(bytes, workers);
}

impl Running {
    /// Begins to watch it.
    pub(super) fn watch_memory(&self) {
        tokio::spawn(watch(Arc::clone(&self.service)));
    }
}

async fn watch(service: Arc<Service>) {
    let bounds = Bounds::find();
    loop {
        let nearest = bounds.nearest();
        if let Some(fullness) = nearest {
            act(&service, fullness);
        }
        sleep(if nearest.is_some_and(|fullness| fullness.permille() >= 500) { NEAR } else { FAR }).await;
    }
}

fn act(service: &Service, fullness: Fullness) {
    let holders = if fullness.is_near() { holders(service) } else { Vec::new() };
    let verdict = fullness.judge(holders.iter().map(|live| live.traffic.held()).sum());
    let Fullness { used, limit } = fullness;
    if service.set_short_of_memory(verdict.refuses) != verdict.refuses {
        if verdict.refuses {
            tracing::warn!(used, limit, "memory is short: no more WebSockets are let in");
        } else {
            tracing::info!(used, limit, "there is memory again");
        }
    }
    if verdict.let_go > 0 {
        let closed = let_go(holders, verdict.let_go);
        if closed > 0 {
            tracing::warn!(used, limit, closed, "memory is short: those that hold the most are closed");
        }
    }
}

/// The sessions that hold something.
fn holders(service: &Service) -> Vec<Arc<Live>> {
    let mut sessions = service.live.sessions(&Filter::default());
    sessions.retain(|live| live.traffic.held() > 0);
    sessions
}

/// Closes the sessions that hold the most, until they hold `bytes` together; returns how many were not told before.
fn let_go(mut holders: Vec<Arc<Live>>, bytes: u64) -> usize {
    let now = clock::now();
    holders.sort_by_cached_key(|live| Reverse(live.traffic.held())); // cached: it changes meanwhile
    let (mut freed, mut closed) = (0, 0);
    for live in holders {
        if freed >= bytes {
            break;
        }
        freed += live.traffic.held();
        if !live.leash.is_told(&OVERLOADED, now) {
            live.leash.tell(Order { at: now, idle: None, notice: Arc::clone(&OVERLOADED) });
            closed += 1;
        }
    }
    closed
}

static OVERLOADED: LazyLock<Arc<CloseNotice>> = LazyLock::new(|| {
    CloseNotice::new(
        Cause::Overloaded,
        CloseCode::TRY_AGAIN_LATER,
        "the gateway is short of memory".to_owned(),
    )
});

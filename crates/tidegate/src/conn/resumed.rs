//! A WebSocket that another process has handed over: it enters the line behind the 101.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::settling::Settling;
use crate::config::Route;
use crate::handover::Record;
use crate::journal::Entry;
use crate::live::About;
use crate::policy::quota::Share;
use crate::relay::{self, Owner as _, Standing, Unfit};
use crate::service::Service;

/// One that stands still: not a byte of it was read or written here.
pub(crate) struct Resumed<K> {
    standing: Standing,
    settling: Settling<(K, Option<Share>)>,
}

impl<K: Send + Sync + 'static> Resumed<K> {
    /// Takes it up, on the worker that is to have it; `kept` is what its end gives back. It enters the register and the
    /// counters, and goes by the route that has the name of its own.
    ///
    /// # Errors
    /// It cannot be gone on with; it has left no trace.
    pub(crate) fn take_up(
        record: Record,
        descriptors: Vec<OwnedFd>,
        service: &Arc<Service>,
        kept: K,
    ) -> Result<Self, Unfit> {
        let generation = service.generation();
        let (route, seat) = generation.table.resume(&record.about.route, record.about.backend.as_deref());
        let entry = Entry::resumed(&service.telemetry, &record, &route);
        let share = record.about.client.and_then(|client| service.quota.count(client));
        let about = about(&record, route);
        let live = service.enter_again(about, record.age, record.counts, record.orders).ok_or(Unfit::Twice);
        let take_up = |live| Standing::take_up(record.relay, descriptors, live, entry.traffic());
        match live.and_then(take_up) {
            Ok(standing) => Ok(Self { standing, settling: Settling { entry, seat, kept: (kept, share) } }),
            Err(unfit) => {
                entry.moved();
                Err(unfit)
            }
        }
    }

    /// It is ours: goes on with it, in a task of its own.
    pub(crate) fn go_on(self) {
        tokio::spawn(relay::go_on(self.standing, self.settling));
    }

    /// It is not: closes our copies of its sockets, and says nothing.
    pub(crate) fn leave(self) {
        self.settling.moved(self.standing.into_registered());
    }
}

fn about(record: &Record, route: Arc<Route>) -> About {
    let about = &record.about;
    About {
        conn: about.conn,
        route,
        client: about.client,
        port: about.port,
        hybi00: about.hybi00,
        backend: about.backend.as_deref().map(Into::into),
        subprotocol: about.subprotocol.as_deref().map(Into::into),
    }
}

//! The WebSockets that are open: who they are, what has passed so far, and a [`Leash`] on each.
//!
//! A session enters the register when its client was told yes, and leaves it with the last of its relay, whatever ended
//! that. Both happen once in the life of a connection, so the register is a few maps behind locks; what is counted for
//! each message is the session's own, written by its relay alone and read by whoever asks.

pub(crate) mod close_rules;
mod leash;
mod order;
mod traffic;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::Notify;
use tokio::time::Instant;

pub use self::leash::Leash;
pub(crate) use self::leash::{News, Orders};
pub use self::order::{CloseNotice, Idle, Order};
pub use self::traffic::{Counts, Traffic};

use crate::clock;
use crate::config::Route;
use crate::handover::record;

/// Locks that the register is divided among, so that a look at all of it holds up few who come and go.
const SHARDS: usize = 16;

/// All WebSockets that are open.
#[derive(Debug, Default)]
pub struct Register {
    shards: [Mutex<HashMap<u64, Arc<Live>>>; SHARDS],
    opened: AtomicU64,
    open: AtomicU64,
    /// Told when one enters or leaves.
    changed: Notify,
}

/// A WebSocket that is open.
#[derive(Debug)]
pub struct Live {
    /// Who it is.
    pub about: About,
    /// Since when it is open.
    pub since: Instant,
    /// What has passed so far.
    pub traffic: Traffic,
    /// What it is told.
    pub leash: Leash,
    register: Arc<Register>,
}

/// Who a WebSocket is: what stays the same for as long as it is open.
#[derive(Debug)]
pub struct About {
    /// The number of its connection, as in the access log.
    pub conn: u64,
    /// The route that it was opened on, as that was then.
    pub route: Arc<Route>,
    /// The client's address; a Unix socket has none.
    pub client: Option<IpAddr>,
    /// The client's port; 0 where a proxy stands between, and behind a Unix socket.
    pub port: u16,
    /// The client speaks hybi-00 and not RFC 6455.
    pub hybi00: bool,
    /// Of several backends of the route, the one that it is connected to.
    pub backend: Option<Box<str>>,
    /// The subprotocol in use.
    pub subprotocol: Option<Box<str>>,
}

/// A WebSocket's place in the register. It leaves when this is dropped.
#[derive(Debug)]
pub struct Registered(Arc<Live>);

/// Which WebSockets are meant; the default is all of them.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only the connection of this number.
    pub conn: Option<u64>,
    /// Only those of the route of this name.
    pub route: Option<String>,
    /// Only those of clients with an address in this network.
    pub client: Option<IpNet>,
}

impl Register {
    /// Enters a WebSocket that is open from now on.
    pub fn enter(self: &Arc<Self>, about: About) -> Registered {
        let live = self.live(about, clock::now(), Traffic::default());
        self.shard(live.about.conn).insert(live.about.conn, Arc::clone(&live));
        self.opened.fetch_add(1, Ordering::Release); // whoever counts it finds it
        self.entered(live)
    }

    /// Enters one that another process had: it was not opened here. `None`: one of its number is here.
    pub(crate) fn enter_again(
        self: &Arc<Self>,
        about: About,
        age: Duration,
        counts: record::Counts,
    ) -> Option<Registered> {
        let live = self.live(about, clock::ago(age), Traffic::going_on(counts.into()));
        match self.shard(live.about.conn).entry(live.about.conn) {
            Entry::Vacant(place) => drop(place.insert(Arc::clone(&live))),
            Entry::Occupied(_) => return None,
        }
        Some(self.entered(live))
    }

    fn live(self: &Arc<Self>, about: About, since: Instant, traffic: Traffic) -> Arc<Live> {
        Arc::new(Live { about, since, traffic, leash: Leash::default(), register: Arc::clone(self) })
    }

    fn entered(&self, live: Arc<Live>) -> Registered {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_waiters();
        Registered(live)
    }

    /// The sessions that are meant, in no order. It is a list of what there was while it was made.
    pub fn sessions(&self, filter: &Filter) -> Vec<Arc<Live>> {
        if let Some(conn) = filter.conn {
            let live = self.shard(conn).get(&conn).cloned();
            return live.filter(|live| filter.means(live)).into_iter().collect();
        }
        let mut meant = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            meant.extend(shard.values().filter(|live| filter.means(live)).cloned());
        }
        meant
    }

    /// WebSockets that are open.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// WebSockets that were opened since the start. A look at the register behind it finds all of these that are not gone.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Acquire)
    }

    /// Waits until this is true of the register.
    pub async fn wait_for(&self, is_so: impl Fn(&Self) -> bool) {
        loop {
            let changed = self.changed.notified(); // before the look, so that no change goes by between the two
            if is_so(self) {
                return;
            }
            changed.await;
        }
    }

    fn shard(&self, conn: u64) -> MutexGuard<'_, HashMap<u64, Arc<Live>>> {
        let shard = usize::try_from(conn % SHARDS as u64).expect("it is one of few");
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Filter {
    fn means(&self, live: &Live) -> bool {
        let About { conn, route, client, .. } = &live.about;
        self.conn.is_none_or(|wanted| wanted == *conn)
            && self.route.as_ref().is_none_or(|wanted| *wanted == route.name)
            && self.client.is_none_or(|network| client.is_some_and(|client| network.contains(&client)))
    }
}

impl Deref for Registered {
    type Target = Live;

    fn deref(&self) -> &Live {
        &self.0
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let register = &self.0.register;
        if let Entry::Occupied(entered) = register.shard(self.about.conn).entry(self.about.conn)
            && Arc::ptr_eq(entered.get(), &self.0)
        {
            entered.remove();
        }
        register.open.fetch_sub(1, Ordering::Relaxed);
        register.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::embedded;

    fn about(conn: u64, client: Option<&str>) -> About {
        let route = embedded().routes.remove(0);
        About {
            conn,
            route: Arc::new(Route { name: format!("route-{}", conn % 3), ..route }),
            client: client.map(|client| client.parse().unwrap()),
            port: 4711,
            hybi00: false,
            backend: None,
            subprotocol: None,
        }
    }

    fn conns(register: &Register, filter: &Filter) -> Vec<u64> {
        let mut conns: Vec<_> = register.sessions(filter).iter().map(|live| live.about.conn).collect();
        conns.sort_unstable();
        conns
    }

    #[test]
    fn who_is_meant() {
        let register = Arc::new(Register::default());
        let addresses = [Some("192.0.2.1"), None, Some("2001:db8::1"), Some("192.0.2.77")];
        let entered: Vec<_> =
            (1..).zip(addresses).map(|(conn, client)| register.enter(about(conn, client))).collect();
        let client = |network: &str| Filter { client: Some(network.parse().unwrap()), ..Filter::default() };
        let route = |name: &str| Filter { route: Some(name.to_owned()), ..Filter::default() };
        let conn = |conn| Filter { conn: Some(conn), ..Filter::default() };
        for (filter, meant) in [
            (Filter::default(), &[1, 2, 3, 4][..]),
            (conn(3), &[3]),
            (conn(17), &[]),
            (Filter { conn: Some(3), ..route("route-1") }, &[]),
            (route("route-1"), &[1, 4]),
            (client("192.0.2.0/26"), &[1]),
            (client("192.0.2.0/24"), &[1, 4]),
            (client("::/0"), &[3]),
            (Filter { client: client("192.0.2.64/26").client, ..route("route-1") }, &[4]),
        ] {
            assert_eq!(conns(&register, &filter), meant, "{filter:?}");
        }
        assert_eq!((register.opened(), register.open()), (4, 4));
        drop(entered);
        assert_eq!(conns(&register, &Filter::default()), [0; 0]);
        assert_eq!((register.opened(), register.open()), (4, 0));
    }

    #[test]
    fn a_number_is_taken_up_once_and_given_back_by_who_has_it() {
        let register = Arc::new(Register::default());
        let again = || register.enter_again(about(1, None), Duration::ZERO, record::Counts::default());
        let first = again().unwrap();
        assert!(again().is_none());
        assert_eq!((conns(&register, &Filter::default()), register.open()), (vec![1], 1));
        let other = register.enter(about(1, None));
        drop(first);
        assert_eq!(
            (conns(&register, &Filter::default()), register.open()),
            (vec![1], 1),
            "the other's entry"
        );
        drop(other);
        assert!(conns(&register, &Filter::default()).is_empty() && again().is_some());
    }

    #[test]
    fn a_session_costs_little() {
        let size = size_of::<Live>();
        assert!(size <= 208, "{size}");
    }

    #[tokio::test]
    async fn who_waits_is_told_of_what_comes_and_goes() {
        let register = Arc::new(Register::default());
        let waiting = tokio::spawn({
            let register = Arc::clone(&register);
            async move {
                register.wait_for(|register| register.open() > 0).await;
                register.wait_for(|register| register.open() == 0).await;
            }
        });
        tokio::task::yield_now().await;
        let entered = register.enter(about(1, None));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(entered);
        waiting.await.unwrap();
    }
}

//! What is counted, and where it is kept until somebody asks.
//!
//! On the path of a byte nothing is shared: a worker has its own counters of each route ([`Traffic`]), which are added up
//! when they are read. What happens once in a request or a connection is counted in one place for all workers.
//!
//! Labels are words of ours and names from the configuration, never anything that a client has sent.

#[cfg(test)]
mod documents;
pub(crate) mod exposition;
pub(crate) mod families;
mod histogram;
mod process;
mod route;
mod tally;
mod traffic;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

pub(crate) use self::process::Process;
pub(crate) use self::route::{AnsweredRequest, Closed, RouteMetrics};
pub(crate) use self::tally::Tally;
pub(crate) use self::traffic::{Meter, MovedOneWay, Traffic};
use crate::swap::Swap;

/// The counters of a gateway, from its start to its end.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    routes: RwLock<BTreeMap<Arc<str>, Arc<RouteMetrics>>>,
    /// Of requests that belong to no route.
    unrouted: Arc<RouteMetrics>,
    /// TLS handshakes of clients.
    pub(crate) tls: Tally<TlsHandshake>,
    /// Reloads, by `ok` and `failed`.
    pub(crate) reloads: Tally<&'static str>,
    /// Hand-overs to another process, by `ok`, `failed` and, for one from another process, `taken`.
    pub(crate) handovers: Tally<&'static str>,
    /// WebSockets that came from another process.
    pub(crate) taken_over: AtomicU64,
    /// The certificates that are served.
    pub(crate) certificates: Swap<Vec<CertificateEnd>>,
}

/// Until when a certificate is good.
#[derive(Debug)]
pub(crate) struct CertificateEnd {
    /// The address of the listener that serves it.
    pub(crate) listener: String,
    /// Its file.
    pub(crate) file: String,
    pub(crate) end: SystemTime,
}

/// How a TLS handshake went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TlsHandshake {
    /// `ok`, `failed` or `timeout`.
    pub(crate) result: &'static str,
    /// The version that was agreed on; empty where there is none.
    pub(crate) version: &'static str,
}

impl Metrics {
    /// The counters of the route of this name. A route that a later configuration has under the same name goes on with
    /// them.
    pub(crate) fn route(&self, name: &str) -> Arc<RouteMetrics> {
        if let Some(known) = self.routes.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Arc::clone(known);
        }
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(routes.entry(name.into()).or_default())
    }

    /// The counters of what belongs to no route.
    pub(crate) fn unrouted(&self) -> Arc<RouteMetrics> {
        Arc::clone(&self.unrouted)
    }

    /// Every route that has counters, by name; the one without a name is none.
    pub(crate) fn routes(&self) -> Vec<(Arc<str>, Arc<RouteMetrics>)> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let named = routes.iter().map(|(name, route)| (Arc::clone(name), Arc::clone(route)));
        std::iter::once(("".into(), self.unrouted())).chain(named).collect()
    }

    /// Forgets routes that are gone from the configuration, once nothing of theirs is open: their number is bounded by
    /// the file, however often it changes.
    pub(crate) fn forget_others(&self, is_route: impl Fn(&str) -> bool) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.retain(|name, route| is_route(name) || Arc::strong_count(route) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t239_a_route_that_left_is_forgotten_when_nothing_of_it_is_open() {
        let metrics = Metrics::default();
        let open = metrics.route("old");
        metrics.route("kept");
        metrics.route("gone");
        let names =
            |metrics: &Metrics| metrics.routes().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        metrics.forget_others(|name| name == "kept");
        assert_eq!(names(&metrics), ["", "kept", "old"].map(Arc::<str>::from));
        drop(open);
        metrics.forget_others(|name| name == "kept");
        assert_eq!(names(&metrics), ["", "kept"].map(Arc::<str>::from));
    }
}

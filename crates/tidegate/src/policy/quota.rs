//! How many connections one client address may have.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::io::network;

/// Counts the connections of each client address. An IPv6 client is its /64: the rest of the address is its own choice.
///
/// Memory is one entry for each address that has a connection. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Quota {
    /// 0 is no limit.
    max: Arc<AtomicUsize>,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection's part of its client's quota, given back by dropping it.
#[derive(Debug)]
pub struct Share {
    address: IpAddr,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// The client has as many connections as it may: 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many connections from this address")]
pub struct QuotaExceeded;

impl Quota {
    /// At most `max` connections an address; 0 is no limit.
    pub fn new(max: usize) -> Self {
        Self { max: Arc::new(AtomicUsize::new(max)), counts: Arc::default() }
    }

    /// Counts something else of the same clients, with the same limit.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self { max: Arc::clone(&self.max), counts: Arc::default() }
    }

    /// At most `max` from now on. Nobody loses a connection by it, and those that came while there was no limit do not
    /// count.
    pub fn set(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// Counts a connection that was let in elsewhere, however many its client has.
    pub(crate) fn count(&self, client: IpAddr) -> Option<Share> {
        (self.max.load(Ordering::Relaxed) > 0).then(|| {
            let address = network(client);
            *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(address).or_default() += 1;
            Share { address, counts: Arc::clone(&self.counts) }
        })
    }

    /// Takes one connection's share; `None` where there is no limit.
    ///
    /// # Errors
    /// The client has no share left.
    pub fn take(&self, client: IpAddr) -> Result<Option<Share>, QuotaExceeded> {
        let max = self.max.load(Ordering::Relaxed);
        if max == 0 {
            return Ok(None);
        }
        let address = network(client);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= max {
            return Err(QuotaExceeded);
        }
        *count += 1;
        Ok(Some(Share { address, counts: Arc::clone(&self.counts) }))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn t243_one_above_the_limit_is_refused_and_others_are_not() {
        let quota = Quota::new(2);
        let first = quota.take(ip("192.0.2.1")).unwrap();
        let _second = quota.take(ip("::ffff:192.0.2.1")).unwrap();
        assert_eq!(quota.take(ip("192.0.2.1")).unwrap_err(), QuotaExceeded);
        assert!(quota.take(ip("192.0.2.2")).is_ok());
        drop(first);
        assert!(quota.take(ip("192.0.2.1")).is_ok());
    }

    #[test]
    fn two_counts_share_a_limit_and_nothing_else() {
        let quota = Quota::new(1);
        let beside = quota.beside();
        let _one = quota.take(ip("192.0.2.1")).unwrap();
        let _other = beside.take(ip("192.0.2.1")).unwrap();
        assert!(beside.take(ip("192.0.2.1")).is_err());
        quota.set(2);
        assert!(beside.take(ip("192.0.2.1")).is_ok());
    }

    #[test]
    fn who_was_let_in_elsewhere_counts_beyond_the_limit() {
        let quota = Quota::new(2);
        let shares = [(); 3].map(|()| quota.count(ip("192.0.2.1")).unwrap());
        assert_eq!(quota.take(ip("192.0.2.1")).unwrap_err(), QuotaExceeded);
        let [one, ..] = shares;
        drop(one);
        assert_eq!(quota.take(ip("192.0.2.1")).unwrap_err(), QuotaExceeded, "two others are still there");
    }

    #[test]
    fn nobody_is_counted_without_a_limit() {
        let quota = Quota::new(0);
        assert!(quota.count(ip("192.0.2.1")).is_none());
        quota.set(1);
        assert!(quota.take(ip("192.0.2.1")).is_ok());
    }

    #[test]
    fn an_ipv6_client_is_its_64() {
        let quota = Quota::new(1);
        let _one = quota.take(ip("2001:db8::1")).unwrap();
        assert!(quota.take(ip("2001:db8::2")).is_err());
        assert!(quota.take(ip("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn nothing_is_kept_of_clients_that_left() {
        let quota = Quota::new(1);
        drop(quota.take(ip("192.0.2.1")).unwrap());
        assert!(quota.counts.lock().unwrap().is_empty());
        assert!(Quota::new(0).take(ip("192.0.2.1")).unwrap().is_none());
    }
}

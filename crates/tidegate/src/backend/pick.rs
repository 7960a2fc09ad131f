//! Which backend of a route is tried, and which one after it.

use std::hash::Hash as _;
use std::time::Duration;

use tokio::time::Instant;

use super::ConnectError;
use crate::clock;
use crate::config::{Backend, Balance};
use crate::pool::{Pending, Seat};
use crate::request::Request;
use crate::route::Selected;

/// The backends of a route that are still to be tried for one request.
pub(super) struct Candidates<'s> {
    selected: &'s Selected,
    order: std::vec::IntoIter<usize>,
    deadline: Instant,
}

/// A backend to be tried.
pub(super) struct Candidate<'s> {
    pub(super) backend: &'s Backend,
    /// Its part of the time that there is for all of them: one that hangs must leave some for the next.
    pub(super) budget: Duration,
    seat: Seat,
    disable_time: Duration,
    pending_max: usize,
}

impl<'s> Candidates<'s> {
    pub(super) fn of(selected: &'s Selected, request: &Request) -> Self {
        let (route, now) = (selected.route(), clock::now());
        let key = |hasher: &mut _| match route.balance {
            Balance::Sticky => request.via.client.hash(hasher),
            Balance::Hash => (&request.host, &request.path).hash(hasher),
            Balance::LeastConnections | Balance::RoundRobin => {}
        };
        let order = selected.pool().order(route.balance, key, now).into_iter();
        Self { selected, order, deadline: now + route.connect_timeout }
    }

    /// The next one; there is one until an error of the last was final.
    pub(super) fn take(&mut self) -> Candidate<'s> {
        let left = u32::try_from(self.order.len()).unwrap_or(u32::MAX).max(1);
        let member = self.order.next().expect("the error of the last candidate is final");
        let route = self.selected.route();
        Candidate {
            backend: &route.backends[member],
            budget: self.deadline.saturating_duration_since(clock::now()) / left,
            seat: self.selected.pool().seat(member),
            disable_time: route.disable_time,
            pending_max: route.pending_max,
        }
    }

    /// What is to be done about a candidate that failed: another is tried, or the error is the answer.
    pub(super) fn after(&self, failed: &Candidate<'_>, error: ConnectError) -> Result<(), ConnectError> {
        failed.seat.tried(error.label());
        if !error.is_unconnected() {
            return Err(error);
        }
        let route = &self.selected.route().name;
        if failed.seat.rest(clock::now() + failed.disable_time) {
            tracing::warn!(%route, backend = failed.seat.name(), %error, "takes no connections; others are tried before it");
        }
        if self.order.len() == 0 { Err(error) } else { Ok(()) }
    }
}

impl Candidate<'_> {
    /// Has it count as asked until the answer is there. One that owes many an answer is not asked.
    pub(super) fn ask(&self) -> Result<Pending, ConnectError> {
        self.seat.ask(self.pending_max).ok_or(ConnectError::Busy(self.pending_max))
    }

    /// The place that it has taken, now that it is connected.
    pub(super) fn into_seat(self) -> Seat {
        self.seat.tried("ok");
        if self.seat.took() {
            tracing::info!(backend = self.seat.name(), "takes connections again");
        }
        self.seat
    }
}

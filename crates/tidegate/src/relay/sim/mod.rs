//! The relay under a deterministic simulation: one thread, a clock of its own, connections in memory, and every choice
//! from one seed.
//!
//! Two sides follow scripts that chance has written: they say good things and bad ones, in pieces of any size, read at
//! once, slowly or never, ask, answer or do not, end as they should, break off and reset. Chance also chooses who is
//! next, what a read and a write move, and when somebody orders the end. The relay is the one that the gateway runs; all
//! that is not its own are the sockets ([`io::simulated`](crate::io::simulated)). What must be true of it whatever
//! happens stands in `verdict`.
//!
//! Two things are not in reach of the seed, because the relay asks the system for them: the keys of its own frames to
//! WebSocket backends, and the payload of its pings. Their lengths are fixed, so neither changes what happens.
//!
//! Real sockets were the other way to do it. They would have included the pipes of `bulk`, but what a kernel does with
//! them in which order is its own choice, and no run could have been repeated.

mod choices;
mod plan;
mod side;
mod speech;
mod stream;
#[cfg(test)]
mod tests;
mod verdict;

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

pub(crate) use self::choices::Choices;
use self::plan::{ClientKind, FarKind, Plan, Script};
use self::side::{Ears, Record, Side};
use super::{Owner, Terms, attend, run};
use crate::backend::{Agreed, Connected};
use crate::clock;
use crate::config::{self, Overrides, Route};
use crate::handover::record::Line;
use crate::io::Socket;
use crate::io::simulated::{self, Ending, Peer};
use crate::live::{About, CloseNotice, Counts, Order, Register, Registered};
use crate::metrics::Traffic;
use crate::outcome::End;

/// Nothing has happened for so long: the relay will not end.
const PATIENCE: Duration = Duration::from_secs(150);

/// Turns of the relay, one behind the other, in which nothing happens.
const IDLE_TURNS_MAX: usize = 1000;

/// Bytes that a relay may hold: for each side what it tops up a backlog to, one read, and what that grows by in frames.
const HELD_BYTES_MAX: u64 = 2 * ((64 << 10) + (1 << 20) + (256 << 10));

/// What came of a plan.
#[derive(Debug)]
struct Played {
    end: End,
    client: Record,
    backend: Record,
    counts: Counts,
    /// How long it took from the first word of the gateway that this is the end.
    ending: Duration,
}

/// Wants to know how it ended, and what was counted.
struct Counting;

impl Owner for Counting {
    type Fate = (End, Counts);

    fn line(&self) -> Line {
        Line::default()
    }

    fn ended(self, end: End, live: Registered) -> Self::Fate {
        (end, live.traffic.counts())
    }

    fn moved(self, _: Registered) -> Self::Fate {
        unreachable!("nobody moves what has no descriptors")
    }
}

/// Plays what these choices make, and judges it.
///
/// # Panics
/// When the relay has broken a promise.
pub(crate) fn play(mut choices: Choices<'_>) {
    let plan = plan::make(&mut choices);
    perform(&plan, choices);
}

fn perform(plan: &Plan, choices: Choices<'_>) -> Played {
    let clockwork = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = clockwork.expect("a runtime without sockets needs nothing of the system");
    let played = runtime.block_on(async {
        tokio::spawn(attend()); // so that bulk waits in line
        Stage::new(plan, choices).play().await
    });
    verdict::judge(plan, &played);
    played
}

/// Everything in a simulation but the relay itself.
struct Stage<'a> {
    plan: &'a Plan,
    choices: Choices<'a>,
    client: Side,
    backend: Side,
    woken: Arc<Woken>,
    traffic: Arc<Traffic>,
    relay: Pin<Box<dyn Future<Output = (End, Counts)> + Send>>,
    /// From then on it may close, and drop what still comes.
    first_order: Option<Instant>,
    /// From then on it has been told to end.
    last_order: Instant,
    /// When something last happened.
    active: Instant,
    /// Turns of the relay since then.
    idle_turns: usize,
    ending_since: Option<Instant>,
}

/// Whether the relay was woken.
#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<'a> Stage<'a> {
    fn new(plan: &'a Plan, choices: Choices<'a>) -> Self {
        let rules = route(&plan.route);
        let (client_socket, client_peer) = socket(&plan.client);
        let (backend_socket, backend_peer) = socket(&plan.backend);
        let (client_ears, hybi00) = match plan.coding {
            ClientKind::Plain | ClientKind::Compressed => (Ears::frames(tidegate_proto::Role::Client), None),
            ClientKind::Hybi00(coding) => (Ears::hybi00(coding), Some(coding)),
        };
        let backend_ears = match plan.far {
            FarKind::Echo | FarKind::Tcp { .. } => Ears::Stream,
            FarKind::WebSocket(_) => Ears::frames(tidegate_proto::Role::Server),
        };
        let (client, client_early) = Side::new(client_peer, client_ears, &plan.client);
        let (mut backend, mut backend_early) = Side::new(backend_peer, backend_ears, &plan.backend);
        let far = match plan.far {
            FarKind::Echo => Connected::Echo,
            FarKind::Tcp { .. } => {
                // Nothing comes together with the handshake where there is none.
                backend.unsay(std::mem::take(&mut backend_early));
                Connected::Tcp(backend_socket)
            }
            FarKind::WebSocket(reserved) => {
                Connected::WebSocket { socket: backend_socket, early: backend_early.into(), reserved }
            }
        };
        let deflate = matches!(plan.coding, ClientKind::Compressed).then_some(plan::DEFLATE);
        let agreed = Agreed { deflate, hybi00, ..Agreed::default() };
        let traffic = Arc::<Traffic>::default();
        let live = Arc::new(Register::default()).enter(about(&rules));
        let begun = clock::now();
        for (after, cause, code) in &plan.orders {
            let notice = CloseNotice::new(*cause, *code, "as was ordered".to_owned());
            live.leash.tell(Order { at: begun + *after, idle: None, notice });
        }
        let terms =
            Terms { rules: &rules, agreed: &agreed, traffic: Arc::clone(&traffic), tape: None, ticker: None };
        let relay = Box::pin(run(client_socket, Bytes::from(client_early), far, terms, live, Counting));
        Self {
            plan,
            choices,
            client,
            backend,
            woken: Arc::new(Woken(AtomicBool::new(true))),
            traffic,
            relay,
            first_order: plan.orders.iter().map(|order| begun + order.0).min(),
            last_order: begun + plan.orders.iter().map(|order| order.0).max().unwrap_or_default(),
            active: begun,
            idle_turns: 0,
            ending_since: None,
        }
    }

    async fn play(mut self) -> Played {
        let (end, counts) = loop {
            let now = clock::now();
            if let Poll::Ready(ended) = self.turn(now) {
                break ended;
            }
            // Who gives way to others is woken when those had their turn.
            tokio::task::yield_now().await;
            if self.woken.0.load(Ordering::Relaxed) || self.sides_step(now) {
                continue;
            }
            if self.choices.once_in(3)
                && let Poll::Ready(ended) = self.poll_unasked(now)
            {
                panic!("nobody told the relay that it can end: {ended:?}, {:?}", self.plan);
            }
            assert!(now - self.active.max(self.last_order) < PATIENCE, "it does not end: {:?}", self.plan);
            // At its end every second counts.
            let longest = if self.ending_since.is_some() { 500 } else { 20_000 };
            let step = Duration::from_millis(self.choices.of(&[1, 40, longest / 4, longest]));
            let wakes_at = self.client.wakes_at(now).into_iter().chain(self.backend.wakes_at(now)).min();
            let step = wakes_at.map_or(step, |at| step.min(at.saturating_duration_since(now)));
            tokio::time::advance(step.max(Duration::from_millis(1))).await;
        };
        // What is on its way arrives, whether there is still a relay or not.
        let now = clock::now();
        while self.sides_step(now) {}
        let ending = self.ending_since.map_or(Duration::ZERO, |since| now - since);
        Played { end, client: self.client.record, backend: self.backend.record, counts, ending }
    }

    /// Perhaps a turn of the relay, if it was woken.
    fn turn(&mut self, now: Instant) -> Poll<(End, Counts)> {
        if !self.woken.0.load(Ordering::Relaxed) || (self.choices.once_in(3) && self.sides_step(now)) {
            return Poll::Pending;
        }
        self.woken.0.store(false, Ordering::Relaxed);
        self.idle_turns += 1;
        assert!(self.idle_turns < IDLE_TURNS_MAX, "it is busy with nothing: {:?}", self.plan);
        self.poll(now)
    }

    fn poll(&mut self, now: Instant) -> Poll<(End, Counts)> {
        let before = self.moves();
        let waker = Waker::from(Arc::clone(&self.woken));
        let polled = self.relay.as_mut().poll(&mut Context::from_waker(&waker));
        let held = self.traffic.moved().buffered;
        assert!(held <= HELD_BYTES_MAX, "it holds {held} bytes: {:?}", self.plan);
        self.assert_bounded();
        if self.moves() != before {
            self.happened(now);
        }
        polled
    }

    /// A turn that the relay has not asked for: were there anything to do in it, a wake-up was lost.
    fn poll_unasked(&mut self, now: Instant) -> Poll<(End, Counts)> {
        let before = self.moves();
        let polled = self.poll(now);
        assert!(
            self.moves() == before,
            "nobody told the relay of what it could do: {before:?} to {:?}, {:?}",
            self.moves(),
            self.plan
        );
        polled
    }

    /// Where frames pass untouched, what was read and not written is held, but for the gateway's own business.
    fn assert_bounded(&self) {
        if matches!((self.plan.coding, self.plan.far), (ClientKind::Plain, FarKind::WebSocket(_))) {
            let is_ending =
                self.ending_since.is_some() || self.first_order.is_some_and(|at| clock::now() >= at);
            for (from, to) in [(&self.client, &self.backend), (&self.backend, &self.client)] {
                let ([_, read, _], [_, _, written]) = (from.seen(), to.seen());
                // What is for a side that has reset is dropped, and held by nobody.
                let is_open = !is_ending && to.record.ended != Some(Ending::Reset);
                let held = read.saturating_sub(written);
                assert!(!is_open || held <= HELD_BYTES_MAX / 2, "it holds {held} bytes: {:?}", self.plan);
            }
        }
    }

    fn moves(&self) -> [u64; 2] {
        [self.client.seen()[0], self.backend.seen()[0]]
    }

    /// One of the sides does one thing, if there is anything to do.
    fn sides_step(&mut self, now: Instant) -> bool {
        let client_first = self.choices.once_in(2);
        let choices = &mut self.choices;
        let stepped = (client_first && self.client.step(now, choices))
            || self.backend.step(now, choices)
            || (!client_first && self.client.step(now, choices));
        if stepped {
            self.happened(now);
            let is_told = |record: &Record| record.heard_close || record.gateway_ended.is_some();
            let has_backend = self.plan.far != FarKind::Echo;
            if is_told(&self.client.record) || has_backend && is_told(&self.backend.record) {
                self.ending_since.get_or_insert(now);
            }
        }
        stepped
    }

    const fn happened(&mut self, now: Instant) {
        self.active = now;
        self.idle_turns = 0;
    }
}

fn socket(script: &Script) -> (Socket, Peer) {
    let (mut lengths, len_max) = (script.lengths.clone(), script.len_max);
    let lengths = Box::new(move || match len_max {
        usize::MAX => usize::MAX,
        len_max => 1 + lengths.below(len_max),
    });
    let (wire, peer) = simulated::pair(simulated::Kind {
        capacities: script.capacities,
        buffers_writes: script.buffers_writes,
        lengths,
    });
    (Socket::Simulated(wire), peer)
}

/// The only route of a configuration, with these lines in it.
fn route(lines: &str) -> Route {
    let file = format!("[[route]]\npath = '/'\nbackend = 'tcp://127.0.0.1:1'\n{lines}\n");
    let checked = config::parse(&file, Path::new("simulated.toml"), &Overrides::default());
    let mut config = checked.config.unwrap_or_else(|| panic!("{file}"));
    config.routes.remove(0)
}

fn about(rules: &Route) -> About {
    About {
        conn: 1,
        route: Arc::new(rules.clone()),
        client: None,
        port: 0,
        hybi00: false,
        backend: None,
        subprotocol: None,
    }
}

//! Who drives a relay: the future that takes turns for as long as it lives.

use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use pin_project_lite::pin_project;
use tokio::time::Sleep;

use super::frozen::{self, Verdict};
use super::{Owner, Relay, Terms, Unfit, limits};
use crate::backend::Connected;
use crate::clock;
use crate::handover::{MoveRequest, record};
use crate::io::Socket;
use crate::live::{News, Registered};
use crate::metrics::{Meter, Traffic};
use crate::outcome::End;
use crate::scratch;

/// Relays until both sides are gone, and tells the owner how that came.
///
/// Not an `async fn`, whose future would keep a second place for each argument, for as long as the connection lives.
pub(crate) fn run<O: Owner>(
    client: Socket,
    early: Bytes,
    far: Connected,
    terms: Terms<'_>,
    live: Registered,
    owner: O,
) -> impl Future<Output = O::Fate> + Send + use<O> {
    let Terms { rules, agreed, traffic, tape, ticker } = terms;
    let limits = limits(rules, &far);
    let mut relay = Relay::new(client, early, far, rules, live, Meter::new(traffic));
    if let Some(agreement) = &agreed.deflate {
        relay.compress_with(agreement, limits);
    }
    if let Some(coding) = agreed.hybi00 {
        relay.speak_hybi00(coding, limits, rules);
    }
    relay.tape = tape;
    relay.ticker = ticker;
    go_on(Standing(relay), owner)
}

/// A relay that was taken up and does nothing yet.
#[derive(Debug)]
pub(crate) struct Standing(Relay);

impl Standing {
    /// Takes up what another process has written down, with its sockets, in the runtime of this thread.
    ///
    /// # Errors
    /// It cannot be gone on with.
    pub(crate) fn take_up(
        written: record::Relay,
        descriptors: Vec<OwnedFd>,
        live: Registered,
        traffic: Arc<Traffic>,
    ) -> Result<Self, Unfit> {
        Relay::take_up(written, descriptors, live, traffic).map(Self)
    }

    /// Lets it go, untouched.
    pub(crate) fn into_registered(self) -> Registered {
        self.0.into_registered()
    }
}

/// Goes on with a relay, as [`run`] does.
pub(crate) fn go_on<O: Owner>(standing: Standing, owner: O) -> impl Future<Output = O::Fate> + Send + use<O> {
    drive(standing.0, owner, |relay, cx| {
        ready!(relay.turns.poll_begin(cx));
        scratch::with(|scratch| relay.poll(cx, scratch))
    })
}

/// Takes turns whenever a socket is ready, the clock demands it, or somebody pulls the leash.
pub(super) fn drive<O: Owner, P>(relay: Relay, owner: O, poll: P) -> Drive<O, P>
where
    P: FnMut(&mut Relay, &mut Context<'_>) -> Poll<()> + Send,
{
    let alarm = tokio::time::sleep_until(relay.deadline());
    Drive {
        driven: Some(Driven { relay, owner }),
        poll,
        alarm,
        is_set: false,
        is_leashed: false,
        verdict: None,
    }
}

pin_project! {
    /// What [`drive`] makes. A type and not an `async` block, which would keep places for all that is borrowed while it
    /// waits: a twelfth of what a quiet connection costs.
    #[must_use = "nothing is relayed unless it is polled"]
    pub(super) struct Drive<O, P> {
        // None when it is over.
        driven: Option<Driven<O>>,
        poll: P,
        #[pin]
        alarm: Sleep,
        // The alarm will wake us.
        is_set: bool,
        // The leash wakes us.
        is_leashed: bool,
        // While there is one, the relay stands still.
        verdict: Option<Verdict>,
    }
}

/// A relay, and who draws the consequences.
struct Driven<O> {
    relay: Relay,
    owner: O,
}

impl<O: Owner, P> Future for Drive<O, P>
where
    P: FnMut(&mut Relay, &mut Context<'_>) -> Poll<()> + Send,
{
    type Output = O::Fate;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O::Fate> {
        let is_moved = ready!(self.as_mut().poll_over(cx));
        let Driven { relay, owner } = self.project().driven.take().expect(ONCE);
        Poll::Ready(if is_moved {
            owner.moved(relay.into_registered()) // our copies of the sockets are closed
        } else {
            owner.ended(relay.end.unwrap_or(End::ClientLost), relay.live)
        })
    }
}

const ONCE: &str = "a future is not polled again when it is done";

impl<O: Owner, P> Drive<O, P>
where
    P: FnMut(&mut Relay, &mut Context<'_>) -> Poll<()> + Send,
{
    /// Completes when the relay is over, with whether it has become another process's.
    fn poll_over(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let mut this = self.project();
        let Driven { relay, owner } = this.driven.as_mut().expect(ONCE);
        if !std::mem::replace(this.is_leashed, true) {
            relay.live.leash.watch(cx.waker());
        }
        loop {
            // Before any news: who asks again what has become another process's must not be given it a second time.
            if let Some(awaited) = this.verdict {
                if ready!(frozen::poll_moved(awaited, cx)) {
                    return Poll::Ready(true);
                }
                *this.verdict = None;
            }
            let Some(request) = relay.take_news() else { break };
            *this.verdict = relay.prepare_move(*request, owner);
        }
        // A deadline that a turn leaves in the past must not ring for ever.
        let quiet_until = relay.rang.map(|_| clock::now() + Duration::from_millis(1));
        if relay.turn(cx, this.poll).is_ready() {
            return Poll::Ready(false);
        }
        // Who stands in line looks at the clock when it is called: an alarm would wake it for nothing, again and again.
        if relay.turns.is_waiting() {
            let now = clock::now();
            relay.rang = relay.rang.or_else(|| (relay.deadline() <= now).then_some(now));
            return Poll::Pending;
        }
        // The alarm may ring early, never late: deadlines that only move back do not touch the timer.
        let deadline = relay.deadline();
        let deadline = quiet_until.map_or(deadline, |until| deadline.max(until));
        if quiet_until.is_some() || deadline < this.alarm.deadline() {
            this.alarm.as_mut().reset(deadline);
            *this.is_set = false;
        }
        // An alarm that is set and has not rung need not be asked.
        if *this.is_set && !this.alarm.is_elapsed() {
            return Poll::Pending;
        }
        *this.is_set = this.alarm.poll(cx).is_pending();
        if *this.is_set {
            return Poll::Pending;
        }
        relay.rang = Some(clock::now());
        // After a sleep the clock may wake us before the sockets do. Nobody is judged who has not been heard.
        pin!(tokio::task::yield_now()).poll(cx).map(|()| false)
    }
}

impl Relay {
    /// Takes up new orders, if the leash was pulled; returns the request to be moved, if there is one.
    fn take_news(&mut self) -> Option<Box<MoveRequest>> {
        let News { orders, move_request } = self.live.leash.news()?;
        if let Some(orders) = orders {
            self.orders = orders;
        }
        move_request
    }
}

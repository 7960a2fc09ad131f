//! The relay: payload between two sockets, for hours, in one task.
//!
//! One future drives both directions; there is no second task, no channel and no lock. A turn reads into the worker's
//! scratch buffer, asks the protocol crate what the bytes mean, and makes one write of them. A connection owns memory
//! only while a socket cannot take its bytes, and reads nothing for that socket meanwhile.
//!
//! `tcp`, `websocket` and `echo` each hold the two directions of one kind of far side; `compressed` and `hybi00` are
//! clients that want more than frames from the gateway. How connections end is in `ending`, and is the same for all.

mod backlog;
pub(crate) mod budget;
mod bulk;
mod compressed;
mod echo;
mod ending;
mod endpoint;
mod frozen;
mod hybi00;
mod keepalive;
mod leg;
mod pipe;
mod rate;
#[cfg(any(test, fuzzing))]
pub(crate) mod sim;
mod tcp;
#[cfg(test)]
mod tests;
mod ticks;
mod turns;
mod websocket;

use std::future::poll_fn;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tidegate_proto::{CloseCode, Decoder, Limits, MessageType, Receiver, Reserved, Role};
use tokio::time::Instant;

use self::backlog::BYTES_SOFT;
use self::budget::Held;
use self::compressed::Compression;
use self::echo::Echo;
use self::endpoint::{Endpoint, Fill};
pub(crate) use self::frozen::Unfit;
use self::hybi00::Hybi00;
use self::keepalive::{Demand, Keepalive};
use self::leg::{Leg, Patience};
pub(crate) use self::pipe::DESCRIPTORS_MAX as PIPE_DESCRIPTORS_MAX;
use self::rate::ControlRate;
use self::tcp::Tcp;
use self::turns::Turns;
pub(crate) use self::turns::attend;
use crate::backend::{Agreed, FarSide};
use crate::clock;
use crate::config::Route;
use crate::handover::Request;
use crate::handover::record::{self, Line};
use crate::io::Socket;
use crate::live::{Because, News, Orders, Registered};
use crate::metrics::{Meter, Traffic};
use crate::outcome::{Breach, Cause, End};
use crate::recording::{Chunk, Side, Tape};
use crate::scratch;
use crate::ticker::Ticker;

/// Reads of each direction in one turn of the task, before neighbours get theirs; fewer where they bring much.
const READS_PER_TURN: usize = 4;

/// For a TCP backend that is to end: taking what it was sent, then ending its own side.
static TCP_BACKEND: Patience =
    Patience { taking: Duration::from_secs(20), after_fin: Duration::from_secs(5) };

/// How long a client may be silent in the middle of a message.
const MESSAGE_SILENCE: Duration = Duration::from_secs(60);

/// How long a backend may be silent after the FIN of a client that sent no Close.
const HALF_CLOSED_SILENCE: Duration = Duration::from_secs(60);

/// Why a session is closed whose TLS has come to the last of its keys.
static KEYS_SPENT: LazyLock<Arc<Because>> = LazyLock::new(|| {
    Because::new(Cause::KeysSpent, CloseCode::GOING_AWAY, "please reconnect for new keys".to_owned())
});

/// On which terms a session is relayed.
#[derive(Debug)]
pub struct Terms<'a> {
    /// What the route says.
    pub rules: &'a Route,
    /// What gateway, client and backend have agreed on.
    pub agreed: &'a Agreed,
    /// Where it is counted.
    pub(crate) traffic: Arc<Traffic>,
    /// What records it. The recording ends with the relay.
    pub(crate) tape: Option<Box<Tape>>,
    /// What is told of each read and write.
    pub(crate) ticker: Option<Ticker>,
}

/// Whoever draws the consequences when a relay is over.
pub(crate) trait Owner: Send + Sync {
    /// What comes of it.
    type Fate;

    /// What another process has to know to write the access line in its place.
    fn line(&self) -> Line;

    /// It has ended in this way.
    fn ended(self, end: End, live: Registered) -> Self::Fate;

    /// Another process goes on with it: here it leaves no trace.
    fn moved(self, live: Registered) -> Self::Fate;
}

/// Relays until both sides are gone, and tells the owner how that came.
///
/// Not an `async fn`, whose future would keep a second place for each argument, for as long as the connection lives.
pub(crate) fn run<O: Owner>(
    client: Socket,
    early: Bytes,
    far: FarSide,
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
#[expect(clippy::manual_async_fn, reason = "an `async fn` would keep a second place for the relay")]
fn drive<O: Owner>(
    mut relay: Relay,
    owner: O,
    mut poll: impl FnMut(&mut Relay, &mut Context<'_>) -> Poll<()> + Send,
) -> impl Future<Output = O::Fate> + Send {
    async move {
        poll_fn(|cx| {
            relay.live.leash.watch(cx.waker());
            Poll::Ready(())
        })
        .await;
        let mut alarm = pin!(tokio::time::sleep_until(relay.deadline()));
        // While there is one, the relay stands still.
        let mut verdict = None;
        let is_moved = poll_fn(|cx| {
            loop {
                // Before any news: who asks again what has become another process's must not be given it a second time.
                if let Some(awaited) = &mut verdict {
                    if ready!(frozen::poll_moved(awaited, cx)) {
                        return Poll::Ready(true);
                    }
                    verdict = None;
                }
                let Some(request) = relay.take_news() else { break };
                verdict = relay.part(*request, &owner);
            }
            loop {
                if relay.turn(cx, &mut poll).is_ready() {
                    return Poll::Ready(false);
                }
                // The alarm may ring early, never late: deadlines that only move back do not touch the timer.
                let deadline = relay.deadline();
                if deadline < alarm.deadline() {
                    alarm.as_mut().reset(deadline);
                }
                if alarm.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                alarm.as_mut().reset(deadline.max(clock::now() + Duration::from_millis(1)));
            }
        })
        .await;
        if is_moved {
            return owner.moved(relay.into_registered()); // our copies of the sockets are closed
        }
        owner.ended(relay.end.unwrap_or(End::ClientLost), relay.live)
    }
}

/// A connection under way.
#[derive(Debug)]
struct Relay {
    client: Endpoint,
    far: Far,
    /// permessage-deflate with the client, if the gateway itself agreed on it.
    compression: Option<Box<Compression>>,
    /// The client speaks hybi-00.
    hybi00: Option<Box<Hybi00>>,
    keepalive: Keepalive,
    rate: ControlRate,
    /// Who it is to the rest of the house, what has passed, and what it is told.
    live: Registered,
    /// What the worker counts for all sessions of the route.
    meter: Meter,
    /// When it may move something.
    turns: Turns,
    /// What waits for its sockets, as a part of what may wait on this worker.
    held: Held,
    /// What it was told so far.
    orders: Orders,
    /// The first cause of the end.
    end: Option<End>,
    /// A turn has panicked.
    panicked: bool,
    /// Since when the client has ended its direction while the backend may still answer.
    half_closed_since: Option<Instant>,
    /// Until when a client that broke the protocol waits for its Close; see [`Relay::let_backend_finish`].
    last_words_until: Option<Instant>,
    /// What records the session.
    tape: Option<Box<Tape>>,
    /// What is told of each read and write.
    ticker: Option<Ticker>,
}

#[derive(Debug)]
enum Far {
    Echo(Echo),
    Tcp(Box<Tcp>),
    WebSocket(Box<Endpoint>),
}

impl Relay {
    fn new(
        client: Socket,
        early: Bytes,
        far: FarSide,
        rules: &Route,
        live: Registered,
        meter: Meter,
    ) -> Self {
        let reserved = match &far {
            FarSide::WebSocket { reserved, .. } => *reserved,
            FarSide::Echo | FarSide::Tcp(_) => Reserved::None,
        };
        let limits = limits(rules, &far);
        let decoder = |role| Decoder::new(role, limits).with_reserved(reserved);
        let far = match far {
            FarSide::Echo => Far::Echo(Echo::default()),
            FarSide::Tcp(socket) => {
                let leg = Leg::new(socket, Bytes::new());
                Far::Tcp(Box::new(Tcp::new(leg, rules, live.about.subprotocol.as_deref())))
            }
            FarSide::WebSocket { socket, early, .. } => {
                let receiver = Receiver::new(decoder(Role::Client));
                Far::WebSocket(Box::new(Endpoint::new(Leg::new(socket, early), receiver, true)))
            }
        };
        let now = clock::now();
        let receiver = Receiver::new(decoder(Role::Server));
        Self {
            client: Endpoint::new(Leg::new(client, early), receiver, false),
            far,
            compression: None,
            hybi00: None,
            keepalive: Keepalive::new(
                live.about.conn,
                now,
                rules.ping_interval,
                rules.ping_timeout,
                rules.idle_timeout,
            ),
            rate: ControlRate::new(now),
            live,
            meter,
            turns: Turns::default(),
            held: Held::default(),
            orders: Orders::default(),
            end: None,
            panicked: false,
            half_closed_since: None,
            last_words_until: None,
            tape: None,
            ticker: None,
        }
    }

    /// Takes a turn, in which a bug of ours costs this connection and no other: both sides are told, as far as the
    /// same bug lets us. A second panic ends it without a word.
    fn turn(
        &mut self,
        cx: &mut Context<'_>,
        poll: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<()>,
    ) -> Poll<()> {
        // What a panic leaves half done is not looked at again: nothing more is read, only what waits is sent.
        let turn = catch_unwind(AssertUnwindSafe(|| poll(self, cx)));
        let waiting = self.client.leg.buffered() + self.far.leg_mut().map_or(0, |leg| leg.buffered());
        self.meter.buffered(waiting);
        self.live.traffic.hold(waiting);
        if self.held.set(waiting) && turn.as_ref().is_ok_and(Poll::is_pending) {
            self.end(End::Told(Cause::Overloaded, CloseCode::TRY_AGAIN_LATER), clock::now());
            self.let_go();
            cx.waker().wake_by_ref();
        }
        turn.unwrap_or_else(|_panic| {
            if std::mem::replace(&mut self.panicked, true) {
                return Poll::Ready(());
            }
            self.client.fail();
            if let Some(backend) = self.far.websocket_mut() {
                backend.fail();
            }
            self.end(End::Panicked, clock::now());
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }

    /// One turn: whatever can move, moves. Ready when both sides are gone.
    fn poll(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Poll<()> {
        let now = clock::now();
        self.on_time(now);
        for _ in 0..READS_PER_TURN {
            // First what waits, so that our control frames find their place before more is read.
            let mut moved = self.flush(cx, now);
            self.send_due(cx, now);
            moved |= self.inbound(cx, now, scratch);
            moved |= self.outbound(cx, now, scratch);
            if self.client.leg.is_spent() && self.end.is_none() {
                self.end_as_told(&KEYS_SPENT, now);
            }
            self.advance_closing(cx, now);
            moved |= self.flush(cx, now);
            moved |= self.client.leg.poll_finish(cx, now, scratch);
            moved |= self.far.leg_mut().is_some_and(|leg| leg.poll_finish(cx, now, scratch));
            if self.client.leg.is_gone() && self.far.leg_mut().is_none_or(|leg| leg.is_gone()) {
                return Poll::Ready(());
            }
            if !moved {
                return Poll::Pending;
            }
            if self.turns.is_over() {
                break;
            }
        }
        if self.turns.stand_in_line(cx) {
            return Poll::Pending;
        }
        // Not `wake_by_ref`: that would put this task back in front of what the sockets of others have to say.
        pin!(tokio::task::yield_now()).poll(cx)
    }

    fn flush(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.ticker.is_some() {
            return self.flush_and_tick(cx, now);
        }
        let client = self.client.leg.flush(cx, now);
        let far = self.far.leg_mut().is_some_and(|leg| leg.flush(cx, now));
        client || far
    }

    /// Settling may make a Close due, and a Close that is sent may complete a closing handshake: hence both twice.
    fn advance_closing(&mut self, cx: &mut Context<'_>, now: Instant) {
        for _ in 0..2 {
            self.send_due(cx, now);
            self.settle(now);
        }
        self.send_due(cx, now);
    }

    /// Client to backend. Whether anything moved.
    fn inbound(&mut self, cx: &mut Context<'_>, now: Instant, scratch: &mut [u8]) -> bool {
        if !self.client.is_readable() {
            return false;
        }
        if let Some(moved) = self.splice_to_websocket(cx, now) {
            return moved;
        }
        let mut bytes_max = self.client.read_bytes_max();
        if self.hybi00.is_some() {
            bytes_max = bytes_max.min(hybi00::READ_BYTES_MAX);
        }
        self.look_for_room(now, Side::Backend, bytes_max);
        let room = self.inbound_room().min(bytes_max);
        if room == 0 {
            return false;
        }
        let fill = if self.compression.is_some() {
            self.fill_compressed(cx, scratch, room)
        } else {
            self.client.fill(cx, scratch, room)
        };
        match fill {
            Poll::Pending => return false,
            Poll::Ready(Fill::Failed) => self.end(End::ClientLost, now),
            Poll::Ready(Fill::End) => self.client_ended(now),
            Poll::Ready(Fill::Bytes(range)) => {
                if let Err(breach) = self.inbound_frames(cx, now, scratch, range) {
                    self.client.fail();
                    self.end(End::ClientViolation(breach), now);
                }
            }
        }
        true
    }

    fn inbound_frames(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        scratch: &mut [u8],
        range: Range<usize>,
    ) -> Result<(), Breach> {
        match &self.far {
            _ if self.hybi00.is_some() => self.inbound_hybi00(cx, now, scratch, range)?,
            _ if self.compression.is_some() => self.inbound_compressed(cx, now, scratch, range)?,
            Far::Echo(_) => self.inbound_to_echo(cx, now, scratch, range)?,
            Far::Tcp(_) => self.inbound_to_tcp(cx, now, scratch, range)?,
            Far::WebSocket(_) => self.inbound_to_websocket(cx, now, scratch, range)?,
        }
        Ok(())
    }

    /// Backend to client. Whether anything moved.
    fn outbound(&mut self, cx: &mut Context<'_>, now: Instant, scratch: &mut [u8]) -> bool {
        match &self.far {
            Far::Echo(_) => false,
            Far::Tcp(_) => self.outbound_from_tcp(cx, now, scratch),
            Far::WebSocket(_) => self.outbound_from_websocket(cx, now, scratch),
        }
    }

    /// Has the side that so many bytes may go to asked how much it takes, if it could be too little.
    fn look_for_room(&mut self, now: Instant, to: Side, bytes_max: usize) {
        if bytes_max <= BYTES_SOFT {
            return;
        }
        match (to, self.far.leg_mut()) {
            (Side::Backend, Some(far)) => far.look_for_room(now),
            (Side::Client, _) | (Side::Backend, None) => self.client.leg.look_for_room(now),
        }
    }

    /// How much may be read from the client: as much as the far side has room for.
    fn inbound_room(&self) -> usize {
        match &self.far {
            Far::Echo(_) => self.client.leg.room(),
            Far::Tcp(tcp) => tcp.leg.room(),
            Far::WebSocket(backend) => backend.leg.room(),
        }
    }

    /// Notes what a side says, where the session is recorded or watched.
    fn record(&mut self, side: Side, now: Instant, chunk: Chunk<'_>) {
        self.tick_read(side, chunk);
        if let Some(mut tap) = Tape::tap(&mut self.tape, side, now) {
            tap.record(chunk);
        }
    }

    /// Counts messages from the client that have ended, and bytes of them.
    fn count_in(&mut self, message: MessageType, messages: u64, bytes: u64) {
        self.turns.moved(bytes);
        self.live.traffic.inbound(bytes, messages);
        self.meter.inbound(message, messages, bytes);
    }

    /// The same to the client.
    fn count_out(&mut self, message: MessageType, messages: u64, bytes: u64) {
        self.turns.moved(bytes);
        self.live.traffic.outbound(bytes, messages);
        self.meter.outbound(message, messages, bytes);
    }

    /// A ping of ours is on its way.
    fn pinged(&mut self, now: Instant) {
        self.keepalive.pinged(now);
        self.meter.pinged();
    }

    /// Whether this pong answers a ping of ours.
    fn is_answer(&mut self, pong: &[u8], now: Instant) -> bool {
        let waited = self.keepalive.waited(now);
        let is_answer = self.keepalive.answered(pong);
        if let Some(waited) = waited.filter(|_| is_answer) {
            self.meter.round_trip(waited);
        }
        is_answer
    }

    /// Notes control frames of the client.
    fn control_frames(&mut self, frames: u32, now: Instant) {
        self.meter.controls(frames);
        if !self.rate.take(frames, now) {
            self.client.fail();
            self.end(End::ClientFlood, now);
        }
    }

    /// When the client has been silent in the middle of a message for too long. To a TCP backend messages mean nothing.
    fn message_deadline(&self) -> Option<Instant> {
        let counts = match self.far {
            Far::Tcp(_) => false,
            Far::Echo(_) | Far::WebSocket(_) => self.end.is_none() && self.is_client_mid_message(),
        };
        counts.then(|| self.keepalive.last_heard() + MESSAGE_SILENCE)
    }

    fn is_client_mid_message(&self) -> bool {
        match &self.hybi00 {
            Some(hybi00) => hybi00.is_mid_frame(),
            None => !self.client.receiver.at_message_boundary(),
        }
    }

    /// The client's FIN without a Close frame. A TCP backend may still answer; for others it is an abnormal end.
    fn client_ended(&mut self, now: Instant) {
        self.keepalive.stop();
        match &self.far {
            Far::Tcp(tcp) if tcp.leg.is_readable() && !self.client.is_closing() => {
                self.half_closed_since = Some(now);
            }
            Far::Echo(_) | Far::Tcp(_) | Far::WebSocket(_) => self.end(End::ClientEnded, now),
        }
    }

    /// Looks whether the leash was pulled; what it is asked, if it is.
    fn take_news(&mut self) -> Option<Box<Request>> {
        let News { orders, asked } = self.live.leash.news()?;
        if let Some(orders) = orders {
            self.orders = orders;
        }
        asked
    }

    /// What the clock demands.
    fn on_time(&mut self, now: Instant) {
        if self.end.is_none()
            && let Some(because) = self.orders.due(now, || self.live.traffic.counts())
        {
            self.end_as_told(&because, now);
        }
        if self.half_closed_since.is_some_and(|since| now >= since + HALF_CLOSED_SILENCE) {
            self.end(End::ClientEnded, now);
        }
        if self.client.leg.is_stalled(now) {
            self.end(End::ClientStalled, now);
            self.client.leg.abort();
        }
        if self.far.leg_mut().is_some_and(|leg| leg.is_stalled(now)) {
            self.end(End::BackendStalled, now);
            self.far.abort();
        }
        let paused = self.client.is_readable() && self.inbound_room() == 0;
        let (client_is_read, far_is_read) = (self.inbound_room() > 0, self.client.leg.room() > 0);
        if self.client.leg.has_fallen_silent(now, client_is_read) {
            self.end(End::ClientLost, now);
        }
        if self.far.leg_mut().is_some_and(|leg| leg.has_fallen_silent(now, far_is_read)) {
            self.end(End::BackendLost, now);
            self.far.abort();
        }
        if !paused && self.message_deadline().is_some_and(|deadline| now >= deadline) {
            self.end(End::MessageUnfinished, now);
        }
        match self.keepalive.on_time(now, paused) {
            None => {}
            Some(Demand::Ping) => {
                let payload = *self.keepalive.payload();
                self.client.owe_ping(&payload);
            }
            Some(Demand::Unanswered) => self.end(End::PingUnanswered, now),
            Some(Demand::Idle) => self.end(End::Idle, now),
        }
    }

    /// When [`poll`](Self::poll) must run although no socket is ready.
    fn deadline(&self) -> Instant {
        let far = match &self.far {
            Far::Echo(_) => None,
            Far::Tcp(tcp) => tcp.leg.deadline(),
            Far::WebSocket(backend) => backend.deadline(),
        };
        let half_closed = self.half_closed_since.map(|since| since + HALF_CLOSED_SILENCE);
        [
            self.client.deadline(),
            far,
            self.keepalive.deadline(),
            self.message_deadline(),
            half_closed,
            self.last_words_until,
            self.orders.deadline().filter(|_| self.end.is_none()),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or_else(|| clock::now() + Duration::from_secs(3600))
    }

    fn send_due(&mut self, cx: &mut Context<'_>, now: Instant) {
        if self.client.send_due(cx, now) {
            self.pinged(now);
        }
        if let Some(backend) = self.far.websocket_mut() {
            backend.send_due(cx, now);
        }
    }
}

impl Far {
    fn leg_mut(&mut self) -> Option<&mut Leg> {
        match self {
            Self::Echo(_) => None,
            Self::Tcp(tcp) => Some(&mut tcp.leg),
            Self::WebSocket(backend) => Some(&mut backend.leg),
        }
    }

    fn abort(&mut self) {
        if let Some(leg) = self.leg_mut() {
            leg.abort();
        }
    }

    const fn websocket_mut(&mut self) -> Option<&mut Endpoint> {
        match self {
            Self::WebSocket(backend) => Some(backend),
            Self::Echo(_) | Self::Tcp(_) => None,
        }
    }
}

/// The limits of a route for this kind of far side. To a TCP backend messages mean nothing and are never held, so they
/// are limited only where the route says so.
fn limits(rules: &Route, far: &FarSide) -> Limits {
    let default = match far {
        FarSide::Tcp(_) => Limits::NONE,
        FarSide::Echo | FarSide::WebSocket { .. } => Limits::default(),
    };
    Limits {
        frame_bytes_max: rules.frame_bytes_max,
        message_bytes_max: rules.message_bytes_max.unwrap_or(default.message_bytes_max),
        fragments_max: rules.fragments_max.unwrap_or(default.fragments_max),
    }
}

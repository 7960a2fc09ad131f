//! An open WebSocket and the local connection it belongs to: bytes between the two, in one task.
//!
//! One future drives both directions. Each direction has one buffer, which is filled when it is empty and emptied
//! before it is filled again: a side that takes nothing stops the reading of the other, and memory stays as it is.

mod end;
mod ending;
mod incoming;
mod moving;
mod outgoing;

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tidegate_proto::{
    CloseCode, Connection, Decoder, Demand, Encoder, Keepalive, Limits, MessageType, Receiver, Role, Times,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(super) use self::end::End;
use self::incoming::Incoming;
use self::outgoing::Outgoing;
use super::open::Opened;
use crate::clock;
use crate::io::Socket;

/// Rounds of both directions in one turn of the task, before others get theirs.
const ROUNDS_PER_TURN: usize = 16;

/// Whoever is asked this late for what is due has slept, or had no time.
const LATE: Duration = Duration::from_secs(1);

/// How long a session may take to end after we were told to stop.
const STOP_PATIENCE: Duration = Duration::from_millis(500);

/// What a session is like, and how long it waits for what.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// Type of the messages that are sent.
    pub(super) message: MessageType,
    /// Payload bytes of a frame that is sent, at most.
    pub(super) chunk: usize,
    /// Payload bytes of a frame that is received, at most.
    pub(super) frame_bytes_max: u64,
    /// A Close is sent when the local side ends; else TCP is just ended.
    pub(super) says_close: bool,
    pub(super) ping_interval: Option<Duration>,
    pub(super) ping_timeout: Duration,
    /// How long both sides may be silent.
    pub(super) idle_timeout: Option<Duration>,
    /// How long the server may be silent once the session is to end.
    pub(super) close_timeout: Duration,
    /// How long the server may take nothing of what is sent; once the session is to end, the local side too.
    pub(super) stall_timeout: Duration,
}

/// Relays until both sides are gone. A local side that `lingers` is read to its end, so that no reset eats what it was
/// sent. When `stop` is cancelled, the server gets a Close with 1001.
pub(super) async fn run<L: AsyncRead + AsyncWrite + Unpin>(
    local: L,
    lingers: bool,
    opened: Opened,
    settings: &Settings,
    stop: &CancellationToken,
) -> End {
    let mut session = Session::new(local, lingers, opened, settings);
    let mut stopped = pin!(stop.cancelled());
    let mut alarm = pin!(tokio::time::sleep_until(session.deadline()));
    poll_fn(|cx| {
        if session.stop_by.is_none() && stopped.as_mut().poll(cx).is_ready() {
            session.stop();
        }
        if let Poll::Ready(end) = session.poll(cx) {
            return Poll::Ready(end);
        }
        // The alarm may ring early, never late: deadlines that only move back do not touch the timer.
        let deadline = session.deadline();
        if deadline < alarm.deadline() {
            alarm.as_mut().reset(deadline);
        }
        if alarm.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        alarm.as_mut().reset(deadline);
        session.rang = Some(session.now());
        // After a sleep the clock may wake us before the sockets do. A server is not judged before it was heard.
        give_way(cx);
        Poll::Pending
    })
    .await
}

struct Session<'a, L> {
    settings: &'a Settings,
    local: Local<L>,
    server: Server,
    connection: Connection,
    keepalive: Keepalive,
    /// A Ping waits to be sent.
    ping_due: bool,
    outgoing: Outgoing,
    incoming: Incoming,
    /// The first cause of the end, as soon as there is one.
    end: Option<End>,
    /// What all times count from.
    started: Instant,
    /// When the alarm rang. The sockets were asked since, and the next turn judges.
    rang: Option<Duration>,
    /// When something last moved that the end waits for.
    moved_at: Duration,
    /// When the server last took something.
    taken_at: Duration,
    /// We were told to stop; it is over then at the latest.
    stop_by: Option<Duration>,
    /// The end has taken too long.
    out_of_patience: bool,
}

#[derive(Debug)]
struct Local<L> {
    io: L,
    lingers: bool,
    /// It has ended its direction.
    ended: bool,
    /// It takes no more: it is gone, or we have ended our direction.
    finished: bool,
    unflushed: bool,
}

#[derive(Debug)]
struct Server {
    socket: Socket,
    /// Its Close has come, or it broke the protocol: what follows is dropped.
    said_all: bool,
    /// It has ended its direction.
    ended: bool,
    /// It takes no more, or is to be sent no more.
    finished: bool,
    /// Our direction is to end as soon as everything is sent.
    finish_due: bool,
    unflushed: bool,
}

impl<'a, L: AsyncRead + AsyncWrite + Unpin> Session<'a, L> {
    fn new(local: L, lingers: bool, opened: Opened, settings: &'a Settings) -> Self {
        let limits = Limits { frame_bytes_max: settings.frame_bytes_max, ..Limits::NONE };
        let receiver = Receiver::new(Decoder::new(Role::Client, limits));
        // Pings are ours to demand, for only we know when nobody reads their answers; and so is every deadline.
        let (forever, ping) = (Duration::MAX / 4, fresh_payload());
        let silent =
            Times { ping_interval: None, ping_timeout: None, idle_timeout: None, close_timeout: forever };
        let times = Times {
            ping_interval: settings.ping_interval,
            ping_timeout: Some(settings.ping_timeout),
            idle_timeout: settings.idle_timeout,
            close_timeout: forever,
        };
        let now = Duration::ZERO;
        let mut session = Self {
            settings,
            local: Local { io: local, lingers, ended: false, finished: false, unflushed: false },
            server: Server {
                socket: opened.socket,
                said_all: false,
                ended: false,
                finished: false,
                finish_due: false,
                unflushed: false,
            },
            connection: Connection::new(receiver, Encoder::new(Role::Client), &silent, now, ping),
            keepalive: Keepalive::new(now, &times, ping),
            ping_due: false,
            outgoing: Outgoing::new(settings.chunk, settings.message),
            incoming: Incoming::new(&opened.early),
            end: None,
            started: clock::now(),
            rang: None,
            moved_at: now,
            taken_at: now,
            stop_by: None,
            out_of_patience: false,
        };
        session.decode(0, now);
        session
    }

    fn now(&self) -> Duration {
        clock::now() - self.started
    }

    /// One turn: whatever can move, moves.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        for _ in 0..ROUNDS_PER_TURN {
            let now = self.now();
            let mut moved = self.send(cx, now);
            moved |= self.take_controls(now);
            moved |= self.read_local(cx, now);
            moved |= self.deliver(cx, now);
            moved |= self.read_server(cx, now);
            if self.is_over() {
                return Poll::Ready(self.end.take().unwrap_or(End::Unanswered));
            }
            // Not before: what came in time is heard first, however late it is read.
            if !moved && !self.on_time(now) {
                return Poll::Pending;
            }
        }
        self.on_time(self.now()); // who never stops for breath is judged as well
        give_way(cx);
        Poll::Pending
    }

    /// What the clock demands, at the end of a turn. Whether anything came of it.
    fn on_time(&mut self, now: Duration) -> bool {
        let (rang, paused) = (self.rang.take(), !self.incoming.is_delivered());
        if rang.zip(self.end_by()).is_some_and(|(rang, deadline)| rang >= deadline) {
            self.out_of_patience = true;
            return true;
        }
        let is_stalled = rang.zip(self.stall_deadline()).is_some_and(|(rang, deadline)| rang >= deadline);
        if is_stalled {
            self.end.get_or_insert(End::Stalled);
            self.server.ended = true;
            self.server_takes_no_more();
            self.connection.handle_end();
        }
        let Some(until) = rang.or(paused.then_some(now)).filter(|_| !self.is_ending()) else {
            return is_stalled;
        };
        // While we slept nobody read the server: its answer may lie behind the first of what it has to say now.
        let heard = self.keepalive.last_heard();
        let is_heard_again = self.keepalive.deadline().is_some_and(|due| until.min(heard) >= due + LATE);
        match self.keepalive.demand(until, paused || is_heard_again) {
            None => return false, // who is stalled is ending
            Some(Demand::Ping) => {
                self.connection.ping();
                self.ping_due = true;
            }
            Some(Demand::Unanswered) => self.end_with(End::PingUnanswered, CloseCode::GOING_AWAY, now),
            Some(Demand::Idle) => self.end_with(End::Idle, CloseCode::GOING_AWAY, now),
        }
        true
    }

    fn stall_deadline(&self) -> Option<Duration> {
        let waits = !self.outgoing.is_empty() || self.server.unflushed;
        (waits && !self.server.finished).then(|| self.taken_at + self.settings.stall_timeout)
    }

    /// When [`poll`](Self::poll) must run although no socket is ready.
    fn deadline(&self) -> Instant {
        let keepalive = if self.is_ending() { None } else { self.keepalive.deadline() };
        let all = [self.stall_deadline(), self.end_by(), keepalive];
        let first = all.into_iter().flatten().min().unwrap_or(A_LONG_TIME);
        // Time that has passed already would make the alarm ring without end where nothing comes of it.
        self.started + first.max(self.now() + Duration::from_millis(1)).min(self.now() + A_LONG_TIME)
    }
}

/// Has the task woken when the sockets, of others too, were asked. Not by `wake_by_ref` alone: that would put it in front.
fn give_way(cx: &mut Context<'_>) {
    if pin!(tokio::task::yield_now()).poll(cx).is_ready() {
        cx.waker().wake_by_ref();
    }
}

/// What our Pings carry: nobody else's Pong is taken for an answer.
fn fresh_payload() -> [u8; 8] {
    let mut payload = [0; 8];
    getrandom::fill(&mut payload).expect("the system gives random bytes");
    payload
}

/// The alarm rings now and then, even if nothing is due.
const A_LONG_TIME: Duration = Duration::from_secs(3600);

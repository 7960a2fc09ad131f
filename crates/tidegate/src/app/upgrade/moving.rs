//! Sessions on their way from one process to the other.
#![expect(clippy::wildcard_enum_match_arm, reason = "whatever else the other side says is refused alike")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use super::giving::{Failed, Giving, sent};
use super::{Report, STEP};
use crate::clock::{self, timeout};
use crate::handover::message::Taker;
use crate::handover::wire::{self, Frame, Kind};
use crate::handover::{Frozen, MoveAnswer, MoveRequest, Reply, StayReason};
use crate::live::{Filter, Live};
use crate::service::Service;

/// Sessions that stand still at a time. Each waits for those before it, so few means short pauses; one at a time would
/// have both processes wait for each other.
const WINDOW: usize = 32;

/// Bytes of their records above which no more are asked to stand still: some hold a megabyte for a slow side.
const WINDOW_BYTES: usize = 256 << 10;

/// What has become of each session so far.
#[derive(Debug, Default)]
pub(super) struct Moving {
    /// Sent, and neither taken nor declined.
    in_flight: HashMap<u64, InFlight>,
    stays: BTreeMap<u64, StayReason>,
    /// Sessions that had been opened when they were last asked.
    opened: Option<u64>,
    pauses: Vec<Duration>,
}

#[derive(Debug)]
struct InFlight {
    since: Instant,
    bytes: usize,
    moved: oneshot::Sender<()>,
}

impl Moving {
    pub(super) fn report(&self, pid: u32, version: String) -> Report {
        let mut report = Report { pid, version, pauses: self.pauses.clone(), ..Report::default() };
        report.pauses.sort_unstable();
        for why in self.stays.values() {
            *report.stays.entry(*why).or_default() += 1;
        }
        report
    }

    fn bytes_in_flight(&self) -> usize {
        self.in_flight.values().map(|session| session.bytes).sum()
    }

    /// Whether sessions stay for a reason that may be gone a moment later.
    pub(super) fn has_temporary_stays(&self) -> bool {
        self.stays.values().any(|stays| stays.is_temporary())
    }

    /// The sessions to be asked: all that are new, and those that stay for a reason that may be gone. Most looks find neither,
    /// and cost nothing.
    fn sessions_to_ask(&mut self, service: &Service) -> Vec<Arc<Live>> {
        let opened = Some(service.live.opened()); // before the look: whoever enters during it is looked for again
        if std::mem::replace(&mut self.opened, opened) == opened && !self.has_temporary_stays() {
            return Vec::new();
        }
        let mut sessions = service.live.sessions(&Filter::default());
        let open: HashSet<u64> = sessions.iter().map(|live| live.about.conn).collect();
        self.stays.retain(|conn, _| open.contains(conn));
        sessions.retain(|live| self.stays.get(&live.about.conn).is_none_or(|stays| stays.is_temporary()));
        sessions
    }

    pub(super) const fn has_moved(&self) -> bool {
        !self.pauses.is_empty()
    }

    /// Takes back every session that the other process has not said to have; nothing more can be said by it.
    pub(super) fn give_up(&mut self, receiver: &mut wire::Receiver) {
        while let Ok(Some(frame)) = receiver.received() {
            if self.heard(&frame).is_err() {
                break;
            }
        }
        self.in_flight.clear();
    }

    fn heard(&mut self, frame: &Frame) -> Result<(), Failed> {
        match frame.message()? {
            Taker::Taken { conn } => {
                let InFlight { since, moved, .. } = self.answered(conn)?;
                moved.send(()).ok(); // a session that was dropped meanwhile, with its worker, needs to know nothing
                self.stays.remove(&conn);
                self.pauses.push(clock::now() - since);
                Ok(())
            }
            Taker::Declined { conn, why } => {
                self.answered(conn)?;
                if !self.stays.values().any(|stays| *stays == StayReason::Declined) {
                    tracing::warn!(
                        conn,
                        "the new process does not take a WebSocket, and maybe others: {why}"
                    );
                }
                self.stays.insert(conn, StayReason::Declined);
                Ok(())
            }
            Taker::Refused { why } => Err(Failed::Refused(why)),
            other => Err(Failed::Unexpected(format!("{other:?}"))),
        }
    }

    fn answered(&mut self, conn: u64) -> Result<InFlight, Failed> {
        let in_flight = self.in_flight.remove(&conn);
        in_flight.ok_or_else(|| Failed::Unexpected(format!("word of connection {conn}, which was not sent")))
    }
}

impl Giving {
    /// Moves all sessions that there are now and that can be moved.
    pub(super) async fn move_sessions(&mut self, service: &Service) -> Result<(), Failed> {
        let (to, mut answers) = mpsc::unbounded_channel();
        let mut sessions = self.moving.sessions_to_ask(service).into_iter();
        let mut asked = 0;
        loop {
            while asked + self.moving.in_flight.len() < WINDOW
                && self.moving.bytes_in_flight() < WINDOW_BYTES
                && let Some(live) = sessions.next()
            {
                live.leash.ask(MoveRequest::new(live.about.conn, self.capabilities, to.clone()));
                asked += 1;
            }
            if asked == 0 && self.moving.in_flight.is_empty() {
                return Ok(());
            }
            tokio::select! {
                Some(answer) = answers.recv() => {
                    asked -= 1;
                    self.on_answer(answer).await?;
                }
                received = self.receiver.receive() => {
                    let frame = self.frame(received, "has all sessions").await?;
                    self.moving.heard(&frame)?;
                }
                () = sleep(STEP) => {
                    let sent = !self.moving.in_flight.is_empty();
                    return Err(if sent { Failed::Overdue { due: "has a session" } } else { Failed::WorkerOverdue });
                }
            }
        }
    }

    async fn on_answer(&mut self, answer: MoveAnswer) -> Result<(), Failed> {
        let conn = answer.conn;
        match answer.reply {
            Reply::Ended => {
                self.moving.stays.remove(&conn);
                Ok(())
            }
            Reply::Stays(why) => {
                self.moving.stays.insert(conn, why);
                Ok(())
            }
            Reply::Frozen(Frozen { record, descriptors, since, moved }) => {
                let descriptors: Vec<_> = descriptors.iter().map(|descriptor| descriptor.as_fd()).collect();
                // Before it is sent: whatever happens then, it is known to be under way.
                self.moving.in_flight.insert(conn, InFlight { since, bytes: record.len(), moved });
                let sending = self.sender.send(Kind::Session, &record, &descriptors);
                sent(timeout(STEP, sending).await, "has a session")
            }
        }
    }
}

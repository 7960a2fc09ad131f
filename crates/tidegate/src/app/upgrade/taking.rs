//! The side of the new process.
#![expect(clippy::wildcard_enum_match_arm, reason = "whatever else the other side says is refused alike")]

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use rustix::net::sockopt;
use rustix::process::{Pid, geteuid, getppid};
use socket2::SockRef;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::{Running, STEP};
use crate::app::Source;
use crate::config::Config;
use crate::conn::Resumed;
use crate::handover::Record;
use crate::handover::message::{Giver, Taker};
use crate::handover::record::{FORMAT_MIN, KNOWN_NEEDS};
use crate::handover::wire::{self, Frame, Kind};
use crate::listener::{Gate, Inherited, Place};
use crate::service::Service;
use crate::worker::Load;

/// How long a process that has hung up is given to be seen to have ended.
const DEATH: Duration = Duration::from_secs(1);

/// The process that hands over.
#[derive(Debug)]
pub(crate) struct Predecessor {
    socket: StdUnixStream,
    /// Its number, which is that of our parent as long as it lives.
    parent: Option<Pid>,
}

/// What came of taking over.
pub(in crate::app) enum Taken {
    /// This process is the gateway now.
    Over(Running),
    /// The other one goes on. There may be sessions that had been taken before.
    Abandoned(Running),
}

impl Predecessor {
    /// The one at the other end of standard input, which nobody else reads from then on.
    ///
    /// # Errors
    /// Standard input is no socket of the same user.
    pub(crate) fn at_standard_input() -> anyhow::Result<Self> {
        let socket = rustix::stdio::stdin().try_clone_to_owned()?;
        let null = File::open("/dev/null").context("cannot open /dev/null")?;
        let domain = SockRef::from(&socket).domain();
        ensure!(
            domain.is_ok_and(|domain| domain == socket2::Domain::UNIX),
            "the switch is for a process that a running gateway starts; to begin a hand-over, run tidegate upgrade"
        );
        let peer = sockopt::socket_peercred(&socket).context("cannot find out who is at the other end")?;
        ensure!(peer.uid == geteuid(), "the process at the other end is another user's");
        rustix::stdio::dup2_stdin(null.as_fd()).context("cannot replace standard input")?;
        let socket = StdUnixStream::from(socket);
        socket.set_nonblocking(true)?;
        Ok(Self { socket, parent: getppid() })
    }
}

/// Takes over everything that there is to be had.
///
/// # Errors
/// Why it does not; the other process knows.
pub(in crate::app) async fn take_over(
    predecessor: Predecessor,
    config: Result<Config, String>,
    source: Source,
) -> anyhow::Result<Taken> {
    let (sender, receiver) = wire::split(UnixStream::from_std(predecessor.socket)?);
    let mut taking = Taking { sender, receiver, parent: predecessor.parent };
    let mut inherited = taking.greet().await?;
    let gate = Gate::new(false);
    let running = match config {
        Ok(config) => Running::prepare(config, Some(source), &mut inherited, gate),
        Err(wrong) => Err(anyhow!(wrong)),
    };
    let running = match running {
        Ok(running) => running,
        Err(error) => {
            taking.say(&Taker::Refused { why: format!("{error:#}") }).await?;
            return Err(error.context("cannot take over"));
        }
    };
    let listeners = inherited.taken().to_vec();
    drop(inherited); // what nobody here wants is closed
    taking.say(&Taker::Ready { listeners }).await?;
    let taken = taking.take_all(&running).await;
    running.service.books.metrics.taken_over.fetch_add(taken.sessions, std::sync::atomic::Ordering::Relaxed);
    if !taken.is_over {
        tracing::error!(
            sessions = taken.sessions,
            "the other process goes on; this one ends when its sessions do"
        );
        return Ok(Taken::Abandoned(running));
    }
    running.gate.open();
    running.doors.lock().await.keep();
    if let Some(desk) = running.desk().as_mut() {
        desk.keep();
    }
    tracing::info!(sessions = taken.sessions, "took over");
    running.service.books.metrics.handovers.add("taken");
    Ok(Taken::Over(running))
}

struct Taking {
    sender: wire::Sender,
    receiver: wire::Receiver,
    parent: Option<Pid>,
}

/// How far it came.
struct Got {
    sessions: u64,
    is_over: bool,
}

/// What a worker is told.
enum Told {
    /// Here is a session, for a place and a part of the worker's load that are its own.
    Take(Frame, Load, Place),
    /// This one is yours: go on.
    Go(u64),
}

/// What a worker says of a session that it was given.
struct Thawed {
    conn: u64,
    /// The worker that has it.
    worker: usize,
    /// Why it cannot be gone on with, if so.
    result: Result<(), String>,
}

impl Taking {
    /// Both say who they are; then come the sockets that listen.
    async fn greet(&mut self) -> anyhow::Result<Inherited> {
        match self.hear().await?.message()? {
            Giver::Hello { .. } => {}
            other => bail!("the process that hands over began with {other:?}"),
        }
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let knows = KNOWN_NEEDS.iter().map(|&need| need.to_owned()).collect();
        self.say(&Taker::Hello { format_min: FORMAT_MIN, knows, version }).await?;
        let mut inherited = Inherited::default();
        loop {
            let mut frame = self.hear().await?;
            match (frame.message()?, frame.descriptors.pop()) {
                (Giver::Listener(listener), Some(descriptor)) => inherited.hand(listener, descriptor)?,
                (Giver::Prepare, None) => return Ok(inherited),
                (other, _) => bail!("the process that hands over said {other:?} among its listeners"),
            }
        }
    }

    /// Takes sessions until there are no more, or the other process is gone.
    async fn take_all(&mut self, running: &Running) -> Got {
        let (to, mut thawed) = mpsc::unbounded_channel();
        let service = &running.service;
        let desks =
            running.workers.open_desks(|worker, told| take_up(worker, told, to.clone(), Arc::clone(service)));
        let mut got = Got { sessions: 0, is_over: false };
        loop {
            let frame = tokio::select! {
                Some(Thawed { conn, worker, result }) = thawed.recv() => {
                    let message = match result {
                        Ok(()) => Taker::Taken { conn },
                        Err(why) => Taker::Declined { conn, why },
                    };
                    // Said before it goes on: who hears it knows that the other side's copy is void.
                    if self.say(&message).await.is_ok() && matches!(message, Taker::Taken { .. }) {
                        got.sessions += 1;
                        desks.tell(worker, Told::Go(conn));
                    }
                    continue;
                }
                frame = self.receiver.receive() => frame,
            };
            match frame {
                Ok(Some(frame)) if frame.kind == Kind::Session => {
                    desks.give(|load| Told::Take(frame, load, running.places.take_anyway()));
                }
                Ok(Some(frame)) => match frame.message() {
                    Ok(Giver::Serve { connections }) => {
                        running.service.number_connections_from(connections);
                        running.gate.open();
                        self.say(&Taker::Serving).await.ok(); // not heard, the line is at its end
                    }
                    Ok(Giver::Done) => {
                        got.is_over = self.say(&Taker::Over).await.is_ok() || self.is_orphaned(running).await;
                        return got;
                    }
                    Ok(other) => {
                        tracing::error!("the process that hands over said {other:?}, which was not due");
                        return self.left(running, got).await;
                    }
                    Err(error) => {
                        tracing::error!(%error, "the process that hands over cannot be understood");
                        return self.left(running, got).await;
                    }
                },
                Ok(None) | Err(_) => return self.left(running, got).await,
            }
        }
    }

    /// The other process says nothing more: it goes on by itself, or has ended.
    async fn left(&self, running: &Running, mut got: Got) -> Got {
        got.is_over = self.is_orphaned(running).await;
        got
    }

    /// Whether the other process has ended: then somebody has to serve. If not, nobody is let in here.
    async fn is_orphaned(&self, running: &Running) -> bool {
        const LOOK: Duration = Duration::from_millis(20);
        running.gate.shut();
        let ended = async {
            while getppid() == self.parent {
                sleep(LOOK).await; // nobody tells that a parent has ended
            }
        };
        timeout(DEATH, ended).await.is_ok()
    }

    async fn say(&mut self, message: &Taker) -> io::Result<()> {
        timeout(STEP, self.sender.say(message)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn hear(&mut self) -> anyhow::Result<Frame> {
        let frame = timeout(STEP, self.receiver.receive()).await;
        let frame = frame.context("the process that hands over says nothing more")??;
        frame.context("the process that hands over has hung up")
    }
}

/// What one worker does: it takes up sessions, and goes on with each when it is told to. Those of which it was not told
/// when it hears nothing more are left.
async fn take_up(
    worker: usize,
    mut told: mpsc::UnboundedReceiver<Told>,
    to: mpsc::UnboundedSender<Thawed>,
    service: Arc<Service>,
) {
    let mut standing = HashMap::new();
    while let Some(told) = told.recv().await {
        match told {
            Told::Take(frame, load, place) => {
                let (conn, taken) = thaw(frame, &service, (load, place));
                let result = taken.map(|resumed| drop(standing.insert(conn, resumed)));
                to.send(Thawed { conn, worker, result }).ok(); // not heard, it is not told to go on either
            }
            Told::Go(conn) => {
                if let Some(resumed) = standing.remove(&conn) {
                    resumed.go_on();
                }
            }
        }
    }
    standing.into_values().for_each(Resumed::leave);
}

/// Takes up a session; its number, and why it cannot be gone on with, if so.
fn thaw<K: Send + Sync + 'static>(
    frame: Frame,
    service: &Arc<Service>,
    kept: K,
) -> (u64, Result<Resumed<K>, String>) {
    let Frame { bytes, descriptors, .. } = frame;
    match Record::read(&bytes) {
        // Without its number nobody can be told of it, and the other side ends the hand-over.
        Err(error) => (Record::conn_in(&bytes).unwrap_or_default(), Err(error.to_string())),
        Ok(record) => {
            let conn = record.about.conn;
            let taken = Resumed::take_up(record, descriptors, service, kept);
            (conn, taken.map_err(|unfit| unfit.to_string()))
        }
    }
}

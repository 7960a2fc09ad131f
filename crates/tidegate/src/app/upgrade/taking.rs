//! The side of the new process.
#![expect(clippy::wildcard_enum_match_arm, reason = "whatever else the other side says is refused alike")]

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use rustix::net::sockopt;
use rustix::process::{Pid, geteuid, getppid};
use socket2::SockRef;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::{Counterpart, Running, STEP, STRAGGLERS};
use crate::app::{Source, Stop, StopSignals};
use crate::clock::timeout;
use crate::config::Config;
use crate::conn::Resumed;
use crate::handover::Record;
use crate::handover::capabilities::CAPABILITIES;
use crate::handover::message::{Giver, Taker};
use crate::handover::record::FORMAT_MIN;
use crate::handover::wire::{self, Frame, Kind, SharedSender};
use crate::listener::{Gate, Inherited, Place};
use crate::service::Service;
use crate::worker::Load;

/// How long the other process may say nothing while sessions could come. It is silent for long where it waits for its last
/// connections, then for a worker, and for a session to be written down.
const SILENCE: Duration = STRAGGLERS.saturating_add(STEP.saturating_mul(3));

/// How long a process that has hung up is given to be seen to have ended.
const DEATH: Duration = Duration::from_secs(1);

/// The process that hands over.
#[derive(Debug)]
pub(crate) struct Predecessor {
    socket: StdUnixStream,
    /// Its number, which is that of our parent as long as it lives.
    parent: Option<Pid>,
}

/// What a take-over has come to.
pub(in crate::app) enum Takeover {
    /// This process is the gateway now, and the other one ends.
    Complete(Running, Counterpart),
    /// The other one goes on. There may be sessions that had been taken before. This process may have been told to stop.
    Abandoned(Running, Option<Stop>),
    /// This process was told to stop before there was anything to take.
    Stopped,
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

/// Takes over everything that there is to be had, unless a signal says stop.
///
/// # Errors
/// Why it does not; the other process knows.
pub(in crate::app) async fn take_over(
    predecessor: Predecessor,
    config: Result<Config, String>,
    source: Source,
    stops: &mut StopSignals,
) -> anyhow::Result<Takeover> {
    let (sender, receiver) = wire::split(UnixStream::from_std(predecessor.socket)?);
    let mut taking = Taking { sender, receiver, parent: predecessor.parent };
    let running = tokio::select! {
        running = taking.prepare(config, source) => running?,
        _ = stops.next() => return Ok(Takeover::Stopped),
    };
    let taken = taking.take_all(&running, stops).await;
    running.service.telemetry.metrics.taken_over.fetch_add(taken.sessions, Ordering::Relaxed);
    if !taken.is_over {
        let sessions = taken.sessions;
        if taken.told.is_some() {
            tracing::info!(sessions, "told to stop before everything was taken over");
        } else {
            tracing::error!(sessions, "the other process goes on; this one ends when its sessions do");
        }
        if let Some(admin) = running.admin().as_mut() {
            admin.close();
        }
        return Ok(Takeover::Abandoned(running, taken.told));
    }
    running.gate.open();
    running.listeners.lock().await.keep();
    if let Some(admin) = running.admin().as_mut() {
        admin.keep();
    }
    tracing::info!(sessions = taken.sessions, "took over");
    running.service.telemetry.metrics.handovers.add("taken");
    Ok(Takeover::Complete(running, Counterpart::at(taking.sender.shared(), taking.receiver)))
}

struct Taking {
    sender: wire::Sender,
    receiver: wire::Receiver,
    parent: Option<Pid>,
}

/// How far the sessions came.
struct TakenSessions {
    sessions: u64,
    is_over: bool,
    /// This process was told to stop meanwhile.
    told: Option<Stop>,
}

/// A session for a worker, with a part of its load and a place of its own.
type Given = (Frame, Load, Place);

impl Taking {
    /// Down to our word that everything stands.
    async fn prepare(&mut self, config: Result<Config, String>, source: Source) -> anyhow::Result<Running> {
        let mut inherited = self.greet().await?;
        let gate = Gate::new(false);
        let running = match config {
            Ok(config) => Running::prepare(config, Some(source), &mut inherited, gate),
            Err(wrong) => Err(anyhow!(wrong)),
        };
        let running = match running {
            Ok(running) => running,
            Err(error) => {
                self.say(&Taker::Refused { why: format!("{error:#}") }).await?;
                return Err(error.context("cannot take over"));
            }
        };
        let listeners = inherited.taken().to_vec();
        drop(inherited); // what nobody here wants is closed
        self.say(&Taker::Ready { listeners }).await?;
        Ok(running)
    }

    /// Both say who they are; then come the sockets that listen.
    async fn greet(&mut self) -> anyhow::Result<Inherited> {
        match self.hear().await?.message()? {
            Giver::Hello { .. } => {}
            other => bail!("the process that hands over began with {other:?}"),
        }
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let knows = CAPABILITIES.iter().map(|&name| name.to_owned()).collect();
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

    /// Takes sessions until there are no more, the other process is gone or silent, or a signal says stop.
    async fn take_all(&mut self, running: &Running, stops: &mut StopSignals) -> TakenSessions {
        let taken = Arc::<AtomicU64>::default();
        let shared = self.sender.shared();
        let queues = running.workers.queue_to_each(|given| {
            take_up(given, shared.clone(), Arc::clone(&running.service), Arc::clone(&taken))
        });
        let mut told = None;
        let is_over = loop {
            let received = tokio::select! {
                received = timeout(SILENCE, self.receiver.receive()) => received,
                stop = stops.next() => {
                    told = Some(stop);
                    self.is_orphaned(running).await;
                    stops.forget_repeated(); // the other process, if it is told as well, tells us
                    break false;
                }
            };
            let frame = match received {
                Ok(Ok(Some(frame))) => frame,
                Ok(Ok(None) | Err(_)) => break self.is_orphaned(running).await, // it goes on by itself, or has ended
                Err(_elapsed) => {
                    tracing::error!("the process that hands over says nothing more");
                    break self.is_orphaned(running).await;
                }
            };
            if frame.kind == Kind::Session {
                queues.give(|load| (frame, load, running.places.take_anyway()));
                continue;
            }
            match frame.message() {
                Ok(Giver::Serve { connections }) => {
                    running.service.number_connections_from(connections);
                    running.gate.open();
                    self.say(&Taker::Serving).await.ok(); // not heard, the line is at its end
                }
                Ok(Giver::Done) => {
                    break self.say(&Taker::Over).await.is_ok() || self.is_orphaned(running).await;
                }
                Ok(other) => {
                    tracing::error!("the process that hands over said {other:?}, which was not due");
                    break self.is_orphaned(running).await;
                }
                Err(error) => {
                    tracing::error!(%error, "the process that hands over cannot be understood");
                    break self.is_orphaned(running).await;
                }
            }
        };
        TakenSessions { sessions: taken.load(Ordering::SeqCst), is_over, told }
    }

    /// Whether the other process has ended: then somebody has to serve. If not, nobody is let in here.
    async fn is_orphaned(&self, running: &Running) -> bool {
        const LOOK: Duration = Duration::from_millis(20);
        self.sender.hang_up(); // first of all, so that it takes back at once what is not ours
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

/// What one worker does: it takes up sessions, says so, and goes on with them at once.
async fn take_up(
    mut given: mpsc::UnboundedReceiver<Given>,
    sender: SharedSender,
    service: Arc<Service>,
    taken: Arc<AtomicU64>,
) {
    while let Some((frame, load, place)) = given.recv().await {
        let (conn, result) = thaw(frame, &service, (load, place));
        match result {
            Err(why) => drop(sender.say_at_once(&Taker::Declined { conn, why })), // not heard, it is not believed to be here
            Ok(resumed) => {
                taken.fetch_add(1, Ordering::SeqCst); // before it is heard, which may be the last thing that is waited for
                // Said before it goes on: who hears it knows that the other side's copy is void.
                if sender.say_at_once(&Taker::Taken { conn }).is_ok() {
                    resumed.go_on();
                } else {
                    taken.fetch_sub(1, Ordering::SeqCst);
                    resumed.leave();
                }
            }
        }
    }
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

//! The side of the process that serves, step by step.
#![expect(clippy::wildcard_enum_match_arm, reason = "whatever else the other side says is refused alike")]

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::counterpart::Counterpart;
use super::leftovers::Leftovers;
use super::moving::Moving;
use super::{Launch, Report, STEP, STRAGGLERS, SWITCH};
use crate::app::Running;
use crate::app::listeners::Listeners;
use crate::clock::{self, Elapsed, timeout};
use crate::drain::told_within;
use crate::handover::capabilities::Capabilities;
use crate::handover::message::{Giver, Listener, Taker};
use crate::handover::record::FORMAT;
use crate::handover::wire::{self, Frame};
use crate::listener::Gate;
use crate::notify;

/// How long a session is waited for that can move at the end of the message under way.
const MESSAGES: Duration = Duration::from_secs(5);

/// How often they are looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Whose end is the end of its container.
const FIRST_PROCESS: u32 = 1;

/// Looks in a row that find nothing under way.
const QUIET_LOOKS: u32 = 3;

/// Why nothing was handed over. Everything goes on in this process, but for sessions that the other one had taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// This process was started in another way.
    #[error("this process does not know how it was started, so it cannot start another")]
    NoLaunch,
    #[error(
        "this is process 1, and with it everything in its container ends, the new process too; start a new container beside it, or run the gateway below an init (docker run --init)"
    )]
    First,
    #[error("cannot start {}: {error}", binary.display())]
    Start { binary: PathBuf, error: io::Error },
    #[error("the new process refuses: {0}")]
    Refused(String),
    #[error("the new process ended before it {0}{status}", status = ended_with(.1.as_ref()))]
    Ended(&'static str, Option<ExitStatus>),
    #[error("the new process had {} seconds to say that it {due}, and did not", STEP.as_secs())]
    Overdue { due: &'static str },
    #[error("a worker of this process did not answer in time")]
    WorkerOverdue,
    #[error("the new process said something else than was due: {0}")]
    Unexpected(String),
    #[error("the line to the new process broke: {0}")]
    Line(#[from] io::Error),
    #[error("formats of sessions: this process writes {FORMAT}, the new one reads from {0}")]
    Format(u32),
}

/// A hand-over under way. Dropped before its end, everything goes on in this process.
pub(super) struct Giving {
    /// The new process. Gone only where it is left to itself.
    child: Option<Child>,
    pid: u32,
    leftovers: Leftovers,
    gate: Gate,
    pub(super) sender: wire::Sender,
    pub(super) receiver: wire::Receiver,
    pub(super) moving: Moving,
    /// What the new process can go on with.
    pub(super) capabilities: Capabilities,
    version: String,
    /// It may have clients of its own.
    serves: bool,
    is_over: bool,
}

impl Running {
    /// Starts a new process and gives it everything that can be given.
    pub(super) async fn hand_over(
        &self,
        launch: Option<&Launch>,
        binary: Option<PathBuf>,
    ) -> Result<(Report, Counterpart), Failed> {
        let launch = launch.ok_or(Failed::NoLaunch)?;
        if std::process::id() == FIRST_PROCESS {
            return Err(Failed::First);
        }
        let mut listeners = self.listeners.lock().await; // nothing is reloaded meanwhile
        let mut giving = Giving::start(launch, binary.as_deref(), self.gate.clone(), self.leftovers.clone())?;
        let taken = giving.prepare(self, &listeners).await?;
        giving.move_sessions(&self.service).await?;
        giving.switch(self).await?;
        giving.move_stragglers(self, &listeners).await?;
        giving.finish().await?;
        self.stop_accepting(); // while nothing is reloaded: whoever waits to reload finds that it is too late
        let mut before = 0;
        if let Some(admin) = self.admin().as_mut() {
            before = 1; // its socket was the first
            if taken.contains(&0) {
                admin.release();
            }
            admin.close();
        }
        listeners.release(|index| taken.contains(&(before + index)));
        let patience = self.settings().patience;
        let counterpart = Counterpart::at(giving.sender.shared(), giving.receiver.take());
        Ok((giving.report(told_within(patience)), counterpart))
    }
}

impl Giving {
    fn start(
        launch: &Launch,
        binary: Option<&Path>,
        gate: Gate,
        leftovers: Leftovers,
    ) -> Result<Self, Failed> {
        let binary = binary.unwrap_or(&launch.binary);
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let (sender, receiver) = wire::split(UnixStream::from_std(ours)?);
        let child = Command::new(binary)
            .args(&launch.arguments)
            .arg(SWITCH)
            .env_remove("WATCHDOG_PID") // it names this process
            .stdin(OwnedFd::from(theirs))
            .spawn()
            .map_err(|error| Failed::Start { binary: binary.to_owned(), error })?;
        let pid = child.id().unwrap_or_default(); // nobody has waited for it yet
        Ok(Self {
            child: Some(child),
            pid,
            leftovers,
            gate,
            sender,
            receiver,
            moving: Moving::default(),
            capabilities: Capabilities::default(),
            version: String::new(),
            serves: false,
            is_over: false,
        })
    }

    /// Down to the word of the new process that it is ready; which listeners it takes over.
    async fn prepare(&mut self, running: &Running, listeners: &Listeners) -> Result<Vec<usize>, Failed> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.say(&Giver::Hello { format: FORMAT, version }).await?;
        match self.hear("says hello").await? {
            Taker::Hello { format_min, knows, version } if format_min <= FORMAT => {
                self.capabilities = Capabilities::of(&knows);
                self.version = version;
            }
            Taker::Hello { format_min, .. } => return Err(Failed::Format(format_min)),
            other => return Err(Failed::Unexpected(format!("{other:?}"))),
        }
        for (listener, descriptor) in listening_sockets(running, listeners)? {
            let (message, descriptors) = (Giver::Listener(listener), [descriptor.as_fd()]);
            let said = timeout(STEP, self.sender.say_with(&message, &descriptors)).await;
            sent(said, "listens")?;
        }
        self.say(&Giver::Prepare).await?;
        match self.hear("is ready").await? {
            Taker::Ready { listeners } => Ok(listeners),
            other => Err(Failed::Unexpected(format!("{other:?}"))),
        }
    }

    /// From here on the new process accepts, and this one does not.
    async fn switch(&mut self, running: &Running) -> Result<(), Failed> {
        self.gate.shut();
        // What was accepted here may still have to get its number here: as many as a worker has, or waits for a place.
        let unnumbered_max = running.workers.live() + running.places.occupancy().waiting;
        let connections = running.service.connections() + unnumbered_max as u64;
        self.serves = true; // before it is said: whatever is heard of it
        self.say(&Giver::Serve { connections }).await?;
        match self.hear("serves").await? {
            Taker::Serving => Ok(()),
            other => Err(Failed::Unexpected(format!("{other:?}"))),
        }
    }

    /// Moves the sessions that open while the last handshakes come to their end, and those that have to end a message.
    async fn move_stragglers(&mut self, running: &Running, listeners: &Listeners) -> Result<(), Failed> {
        let since = clock::now();
        let mut quiet_looks = 0;
        while clock::now() - since < STRAGGLERS {
            let waits_for_messages = self.moving.has_temporary_stays() && clock::now() - since < MESSAGES;
            if quiet_looks >= QUIET_LOOKS && !waits_for_messages {
                break;
            }
            let places = listeners.places().occupancy();
            // Looked at before the sessions: what has left the handshakes by then is one of those.
            quiet_looks = if places.handshakes == 0 && places.waiting == 0 { quiet_looks + 1 } else { 0 };
            // A client that was told yes is on its way to its relay: once around.
            let around = timeout(STEP, running.workers.answer()).await;
            around.map_err(|_| Failed::WorkerOverdue)?;
            self.move_sessions(&running.service).await?;
            sleep(LOOK).await; // it takes as long as the clients take
        }
        Ok(())
    }

    /// Leaves the new process alone.
    async fn finish(&mut self) -> Result<(), Failed> {
        if let Err(failed) = self.say_done().await {
            // Whether it has said so in time is not for our clock to tell: it cannot say so any more.
            self.sender.hang_up();
            if !self.is_told_that_it_is_over() {
                return Err(failed);
            }
        }
        self.is_over = true;
        notify::main_process(self.pid); // only who was the main process may say so
        notify::be_silent();
        Ok(())
    }

    /// Whether the new process has said that it is alone, in what has arrived.
    fn is_told_that_it_is_over(&mut self) -> bool {
        while let Ok(Some(frame)) = self.receiver.received() {
            if matches!(frame.message(), Ok(Taker::Over)) {
                return true;
            }
        }
        false
    }

    async fn say_done(&mut self) -> Result<(), Failed> {
        self.say(&Giver::Done).await?;
        match self.hear("is alone").await? {
            Taker::Over => Ok(()),
            other => Err(Failed::Unexpected(format!("{other:?}"))),
        }
    }

    fn report(&self, within: Duration) -> Report {
        Report { within, ..self.moving.report(self.pid, self.version.clone()) }
    }

    async fn say(&mut self, message: &Giver) -> Result<(), Failed> {
        sent(timeout(STEP, self.sender.say(message)).await, "listens")
    }

    /// What the new process says next.
    async fn hear(&mut self, due: &'static str) -> Result<Taker, Failed> {
        let received = timeout(STEP, self.receiver.receive()).await.map_err(|_| Failed::Overdue { due })?;
        match self.frame(received, due).await?.message()? {
            Taker::Refused { why } => Err(Failed::Refused(why)),
            said => Ok(said),
        }
    }

    /// What was received. Where the new process has hung up, that is mostly because it has ended, with a status that
    /// tells.
    pub(super) async fn frame(
        &mut self,
        received: io::Result<Option<Frame>>,
        due: &'static str,
    ) -> Result<Frame, Failed> {
        match received {
            Ok(Some(frame)) => return Ok(frame),
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => return Err(error.into()),
            Ok(None) | Err(_) => {}
        }
        let status = match &mut self.child {
            Some(child) => timeout(Duration::from_secs(1), child.wait()).await.ok().and_then(Result::ok),
            None => None,
        };
        Err(Failed::Ended(due, status))
    }
}

impl Drop for Giving {
    /// Where it did not come to its end, each session is in the process that has said so, and this one accepts.
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.sender.hang_up();
        self.moving.give_up(&mut self.receiver);
        self.gate.open();
        let Some(mut child) = self.child.take() else { return };
        if self.serves || self.moving.has_moved() {
            tracing::warn!(pid = self.pid, "the new process may have sessions, and is left to them");
            self.leftovers.add(child);
        } else if let Err(error) = child.start_kill() {
            tracing::debug!(%error, "the new process has ended by itself");
        }
    }
}

/// Everything that listens, with the admin listener's place at the front.
fn listening_sockets(running: &Running, listeners: &Listeners) -> io::Result<Vec<(Listener, OwnedFd)>> {
    let admin = running.admin().as_ref().map(|admin| admin.hand_over()).transpose()?;
    Ok(admin.into_iter().chain(listeners.hand_over()?).collect())
}

/// What came of sending something. That the other end is gone says what is received next, and says it better.
pub(super) fn sent(result: Result<io::Result<()>, Elapsed>, due: &'static str) -> Result<(), Failed> {
    match result {
        Err(_) => Err(Failed::Overdue { due }),
        Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(Ok(()) | Err(_)) => Ok(()),
    }
}

fn ended_with(status: Option<&ExitStatus>) -> String {
    status.map_or_else(String::new, |status| format!(" ({status})"))
}

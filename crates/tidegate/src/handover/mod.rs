//! A WebSocket on its way to another process: how it is written down, and the line that it goes over.
//!
//! Nothing here knows how a relay works or who starts whom. The relay fills a [`Record`], the house sends it; what both
//! need to find each other is a [`Request`].

pub(crate) mod message;
pub(crate) mod needs;
pub(crate) mod record;
pub(crate) mod secret;
pub(crate) mod wire;

use std::os::fd::OwnedFd;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use self::needs::Knows;
pub(crate) use self::record::Record;
use self::secret::Wiped;

/// What a session is asked: to stand still between two turns, and to be written down as it is then.
#[derive(Debug)]
pub(crate) struct Request {
    conn: u64,
    /// What the new process goes on with.
    pub(crate) knows: Knows,
    /// Gone once it is answered.
    to: Option<mpsc::UnboundedSender<Answer>>,
}

/// What came of asking a session.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The number of its connection.
    pub(crate) conn: u64,
    pub(crate) what: Parted,
}

/// What a session says to being moved.
#[derive(Debug)]
pub(crate) enum Parted {
    /// It stands still, and touches its sockets no more until it is told what has become of it.
    Frozen(Frozen),
    /// It goes on where it is.
    Stays(Stays),
    /// It has ended before it saw the request.
    Ended,
}

/// A session that stands still.
#[derive(Debug)]
pub(crate) struct Frozen {
    /// Its [`Record`], as it is sent.
    pub(crate) record: Wiped,
    /// Its sockets: the client's, then the backend's if there is one.
    pub(crate) descriptors: Vec<OwnedFd>,
    /// Since when.
    pub(crate) since: Instant,
    /// Told that another process has it. Dropped instead, the session goes on where it stands.
    pub(crate) moved: oneshot::Sender<()>,
}

/// Why a session cannot be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stays {
    /// Its closing has begun, which takes seconds: it ends where it is.
    Ending,
    /// Its TLS cannot go on in another process: it is another version than 1.3, or a cipher suite that cannot, or towards
    /// the backend; or the listener says nothing of moving it, or the new process takes none.
    Tls,
    /// It is in the middle of a message that is compressed. A moment later it may not be.
    Compressed,
    /// The gateway compresses for its client, of which the new process knows nothing.
    Compresses,
    /// Its client speaks hybi-00, of which the new process knows nothing.
    Hybi00,
    /// It is being recorded, and the recording belongs to this process.
    Recorded,
    /// Its relay has not begun yet, or is none: another process is given the client (`handoff:`).
    Beginning,
    /// The system gives no descriptors for its sockets.
    Descriptors,
    /// The new process does not take it.
    Declined,
}

impl Stays {
    /// Whether it is worth asking again.
    pub(crate) const fn is_for_now(self) -> bool {
        matches!(self, Self::Beginning | Self::Descriptors | Self::Compressed)
    }

    /// For a report.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Ending => "closing",
            Self::Tls => "TLS",
            Self::Compressed => "in a compressed message",
            Self::Compresses => "compressed",
            Self::Hybi00 => "hybi-00",
            Self::Recorded => "recorded",
            Self::Beginning => "beginning",
            Self::Descriptors => "no descriptors",
            Self::Declined => "declined",
        }
    }
}

impl Request {
    /// For the session of this number. It is answered in any case, if only because it is dropped.
    pub(crate) const fn new(conn: u64, knows: Knows, to: mpsc::UnboundedSender<Answer>) -> Self {
        Self { conn, knows, to: Some(to) }
    }

    /// It cannot be moved.
    pub(crate) fn refuse(mut self, why: Stays) {
        self.answer(Parted::Stays(why));
    }

    /// It stands still. Completes when it is known what becomes of it; `None`: nobody waits for it any more.
    pub(crate) fn freeze(
        mut self,
        record: &Record,
        descriptors: Vec<OwnedFd>,
        since: Instant,
    ) -> Option<oneshot::Receiver<()>> {
        let (moved, verdict) = oneshot::channel();
        let record = record.to_bytes();
        let is_heard = self.answer(Parted::Frozen(Frozen { record, descriptors, since, moved }));
        is_heard.then_some(verdict)
    }

    fn answer(&mut self, what: Parted) -> bool {
        self.to.take().is_some_and(|to| to.send(Answer { conn: self.conn, what }).is_ok())
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.answer(Parted::Ended);
    }
}

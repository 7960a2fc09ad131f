//! A WebSocket on its way to another process: how it is written down, and the line that it goes over.
//!
//! Nothing here knows how a relay works or who starts whom. The relay fills a [`Record`], the process sends it; what both
//! need to find each other is a [`MoveRequest`].

pub(crate) mod capabilities;
pub(crate) mod message;
pub(crate) mod record;
pub(crate) mod secret;
pub(crate) mod wire;

use std::os::fd::OwnedFd;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use self::capabilities::Capabilities;
pub(crate) use self::record::Record;
use self::secret::Wiped;

/// Asks a session to stand still between two turns, and to be written down as it is then.
#[derive(Debug)]
pub(crate) struct MoveRequest {
    conn: u64,
    /// What the new process can go on with.
    pub(crate) capabilities: Capabilities,
    /// Gone once it is answered.
    to: Option<mpsc::UnboundedSender<MoveAnswer>>,
}

/// What came of a [`MoveRequest`].
#[derive(Debug)]
pub(crate) struct MoveAnswer {
    /// The number of the session's connection.
    pub(crate) conn: u64,
    pub(crate) reply: Reply,
}

/// What a session says to being moved.
#[derive(Debug)]
pub(crate) enum Reply {
    /// It stands still, and touches its sockets no more until it is told what has become of it.
    Frozen(Frozen),
    /// It goes on where it is.
    Stays(StayReason),
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
pub(crate) enum StayReason {
    /// Its closing has begun, which takes seconds: it ends where it is.
    Closing,
    /// Its TLS cannot go on in another process: it is another version than 1.3, or a cipher suite that cannot be moved, or
    /// TLS towards the backend; or its listener does not allow it, or the new process cannot do it.
    Tls,
    /// It is in the middle of a message that the gateway compresses or inflates. A moment later it may not be.
    MidCompressedMessage,
    /// The gateway compresses for its client, and one side takes its context over from one message to the next, or the new
    /// process cannot compress.
    Compression,
    /// Its client speaks hybi-00, which the new process cannot.
    Hybi00,
    /// It is being recorded, and the recording belongs to this process.
    Recorded,
    /// Its relay has not begun yet, or is none: another process is given the client (`handoff:`).
    NotRelayed,
    /// The system gives no descriptors for its sockets.
    NoDescriptors,
    /// The new process does not take it.
    Declined,
}

impl StayReason {
    /// Whether it is worth asking again.
    pub(crate) const fn is_temporary(self) -> bool {
        matches!(self, Self::NotRelayed | Self::NoDescriptors | Self::MidCompressedMessage)
    }

    /// The word of a report.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Closing => "closing",
            Self::Tls => "TLS",
            Self::MidCompressedMessage => "in a compressed message",
            Self::Compression => "compressed",
            Self::Hybi00 => "hybi-00",
            Self::Recorded => "recorded",
            Self::NotRelayed => "beginning",
            Self::NoDescriptors => "no descriptors",
            Self::Declined => "declined",
        }
    }
}

impl MoveRequest {
    /// To the session of this number. It is answered in any case, if only because it is dropped.
    pub(crate) const fn new(
        conn: u64,
        capabilities: Capabilities,
        to: mpsc::UnboundedSender<MoveAnswer>,
    ) -> Self {
        Self { conn, capabilities, to: Some(to) }
    }

    /// It cannot be moved.
    pub(crate) fn refuse(mut self, why: StayReason) {
        self.answer(Reply::Stays(why));
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
        let is_heard = self.answer(Reply::Frozen(Frozen { record, descriptors, since, moved }));
        is_heard.then_some(verdict)
    }

    fn answer(&mut self, reply: Reply) -> bool {
        self.to.take().is_some_and(|to| to.send(MoveAnswer { conn: self.conn, reply }).is_ok())
    }
}

impl Drop for MoveRequest {
    fn drop(&mut self) {
        self.answer(Reply::Ended);
    }
}

//! The line between the two processes: frames with descriptors, over a pair of Unix sockets that nobody else has.
//!
//! A frame is a header of eight bytes (`TG`, its kind, how many descriptors come with it, its length) and its payload. The
//! descriptors travel with the first byte of the frame (`SCM_RIGHTS`).

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::UnixStream;

use super::secret::Wiped;

/// Bytes of a frame: two legs with as much as they may hold, in base64, and room beside them.
const FRAME_BYTES_MAX: usize = 16 << 20;

/// Descriptors that come with a frame.
const DESCRIPTORS_MAX: usize = 4;

/// Bytes of one read.
const READ_BYTES: usize = 64 << 10;

const HEADER_BYTES: usize = 8;
const MAGIC: [u8; 2] = *b"TG";

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A [message](super::message).
    Message,
    /// A [record](super::record).
    Session,
}

/// A frame that was received.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) bytes: Wiped,
    pub(crate) descriptors: Vec<OwnedFd>,
}

/// The end that speaks.
#[derive(Debug)]
pub(crate) struct Sender(Arc<UnixStream>);

/// A way for other threads to say something on the way, without ever waiting.
#[derive(Debug, Clone)]
pub(crate) struct SharedSender(Arc<UnixStream>);

/// The end that listens.
#[derive(Debug)]
pub(crate) struct Receiver {
    socket: Arc<UnixStream>,
    /// Received, and not a whole frame yet.
    bytes: Wiped,
    /// Received, with frames that are not handed out yet.
    descriptors: VecDeque<OwnedFd>,
}

/// Both directions of one end.
pub(crate) fn split(socket: UnixStream) -> (Sender, Receiver) {
    let socket = Arc::new(socket);
    let receiver =
        Receiver { socket: Arc::clone(&socket), bytes: Wiped::default(), descriptors: VecDeque::new() };
    (Sender(socket), receiver)
}

impl Frame {
    /// The message in it.
    ///
    /// # Errors
    /// It holds something else.
    pub(crate) fn message<T: DeserializeOwned>(&self) -> io::Result<T> {
        if self.kind != Kind::Message {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a session where a message was awaited"));
        }
        Ok(serde_json::from_slice(&self.bytes)?)
    }
}

impl Sender {
    /// Sends a message.
    ///
    /// # Errors
    /// The other end is gone.
    pub(crate) async fn say(&mut self, message: &impl Serialize) -> io::Result<()> {
        self.say_with(message, &[]).await
    }

    /// Sends a message with descriptors, which the other end has copies of then.
    ///
    /// # Errors
    /// The other end is gone, or the system sends no more descriptors just now.
    pub(crate) async fn say_with(
        &mut self,
        message: &impl Serialize,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        self.send(Kind::Message, &serde_json::to_vec(message)?, descriptors).await
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// The same, or it is too long.
    pub(crate) async fn send(
        &mut self,
        kind: Kind,
        bytes: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let frame = frame(kind, bytes, descriptors.len())?;
        let mut sent = 0;
        while sent < frame.len() {
            let with = if sent == 0 { descriptors } else { &[] };
            let send = || send_with(self.0.as_fd(), &frame[sent..], with);
            sent += self.0.async_io(Interest::WRITABLE, send).await?;
        }
        Ok(())
    }

    /// For other threads.
    pub(crate) fn shared(&self) -> SharedSender {
        SharedSender(Arc::clone(&self.0))
    }

    /// Nothing more goes over this line, in either direction; what has arrived can still be received. What the other end
    /// sends from now on is refused by the system, so it cannot believe that it was heard.
    pub(crate) fn hang_up(&self) {
        SockRef::from(&*self.0).shutdown(std::net::Shutdown::Both).ok(); // it may be down already
    }
}

impl SharedSender {
    /// Says something short, whole or not at all. It cuts nothing that is being sent just then: a frame without a record
    /// goes in one piece.
    ///
    /// # Errors
    /// The other end is gone, or does not listen.
    pub(crate) fn say_at_once(&self, message: &impl Serialize) -> io::Result<()> {
        let frame = frame(Kind::Message, &serde_json::to_vec(message)?, 0)?;
        let sent = send_with(self.0.as_fd(), &frame, &[])?;
        if sent == frame.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }
}

impl Receiver {
    /// The next frame; `None` at the end. Cancelled, it loses nothing.
    ///
    /// # Errors
    /// The line broke, in the middle of a frame for example, or what came is no frame.
    pub(crate) async fn receive(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.take_frame()? {
                return Ok(Some(frame));
            }
            let (bytes, descriptors) = (&mut self.bytes, &mut self.descriptors);
            let socket = &self.socket;
            let read = socket
                .async_io(Interest::READABLE, || receive_into(socket.as_fd(), bytes, descriptors))
                .await?;
            if read == 0 {
                return self.ended();
            }
        }
    }

    /// Listens from here on in the place of this one, which hears nothing more.
    pub(crate) fn take(&mut self) -> Self {
        let socket = Arc::clone(&self.socket);
        Self {
            socket,
            bytes: std::mem::take(&mut self.bytes),
            descriptors: std::mem::take(&mut self.descriptors),
        }
    }

    /// The next frame that has arrived already.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub(crate) fn received(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.take_frame()? {
                return Ok(Some(frame));
            }
            match receive_into(self.socket.as_fd(), &mut self.bytes, &mut self.descriptors) {
                Ok(0) => return self.ended(),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    fn ended(&self) -> io::Result<Option<Frame>> {
        if self.bytes.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn take_frame(&mut self) -> io::Result<Option<Frame>> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let Some((header, rest)) = self.bytes.split_first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let [m0, m1, kind, count, length @ ..] = *header;
        if [m0, m1] != MAGIC {
            return Err(invalid("what came over the line is no frame of a hand-over"));
        }
        let kind = match kind {
            0 => Kind::Message,
            1 => Kind::Session,
            _ => return Err(invalid("a frame of an unknown kind")),
        };
        let (count, length) = (usize::from(count), u32::from_be_bytes(length) as usize);
        if length > FRAME_BYTES_MAX || count > DESCRIPTORS_MAX {
            return Err(invalid("a frame that is too long, or has too many descriptors"));
        }
        if rest.len() < length {
            return Ok(None);
        }
        if self.descriptors.len() < count {
            return Err(invalid("a frame whose descriptors did not come along"));
        }
        let descriptors = self.descriptors.drain(..count).collect();
        let mut bytes = Wiped::default();
        bytes.extend(&rest[..length]);
        self.bytes.drop_front(HEADER_BYTES + length);
        Ok(Some(Frame { kind, bytes, descriptors }))
    }
}

/// A frame with this payload, for as many descriptors.
fn frame(kind: Kind, bytes: &[u8], descriptors: usize) -> io::Result<Wiped> {
    let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "a frame of the hand-over is too long");
    let length = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= FRAME_BYTES_MAX);
    let length = length.ok_or_else(too_long)?;
    let count = u8::try_from(descriptors).map_err(|_| too_long())?;
    let mut frame = Wiped::default();
    frame.extend(&MAGIC);
    frame.extend(&[kind as u8, count]);
    frame.extend(&length.to_be_bytes());
    frame.extend(bytes);
    Ok(frame)
}

/// Sends the beginning of these bytes, and the descriptors with the first of them.
fn send_with(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors for one frame"));
    }
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?)
}

/// Appends what has arrived; 0 at the end.
fn receive_into(
    socket: BorrowedFd<'_>,
    bytes: &mut Wiped,
    descriptors: &mut VecDeque<OwnedFd>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = recvmsg(socket, &mut [IoSliceMut::new(bytes.append(READ_BYTES))], &mut control, flags);
    bytes.take_back(READ_BYTES - received.as_ref().map_or(0, |received| received.bytes));
    let received = received?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(given) = message {
            descriptors.extend(given);
        }
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "descriptors were lost on the way"));
    }
    Ok(received.bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    fn pair() -> (UnixStream, UnixStream) {
        UnixStream::pair().unwrap()
    }

    #[tokio::test]
    async fn frames_arrive_whole_and_each_with_its_own_descriptors() {
        let (ours, theirs) = pair();
        let (mut sender, _back) = split(ours);
        let (_forth, mut receiver) = split(theirs);
        let (mut near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        let large = vec![7; 1 << 20];
        let sending = async {
            sender.say(&"first").await.unwrap();
            sender.send(Kind::Session, &large, &[far.as_fd(), far.as_fd()]).await.unwrap();
            sender.say_with(&"last", &[far.as_fd()]).await.unwrap();
            sender.hang_up();
        };
        let receiving = async {
            let first = receiver.receive().await.unwrap().unwrap();
            assert_eq!(
                (first.message::<String>().unwrap(), first.descriptors.len()),
                ("first".to_owned(), 0)
            );
            let session = receiver.receive().await.unwrap().unwrap();
            assert_eq!(
                (session.kind, session.bytes[..] == large[..], session.descriptors.len()),
                (Kind::Session, true, 2)
            );
            assert!(session.message::<String>().is_err());
            let last = receiver.receive().await.unwrap().unwrap();
            assert_eq!((last.message::<String>().unwrap(), last.descriptors.len()), ("last".to_owned(), 1));
            assert!(receiver.receive().await.unwrap().is_none());
            last.descriptors
        };
        let ((), descriptors) = tokio::join!(sending, receiving);
        drop(far);
        near.write_all(b"still there").unwrap();
        let mut read = [0; 11];
        let mut other = std::fs::File::from(descriptors.into_iter().next().unwrap());
        other.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"still there");
    }

    #[tokio::test]
    async fn what_was_sent_before_the_line_is_hung_up_is_heard_and_nothing_after_it_can_be() {
        let (ours, theirs) = pair();
        let (sender, mut receiver) = split(ours);
        let (mut there, _) = split(theirs);
        there.say(&"before").await.unwrap();
        there.shared().say_at_once(&"and from another thread").unwrap();
        sender.hang_up();
        assert!(there.say(&"after").await.is_err() && there.shared().say_at_once(&"after").is_err());
        assert_eq!(receiver.received().unwrap().unwrap().message::<String>().unwrap(), "before");
        let other = receiver.received().unwrap().unwrap();
        assert_eq!(other.message::<String>().unwrap(), "and from another thread");
        assert!(receiver.received().unwrap().is_none());
    }

    #[tokio::test]
    async fn what_is_no_frame_is_refused() {
        for (bytes, said) in [
            (&b"GET / HTTP/1.1\r\n"[..], "no frame"),
            (b"TG\x07\0\0\0\0\0", "unknown kind"),
            (b"TG\0\0\xff\0\0\0", "too long"),
            (b"TG\0\xff\0\0\0\0", "too many descriptors"),
            (b"TG\0\x01\0\0\0\0", "did not come along"),
            (b"TG\0\0\0\0\0\x05ab", "unexpected end"),
        ] {
            let (ours, theirs) = pair();
            let (_sender, mut receiver) = split(ours);
            assert_eq!(theirs.try_write(bytes).unwrap(), bytes.len());
            drop(theirs);
            let error = receiver.receive().await.unwrap_err().to_string();
            assert!(error.contains(said), "{said}: {error}");
        }
    }
}

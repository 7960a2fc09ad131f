//! A WebSocket that ends at the gateway: frames are read from it, and our own control frames find their place between
//! the frames that are sent to it.

mod frozen;

use std::ops::Range;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use thin_vec::ThinVec;
use tidegate_proto::{Close, Closing, ControlFrame, MaskingKey, Opcode, Receiver, Role, hybi00};
use tokio::time::Instant;

use super::keepalive::LATE;
use super::leg::{Leg, Patience, Read};
use super::pipe::Pipe;
use crate::scratch::HEADROOM;

/// How long a peer may take to answer our Close, and a frame under way to end before it.
pub(super) const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// How long a message that is under way may take to end before a Close that is in no hurry.
const MESSAGE_WAIT: Duration = Duration::from_secs(5);

/// How long a client's TCP connection is read after our FIN, so that no reset eats our Close.
const LINGER: Duration = Duration::from_secs(2);

/// For a WebSocket that has ended as it should, or whose other side is gone. It is less patient than with a peer that is
/// in full swing: one that has hung up with its window shut looks like this too.
pub(super) static ORDERLY: Patience = Patience { taking: Duration::from_secs(10), after_fin: LINGER };

/// For one that broke the protocol: it gets its Close if it takes it now.
static AFTER_VIOLATION: Patience = Patience { taking: LINGER, after_fin: LINGER };

#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) leg: Leg,
    pub(super) receiver: Receiver,
    pub(super) closing: Closing,
    /// What it sends are large frames, as fast as they are read.
    pub(super) bulk: bool,
    /// The beginning of a header or control frame that the last read cut; bounded by the decoder.
    carry: ThinVec<u8>,
    /// What we are in this WebSocket: a client masks what it sends.
    role: Role,
    /// It speaks hybi-00: of control frames there is one, which closes and says nothing more.
    hybi00: bool,
    /// A relayed frame is under way: nothing may come between its bytes.
    mid_frame: bool,
    /// A relayed message is under way: a Close that is in no hurry lets it end.
    mid_message: bool,
    /// Its frames broke the protocol: nothing more is read from it.
    failed: bool,
    /// There is none as long as nothing is due.
    due: Option<Box<Due>>,
    /// When we stop waiting for the other side of the closing handshake.
    close_until: Option<Instant>,
    /// That was put off, because we slept.
    put_off: bool,
}

/// Control frames of our own that wait for a frame boundary. One of each kind at most: a newer Pong takes the place of
/// an older one (RFC 6455 §5.5.3).
#[derive(Debug, Default)]
struct Due {
    pong: Option<ControlFrame>,
    ping: Option<ControlFrame>,
    close: Option<DueClose>,
}

#[derive(Debug)]
struct DueClose {
    frame: ControlFrame,
    /// Until then it lets a message end that is under way, and not only a frame.
    patient_until: Option<Instant>,
}

/// The last places in a stretch of frames where frames of our own may go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gaps {
    /// Between two frames.
    pub(super) frames: Option<usize>,
    /// Between two messages, so also between two frames.
    pub(super) messages: Option<usize>,
}

/// What comes to its end with a piece of a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) frame: bool,
    /// With its last frame.
    pub(super) message: bool,
}

/// What [`Endpoint::fill`] brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// Frames, or parts of them, in this range of the scratch buffer, with at least 16 bytes free in front.
    Bytes(Range<usize>),
    End,
    Failed,
}

impl Endpoint {
    pub(super) fn new(leg: Leg, receiver: Receiver, role: Role) -> Self {
        Self {
            leg,
            receiver,
            closing: Closing::default(),
            bulk: false,
            carry: ThinVec::new(),
            role,
            hybi00: false,
            mid_frame: false,
            mid_message: false,
            failed: false,
            due: None,
            close_until: None,
            put_off: false,
        }
    }

    /// From now on it speaks hybi-00, so what is sent and read has to be put into its frames. Nothing was sent yet.
    pub(super) const fn speak_hybi00(&mut self) {
        self.hybi00 = true;
    }

    /// Whether frames are still expected from it.
    pub(super) const fn is_readable(&self) -> bool {
        self.leg.is_readable() && !self.closing.received() && !self.failed
    }

    /// Whether data may still be sent to it.
    pub(super) const fn is_writable(&self) -> bool {
        self.leg.is_writable() && self.closing.may_send() && self.due_close().is_none()
    }

    /// Whether it is in full swing, and nothing of our own waits to be sent to it.
    pub(super) const fn is_calm(&self) -> bool {
        self.leg.is_calm() && self.is_readable() && self.is_writable() && self.due.is_none()
    }

    /// Whether a Close of ours was sent or waits for a frame boundary.
    pub(super) const fn is_closing(&self) -> bool {
        !self.closing.may_send() || self.due_close().is_some()
    }

    /// Whether the Close that is due waits for the end of a relayed frame.
    pub(super) const fn close_waits_for_frame(&self) -> bool {
        self.mid_frame && self.due_close().is_some()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let patient_until = self.due_close().and_then(|close| close.patient_until);
        let ours = [patient_until, self.close_until].into_iter().flatten();
        self.leg.deadline().into_iter().chain(ours.filter(|_| self.leg.is_open())).min()
    }

    /// Reads at most `room` bytes behind what the last read left over.
    pub(super) fn fill(&mut self, cx: &mut Context<'_>, scratch: &mut [u8], room: usize) -> Poll<Fill> {
        let end = scratch.len().min(HEADROOM + room);
        Poll::Ready(match ready!(self.leg.poll_read(cx, &mut scratch[HEADROOM..end])) {
            Read::Bytes(bytes) => {
                let start = HEADROOM - self.carry.len();
                scratch[start..HEADROOM].copy_from_slice(&self.carry);
                self.carry = ThinVec::new();
                Fill::Bytes(start..HEADROOM + bytes)
            }
            // The Close frame, not TLS, says whether a WebSocket ended well; many clients leave close_notify out.
            Read::End | Read::Cut => Fill::End,
            Read::Failed => Fill::Failed,
        })
    }

    /// Keeps what the decoder could not consume yet, for the next [`fill`](Self::fill).
    pub(super) fn keep(&mut self, rest: &[u8]) {
        debug_assert!(
            rest.len() <= tidegate_proto::CARRY_BYTES_MAX,
            "the decoder leaves less than a control frame"
        );
        if !rest.is_empty() {
            self.carry = rest.into();
        }
    }

    /// Sends whole frames.
    pub(super) fn send(&mut self, cx: &mut Context<'_>, now: Instant, frames: &[u8]) {
        if self.is_writable() {
            self.leg.send(cx, now, frames);
        }
    }

    /// Notes whether a message to it, made of whole frames, is under way.
    pub(super) const fn set_mid_message(&mut self, is_under_way: bool) {
        self.mid_message = is_under_way;
    }

    /// Sends whole frames of messages; the last of these may be under way, and a Close in no hurry lets it end.
    pub(super) fn send_of_message(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        frames: &[u8],
        is_under_way: bool,
    ) {
        if self.closing.may_send() {
            self.leg.send(cx, now, frames);
            self.set_mid_message(is_under_way);
        }
    }

    /// Passes on a stretch of frames that may begin and end inside one. In its last gap, if it has any, our own frames
    /// go in. Whether one of them was a ping.
    pub(super) fn pass_on(&mut self, cx: &mut Context<'_>, now: Instant, frames: &[u8], gaps: Gaps) -> bool {
        if !self.takes_frames() {
            return false;
        }
        let gap = if self.is_patient() { gaps.messages.or(gaps.frames) } else { gaps.frames };
        (self.mid_frame, self.mid_message) = (true, true); // until it is known where it ends
        let mut pinged = false;
        let mut after = frames;
        if let Some(gap) = gap.filter(|_| self.due.is_some()) {
            self.leg.send(cx, now, &frames[..gap]);
            (self.mid_frame, self.mid_message) =
                (false, gaps.messages.is_none_or(|messages| gap != messages));
            pinged = self.send_due(cx, now);
            after = &frames[gap..];
        }
        if self.closing.may_send() {
            self.leg.send(cx, now, after);
            self.mid_frame = gaps.frames != Some(frames.len());
            self.mid_message = gaps.messages != Some(frames.len());
        }
        pinged
    }

    /// Whether relayed frames still go to it.
    pub(super) const fn takes_frames(&self) -> bool {
        self.leg.is_writable() && self.closing.may_send()
    }

    /// Passes on more of the frame under way, perhaps all that is left of it.
    pub(super) fn pass_on_piped(&mut self, cx: &mut Context<'_>, now: Instant, pipe: Pipe, ends: Ends) {
        self.leg.send_piped(cx, now, &[], pipe);
        self.mid_frame = !ends.frame;
        self.mid_message = !ends.message;
    }

    /// Sends the control frames that are due, if this is a frame boundary. Whether one of them was a ping.
    pub(super) fn send_due(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.mid_frame || !self.closing.may_send() {
            return false;
        }
        let close_waits = self.close_waits_for_message();
        let Some(mut due) = self.due.take() else { return false };
        // A pong and a ping wait while the socket takes nothing, so a client that reads nothing holds one of each.
        let mut pinged = false;
        if self.leg.room() > 0 {
            for (frame, is_ping) in [(due.pong.take(), false), (due.ping.take(), true)] {
                if let Some(frame) = frame {
                    self.leg.send(cx, now, frame.as_slice());
                    pinged |= is_ping;
                }
            }
        }
        if !close_waits
            && let Some(close) = due.close.take()
            && self.closing.send()
        {
            let frame = if self.hybi00 { &hybi00::CLOSING_FRAME } else { close.frame.as_slice() };
            self.leg.send(cx, now, frame);
            self.close_until = Some(now + CLOSE_WAIT);
        } else if due.any() {
            self.due = Some(due);
        }
        pinged
    }

    /// The Close of ours that waits for its place.
    const fn due_close(&self) -> Option<&DueClose> {
        match &self.due {
            Some(due) => due.close.as_ref(),
            None => None,
        }
    }

    fn due_close_mut(&mut self) -> Option<&mut DueClose> {
        self.due.as_mut().and_then(|due| due.close.as_mut())
    }

    pub(super) fn owe_pong(&mut self, payload: &[u8]) {
        let pong = ControlFrame::new(Opcode::Pong, payload, self.mask());
        self.due.get_or_insert_default().pong = Some(pong);
    }

    pub(super) fn owe_ping(&mut self, payload: &[u8]) {
        let ping = ControlFrame::new(Opcode::Ping, payload, self.mask());
        self.due.get_or_insert_default().ping = Some(ping);
    }

    /// Puts a Close in line for the next frame boundary; waits [`CLOSE_WAIT`] for the peer's, or for the boundary.
    pub(super) fn close(&mut self, now: Instant, close: &Close<'_>) {
        if !self.is_closing() {
            let frame = close.frame(self.mask());
            self.due.get_or_insert_default().close = Some(DueClose { frame, patient_until: None });
            self.wait_for_close(now);
        }
    }

    /// The same, in no hurry: a relayed message that is under way has [`MESSAGE_WAIT`] to end first.
    pub(super) fn close_between_messages(&mut self, now: Instant, close: &Close<'_>) {
        self.close(now, close);
        if let Some(due) = self.due_close_mut() {
            due.patient_until = Some(now + MESSAGE_WAIT);
            self.close_until = Some(now + MESSAGE_WAIT + CLOSE_WAIT);
        }
    }

    /// The rest of a message that is under way will not come.
    pub(super) fn message_will_not_end(&mut self) {
        if let Some(due) = self.due_close_mut() {
            due.patient_until = None;
        }
    }

    /// Whether a Close is due that lets a message end.
    const fn is_patient(&self) -> bool {
        matches!(self.due_close(), Some(DueClose { patient_until: Some(_), .. }))
    }

    const fn close_waits_for_message(&self) -> bool {
        self.mid_message && self.is_patient()
    }

    /// A Close of the far side is passed on as it is.
    pub(super) fn pass_on_close(&mut self, cx: &mut Context<'_>, now: Instant, frame: &[u8]) {
        if self.is_writable() && self.closing.send() {
            self.leg.send(cx, now, frame);
            self.wait_for_close(now);
        }
    }

    /// Its frames broke the protocol (RFC 6455 §7.1.7: what follows is not looked at).
    pub(super) const fn fail(&mut self) {
        self.failed = true;
    }

    /// Ends the TCP connection where the closing handshake is complete or will not be.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.leg.has_backlog() && !self.failed {
            // A slow peer gets what it is owed first: the time for its answer begins when the Close has left us. That
            // it takes anything at all is watched elsewhere.
            self.close_until = self.close_until.map(|until| until.max(now + CLOSE_WAIT));
        }
        if self.closing.is_complete() || self.will_not_answer() {
            self.finish(now);
        }
    }

    /// Ends what has taken too long: a message that our Close waits for, and the closing handshake. Whether anything has.
    pub(super) fn judge_closing(&mut self, rang: Instant, now: Instant) -> bool {
        let mut is_late = false;
        if let Some(due) = self.due_close_mut()
            && due.patient_until.is_some_and(|until| rang >= until)
        {
            due.patient_until = None;
            is_late = true;
            if self.mid_frame {
                self.close_until = Some(rang); // not even the frame has ended in all this time
            }
        }
        if let Some(until) = self.close_until.filter(|until| self.leg.is_open() && rang >= *until) {
            if rang >= until + LATE && !self.put_off {
                // While we slept nobody read the peer: its Close may lie behind more than a turn reads.
                self.put_off = true;
                self.close_until = Some(rang + CLOSE_WAIT);
            } else {
                self.finish(now);
                is_late = true;
            }
        }
        is_late
    }

    /// Ends the TCP connection, unless it is being ended.
    fn finish(&mut self, now: Instant) {
        if self.leg.is_open() {
            self.leg.finish(now, if self.failed { &AFTER_VIOLATION } else { &ORDERLY });
        }
    }

    /// Our Close is out, and the peer's will not come or not be looked at.
    const fn will_not_answer(&self) -> bool {
        !self.closing.may_send() && (self.leg.read_ended() || self.failed)
    }

    fn wait_for_close(&mut self, now: Instant) {
        self.close_until.get_or_insert(now + CLOSE_WAIT);
    }

    fn mask(&self) -> Option<MaskingKey> {
        match self.role {
            Role::Client => Some(fresh_mask()),
            Role::Server => None,
        }
    }
}

/// A key for one frame.
pub(super) fn fresh_mask() -> MaskingKey {
    let mut key = [0; 4];
    getrandom::fill(&mut key).expect("the system gives random bytes");
    MaskingKey::new(key)
}

impl Due {
    const fn any(&self) -> bool {
        self.pong.is_some() || self.ping.is_some() || self.close.is_some()
    }
}

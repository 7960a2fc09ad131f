//! Whose turn it is: bulk data waits in a line, so that whoever has little to say need not.
//!
//! A runtime lets all tasks that are ready run before it looks at its sockets again. Where ten of them move megabytes, a
//! short message that has just arrived waits for all ten. So a relay whose last turn moved much stands in line for its
//! next one, and one attendant on each worker thread calls them: one at a time, in order, with a look at the sockets in
//! between. A short message then waits for one turn of somebody else.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::mem;
use std::task::{Context, Poll, Waker};

/// What a turn moves at the most before it ends, but for the read that goes beyond it: what a short message waits for.
const TURN_BYTES: u32 = 1 << 20;

/// A turn that moved this much was bulk. Standing in line costs about a microsecond; moving this takes fifty.
const BULK_TURN_BYTES: u32 = 128 << 10;

thread_local! {
    static LINE: RefCell<Line> = const { RefCell::new(Line::new()) };
}

/// The relays of a worker that wait for a turn. Each stands in it once, so it is no longer than there are relays; of one
/// that is gone meanwhile a waker is left, which wakes nobody.
struct Line {
    waiting: VecDeque<(Ticket, Waker)>,
    /// The last ticket that was given out, and the last that was called.
    given: Ticket,
    called: Ticket,
    /// Who calls. Without one nobody has to wait.
    attendant: Option<Waker>,
}

/// Counts from 1; 0 is none.
type Ticket = u64;

/// What a relay knows of its own turns.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Moved in the turn under way; between two, in the last.
    bytes: u32,
    /// The last turn that moved anything was bulk.
    bulk: bool,
    /// Its place in the line, if it stands there.
    ticket: Ticket,
}

/// Stands at the line of this thread. Where it goes, everybody in it may go too.
struct Attendant;

/// Calls the relays of this thread one after the other, for as long as there is a thread.
pub(crate) async fn attend() {
    let _here = Attendant;
    loop {
        poll_fn(|cx| LINE.with_borrow_mut(|line| line.poll_any(cx))).await;
        // Goes on when the runtime has looked at its sockets, and behind what they had to say.
        tokio::task::yield_now().await;
        if let Some(next) = LINE.with_borrow_mut(Line::call) {
            next.wake();
        }
    }
}

impl Turns {
    /// Begins a turn: at once, or when it is called.
    pub(super) fn poll_begin(&mut self, cx: &Context<'_>) -> Poll<()> {
        let waits = match self.ticket {
            0 => self.stand_in_line(cx),
            ticket => !LINE.with_borrow(|line| line.has_called(ticket)),
        };
        if waits {
            return Poll::Pending;
        }
        self.ticket = 0;
        self.bytes = 0;
        Poll::Ready(())
    }

    /// Whether it stands in line, and was not called yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.ticket != 0 && !LINE.with_borrow(|line| line.has_called(self.ticket))
    }

    /// Payload has moved.
    pub(super) fn moved(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        if bytes > 0 {
            self.bulk = self.bytes >= BULK_TURN_BYTES;
        }
    }

    /// Whether the turn under way has moved what one may.
    pub(super) const fn is_over(&self) -> bool {
        self.bytes >= TURN_BYTES
    }

    /// Takes its place for the next turn, if it moves bulk and there is a line. It will be woken.
    pub(super) fn stand_in_line(&mut self, cx: &Context<'_>) -> bool {
        if self.bulk {
            self.ticket = LINE.with_borrow_mut(|line| line.join(cx.waker()));
        }
        self.ticket != 0
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        // With the thread the line is gone before.
        let left = LINE.try_with(|line| line.borrow_mut().close()).unwrap_or_default();
        left.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl Line {
    const fn new() -> Self {
        Self { waiting: VecDeque::new(), given: 0, called: 0, attendant: None }
    }

    fn poll_any(&mut self, cx: &Context<'_>) -> Poll<()> {
        if !self.waiting.is_empty() {
            return Poll::Ready(());
        }
        self.attendant = Some(cx.waker().clone());
        Poll::Pending
    }

    /// A place at its end; 0 where nobody calls.
    fn join(&mut self, waker: &Waker) -> Ticket {
        let Some(attendant) = &self.attendant else { return 0 };
        if self.waiting.is_empty() {
            attendant.wake_by_ref();
        }
        self.given += 1;
        self.waiting.push_back((self.given, waker.clone()));
        self.given
    }

    /// Whose turn it is.
    fn call(&mut self) -> Option<Waker> {
        let (ticket, waker) = self.waiting.pop_front()?;
        self.called = ticket;
        Some(waker)
    }

    /// Nobody waits any more; who did.
    fn close(&mut self) -> VecDeque<(Ticket, Waker)> {
        self.attendant = None;
        self.called = self.given;
        mem::take(&mut self.waiting)
    }

    const fn has_called(&self, ticket: Ticket) -> bool {
        ticket <= self.called
    }
}

/// A line on this thread in which nobody is ever called.
#[cfg(test)]
pub(super) fn nobody_calls() {
    LINE.with_borrow_mut(|line| line.attendant = Some(Waker::noop().clone()));
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use tokio::io::AsyncReadExt as _;
    use tokio::net::UnixStream;
    use tokio::task::{JoinHandle, yield_now};

    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Seen {
        Bulk(u32),
        Short,
    }

    type Log = Arc<Mutex<Vec<Seen>>>;

    fn note(log: &Log, seen: Seen) {
        log.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    }

    /// Moves bulk for a number of turns, and does something in each.
    fn bulk(
        number: u32,
        turns: u32,
        log: &Log,
        mut in_turn: impl FnMut() + Send + 'static,
    ) -> JoinHandle<()> {
        let (log, mut left) = (Arc::clone(log), turns);
        let mut mine = Turns { bulk: true, ..Turns::default() };
        tokio::spawn(poll_fn(move |cx| {
            while mine.poll_begin(cx).is_ready() {
                note(&log, Seen::Bulk(number));
                in_turn();
                mine.moved(TURN_BYTES.into());
                assert!(mine.is_over());
                left -= 1;
                if left == 0 {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        }))
    }

    /// A byte arrives while the third of ten has its turn: it is seen before the fourth, and those behind have not lost
    /// their places.
    #[tokio::test]
    async fn a_short_message_waits_for_one_turn_of_somebody_else() {
        let log = Log::default();
        tokio::spawn(attend());
        let (says, mut hears) = UnixStream::pair().unwrap();
        says.writable().await.unwrap();
        let short = tokio::spawn({
            let log = Arc::clone(&log);
            async move {
                hears.read_exact(&mut [0; 1]).await.unwrap();
                note(&log, Seen::Short);
            }
        });
        yield_now().await;
        let mut tasks: Vec<_> = (1..=2).map(|number| bulk(number, 2, &log, || {})).collect();
        let mut says = Some(says);
        tasks.push(bulk(3, 2, &log, move || {
            let said = says.take().map(|says| says.try_write(b"!").unwrap());
            assert!(said.is_none_or(|bytes| bytes == 1));
        }));
        tasks.extend((4..=10).map(|number| bulk(number, 2, &log, || {})));
        for task in tasks {
            task.await.unwrap();
        }
        short.await.unwrap();
        let mut expected: Vec<_> = (1..=10).chain(1..=10).map(Seen::Bulk).collect();
        expected.insert(3, Seen::Short);
        assert_eq!(*log.lock().unwrap(), expected);
    }

    #[tokio::test]
    async fn who_is_gone_holds_up_nobody() {
        let log = Log::default();
        tokio::spawn(attend());
        yield_now().await;
        let tasks: Vec<_> = (1..=3).map(|number| bulk(number, 1, &log, || {})).collect();
        tasks[0].abort();
        for (number, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.is_ok(), number > 0);
        }
        assert_eq!(*log.lock().unwrap(), [Seen::Bulk(2), Seen::Bulk(3)]);
    }

    #[tokio::test]
    async fn without_an_attendant_nobody_waits() {
        let log = Log::default();
        bulk(1, 3, &log, || {}).await.unwrap();
        assert_eq!(*log.lock().unwrap(), [Seen::Bulk(1); 3]);
    }

    #[test]
    fn only_the_last_turn_that_moved_something_counts() {
        let mut turns = Turns::default();
        for (bytes, bulk) in [(100, false), (BULK_TURN_BYTES.into(), true), (0, true), (100, false)] {
            turns.bytes = 0;
            turns.moved(bytes);
            assert_eq!(turns.bulk, bulk, "{bytes}");
        }
        turns.moved(u64::MAX);
        assert!(turns.is_over(), "no sum of bytes is too large to be counted");
    }
}

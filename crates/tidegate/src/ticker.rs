//! A symbol for each thing that passes, on standard output: what `websockify --traffic` prints.
//!
//! They are written by a thread of their own behind a bounded queue. A terminal that takes nothing costs symbols, which
//! are counted, and never a connection.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::queue;
use crate::recording::Side;

/// Where events are told. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Ticker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: SyncSender<Item>,
    /// Symbols that found no place in the queue, since this was last said.
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Item {
    Symbol(&'static str),
    Flush(SyncSender<()>),
}

/// What happens to payload on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// It was read from this side; to its end, if the side has messages.
    Read(Side, Whole),
    /// It was written to this side, as far as its socket took it.
    Written(Side, Whole),
}

/// Whether that was all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whole {
    Yes,
    /// More is to come, or still waits.
    No,
}

impl Ticker {
    /// Starts the thread that prints, which begins with what the symbols mean.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (queue, items) = sync_channel(QUEUE_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&lost);
        thread::Builder::new().name("ticker".to_owned()).spawn(move || {
            if let Err(error) = print(&items, &told, &mut io::stdout()) {
                tracing::warn!("no more symbols are printed: standard output takes none: {error}");
            }
        })?;
        Ok(Self(Arc::new(Shared { queue, lost })))
    }

    /// Prints the symbol of an event. Never waits.
    pub(crate) fn tell(&self, event: Event) {
        if let Err(TrySendError::Full(_)) = self.0.queue.try_send(Item::Symbol(event.symbol())) {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits, a bounded time, until what was told so far is printed.
    pub(crate) fn flush(&self) {
        queue::is_through(&self.0.queue, Item::Flush, FLUSH_WAIT); // printed or not, it is the end
    }
}

impl From<bool> for Whole {
    fn from(is_whole: bool) -> Self {
        if is_whole { Self::Yes } else { Self::No }
    }
}

impl Event {
    const fn symbol(self) -> &'static str {
        match self {
            Self::Read(Side::Client, Whole::Yes) => "}",
            Self::Read(Side::Client, Whole::No) => "}.",
            Self::Read(Side::Backend, _) => "{",
            Self::Written(Side::Backend, Whole::Yes) => ">",
            Self::Written(Side::Backend, Whole::No) => ".>",
            Self::Written(Side::Client, Whole::Yes) => "<",
            Self::Written(Side::Client, Whole::No) => "<.",
        }
    }
}

/// Prints until nobody is left who could tell anything. What has come meanwhile is one write.
fn print(items: &Receiver<Item>, lost: &AtomicU64, out: &mut impl io::Write) -> io::Result<()> {
    out.write_all(LEGEND.as_bytes())?;
    out.flush()?;
    while let Ok(first) = items.recv() {
        let mut text = String::new();
        let mut waiting = Vec::new();
        for item in std::iter::once(first).chain(items.try_iter()).take(QUEUE_MAX) {
            match item {
                Item::Symbol(symbol) => text.push_str(symbol),
                Item::Flush(done) => waiting.push(done),
            }
        }
        out.write_all(text.as_bytes())?;
        out.flush()?;
        drop(waiting); // that it is gone tells whoever waits as much as a word would
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "symbols are missing: standard output takes them too slowly");
        }
    }
    Ok(())
}

const LEGEND: &str = "\
}  a message from the client   }. a part of one
{  bytes from the target
>  to the target               .> a part of it
<  to the client               <. a part of it
";

/// Symbols that may wait to be printed.
const QUEUE_MAX: usize = 16 << 10;
/// The longest that [`Ticker::flush`] waits.
const FLUSH_WAIT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_counted_and_nobody_waits() {
        let (queue, items) = sync_channel(2);
        let lost = Arc::new(AtomicU64::new(0));
        let ticker = Ticker(Arc::new(Shared { queue, lost: Arc::clone(&lost) }));
        for event in [
            Event::Read(Side::Client, Whole::Yes),
            Event::Written(Side::Backend, Whole::No),
            Event::Read(Side::Backend, Whole::Yes),
            Event::Written(Side::Client, Whole::No),
        ] {
            ticker.tell(event);
        }
        assert_eq!(lost.load(Ordering::Relaxed), 2);
        drop(ticker);
        let mut printed = Vec::new();
        print(&items, &lost, &mut printed).unwrap();
        assert_eq!(String::from_utf8(printed).unwrap(), format!("{LEGEND}}}.>"));
        assert_eq!(lost.load(Ordering::Relaxed), 0, "the loss was told");
    }
}

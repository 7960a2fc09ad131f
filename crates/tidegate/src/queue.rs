//! The end of a bounded queue that another thread works off.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::clock;

/// Waits until the thread has worked off everything that is in the queue by now: a mark is handed in behind it, which the
/// thread answers or drops. It waits for `patience` at most until there is room for the mark, and as long again for the
/// thread. `false`: it was not in time. Where no thread is left, there is nothing to wait for.
pub(crate) fn is_through<T>(
    queue: &SyncSender<T>,
    mark: fn(SyncSender<()>) -> T,
    patience: Duration,
) -> bool {
    let (answer, answered) = sync_channel(1);
    let until = clock::now() + patience;
    let mut mark = mark(answer);
    loop {
        match queue.try_send(mark) {
            Ok(()) => return answered.recv_timeout(patience) != Err(RecvTimeoutError::Timeout),
            Err(TrySendError::Disconnected(_)) => return true,
            Err(TrySendError::Full(_)) if clock::now() >= until => return false,
            Err(TrySendError::Full(back)) => mark = back,
        }
        thread::sleep(LOOK); // a full queue does not tell when there is room
    }
}

/// How often it looks for room.
const LOOK: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_when_all_is_done_and_when_nobody_does_it() {
        let (queue, items) = sync_channel::<SyncSender<()>>(1);
        let soon = Duration::from_millis(1);
        assert!(!is_through(&queue, |mark| mark, soon), "nobody works it off");
        assert!(!is_through(&queue, |mark| mark, soon), "and now it is full");
        let worker = thread::spawn(move || items.iter().for_each(drop));
        assert!(is_through(&queue, |mark| mark, Duration::from_secs(60)));
        drop(queue);
        worker.join().unwrap();
        let (queue, items) = sync_channel::<SyncSender<()>>(1);
        drop(items);
        assert!(is_through(&queue, |mark| mark, soon), "nobody is left");
    }
}

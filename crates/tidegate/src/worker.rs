//! Worker threads: each has a runtime of its own and shares nothing on the path of a byte.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::listener::Accepted;
use crate::service::Service;
use crate::{conn, relay};

/// How often a worker that has connections looks up from its sockets; see [`tick`].
const TICK: Duration = Duration::from_secs(1);

/// Turns of its own tasks after which a busy worker looks at what other threads have for it: orders, mostly, and sessions
/// that were handed over, which stand still until then.
const OTHERS_INTERVAL: u32 = 8;

/// All worker threads.
#[derive(Debug)]
pub(crate) struct Workers {
    workers: Vec<Worker>,
    service: Arc<Service>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Worker {
    busy: Arc<Busy>,
    runtime: Handle,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How much a worker has to do.
#[derive(Debug, Default)]
struct Busy {
    /// Connections that it serves.
    live: AtomicUsize,
    /// Told when the first of them comes.
    begun: Notify,
    /// Its thread has ended.
    is_lost: AtomicBool,
}

/// Says so when the thread that has it ends, in whichever way.
struct Lost(Arc<Busy>);

/// A queue to a task on each worker.
#[derive(Debug)]
pub(crate) struct WorkerQueues<'w, T> {
    workers: &'w Workers,
    queues: Vec<mpsc::UnboundedSender<T>>,
}

/// A connection as a part of its worker's load, until it is dropped.
#[derive(Debug)]
pub(crate) struct Load {
    busy: Arc<Busy>,
    _tracked: TaskTrackerToken,
}

impl Workers {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// The system gives no thread or no event queue.
    pub(crate) fn start(count: usize, service: &Arc<Service>) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let workers = (0..count).map(|index| start_one(index, &stop)).collect::<io::Result<Vec<_>>>()?;
        Ok(Self { workers, service: Arc::clone(service), tracker: TaskTracker::new(), stop })
    }

    /// Where connections are to be accepted. With one worker that is where they are served; several have them dealt
    /// out by the thread that asks.
    pub(crate) fn acceptor(&self) -> Handle {
        match &self.workers[..] {
            [only] => only.runtime.clone(),
            _ => Handle::current(),
        }
    }

    /// Gives a connection to the worker that has the fewest, of those that run. How many can wait to be taken up is
    /// limited by the places among the handshakes, of which each has one.
    pub(crate) fn serve(&self, accepted: Accepted) {
        // Boxed because a task moves its future about: when it is made, and when it is done with.
        self.take_up(|load| Box::pin(conn::serve(accepted, Arc::clone(&self.service), load)));
    }

    /// Has the worker that has the fewest connections take up one more, which was let in elsewhere.
    pub(crate) fn take_up<F: Future<Output = ()> + Send + 'static>(&self, task: impl FnOnce(Load) -> F) {
        let (index, load) = self.least_loaded();
        self.workers[index].runtime.spawn(task(load));
    }

    /// Starts a task on each worker, which takes what it is [given](WorkerQueues::give) until the queues are dropped. A worker
    /// that is busy looks rarely at what other threads have for it: the task then takes all of it at once.
    pub(crate) fn queue_to_each<T: Send + 'static, F: Future<Output = ()> + Send + 'static>(
        &self,
        task: impl Fn(mpsc::UnboundedReceiver<T>) -> F,
    ) -> WorkerQueues<'_, T> {
        let open = |worker: &Worker| {
            let (to, given) = mpsc::unbounded_channel();
            worker.runtime.spawn(task(given));
            to
        };
        WorkerQueues { workers: self, queues: self.workers.iter().map(open).collect() }
    }

    /// Where no worker is left, nobody can be served any more, and the process ends: whoever watches it starts it anew.
    fn least_loaded(&self) -> (usize, Load) {
        let workers = self.workers.iter().enumerate();
        let running = workers.filter(|(_, worker)| !worker.busy.is_lost.load(Ordering::Relaxed));
        let least = running.min_by_key(|(_, worker)| worker.busy.live.load(Ordering::Relaxed));
        let Some((index, worker)) = least else {
            tracing::error!("no worker thread is left; the process ends");
            std::process::exit(1);
        };
        if worker.busy.live.fetch_add(1, Ordering::Relaxed) == 0 {
            worker.busy.begun.notify_one();
        }
        (index, Load { busy: Arc::clone(&worker.busy), _tracked: self.tracker.token() })
    }

    /// Completes when no connection is left. New ones must not be given any more.
    pub(crate) async fn idle(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Ends the threads, and with them what connections are left: each is dropped as it is, and says so in its line.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
        for worker in &self.workers {
            let thread = worker.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            if thread.is_some_and(|thread| thread.join().is_err()) {
                tracing::error!("a worker thread has panicked");
            }
        }
    }

    /// Completes when each of them has come round to a task that was given to it now. `false`: one has ended.
    pub(crate) async fn answer(&self) -> bool {
        for worker in &self.workers {
            if worker.runtime.spawn(async {}).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Connections that are served just now.
    pub(crate) fn live(&self) -> usize {
        self.workers.iter().map(|worker| worker.busy.live.load(Ordering::Relaxed)).sum()
    }
}

impl<T> WorkerQueues<'_, T> {
    /// Gives this to the worker that has the fewest connections: it counts as one more.
    pub(crate) fn give(&self, make: impl FnOnce(Load) -> T) {
        let (index, load) = self.workers.least_loaded();
        self.queues[index].send(make(load)).ok(); // a worker that was lost just now has lost everything else, too
    }
}

impl Drop for Lost {
    fn drop(&mut self) {
        self.0.is_lost.store(true, Ordering::Relaxed);
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.busy.live.fetch_sub(1, Ordering::Relaxed);
    }
}

fn start_one(index: usize, stop: &CancellationToken) -> io::Result<Worker> {
    let busy = Arc::new(Busy::default());
    let stop = stop.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .global_queue_interval(OTHERS_INTERVAL)
        .enable_all()
        .build()?;
    let handle = runtime.handle().clone();
    drop(runtime.spawn(relay::attend()));
    let ticking = tick(Arc::clone(&busy));
    let lost = Lost(Arc::clone(&busy));
    let thread = thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
        let _lost = lost;
        runtime.block_on(stop.run_until_cancelled(ticking));
        runtime.shutdown_background(); // a name look-up under way may take its time
    })?;
    Ok(Worker { busy, runtime: handle, thread: Mutex::new(Some(thread)) })
}

/// Has a timer that is due soon for as long as there are connections.
///
/// The runtime wakes itself up, by two system calls, for each timer that is due before all others. Each connection arms
/// several, and in the opening they are the nearest almost always: behind this one, none is.
async fn tick(busy: Arc<Busy>) {
    loop {
        while busy.live.load(Ordering::Relaxed) > 0 {
            sleep(TICK).await; // waits because that is all it is for
        }
        busy.begun.notified().await;
    }
}

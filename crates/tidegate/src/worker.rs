//! Worker threads: each has a runtime of its own and shares nothing on the path of a byte.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::conn;
use crate::listener::Accepted;
use crate::service::Service;

/// Accepted connections that may wait for one worker to take them up.
const HANDOVER_MAX: usize = 256;

/// All worker threads.
#[derive(Debug)]
pub(crate) struct Workers {
    workers: Vec<Worker>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Worker {
    connections: mpsc::Sender<(Accepted, Load)>,
    /// Connections that it serves.
    live: Arc<AtomicUsize>,
    runtime: Handle,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A connection as a part of its worker's load, until it is dropped.
#[derive(Debug)]
pub(crate) struct Load {
    live: Arc<AtomicUsize>,
    _tracked: TaskTrackerToken,
}

impl Workers {
    /// Starts so many threads.
    ///
    /// # Errors
    /// The system gives no thread or no event queue.
    pub(crate) fn start(count: usize, service: &Arc<Service>) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let workers =
            (0..count).map(|index| start_one(index, service, &stop)).collect::<io::Result<Vec<_>>>()?;
        Ok(Self { workers, tracker: TaskTracker::new(), stop })
    }

    /// Gives a connection to the worker that has the fewest, of those that run. Where none is left, nobody can be served
    /// any more, and the process ends: whoever watches it starts it anew.
    pub(crate) async fn serve(&self, accepted: Accepted) {
        let mut given = accepted;
        loop {
            let (worker, load) = self.least_loaded();
            match worker.connections.send((given, load)).await {
                Ok(()) => return,
                Err(returned) => given = returned.0.0, // it has ended meanwhile
            }
        }
    }

    /// Has the worker that has the fewest connections take up one more, which was let in elsewhere.
    pub(crate) fn take_up<F: Future<Output = ()> + Send + 'static>(&self, task: impl FnOnce(Load) -> F) {
        let (worker, load) = self.least_loaded();
        worker.runtime.spawn(task(load));
    }

    fn least_loaded(&self) -> (&Worker, Load) {
        let running = self.workers.iter().filter(|worker| !worker.connections.is_closed());
        let Some(worker) = running.min_by_key(|worker| worker.live.load(Ordering::Relaxed)) else {
            tracing::error!("no worker thread is left; the process ends");
            std::process::exit(1);
        };
        worker.live.fetch_add(1, Ordering::Relaxed);
        (worker, Load { live: Arc::clone(&worker.live), _tracked: self.tracker.token() })
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
        self.workers.iter().map(|worker| worker.live.load(Ordering::Relaxed)).sum()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Ordering::Relaxed);
    }
}

fn start_one(index: usize, service: &Arc<Service>, stop: &CancellationToken) -> io::Result<Worker> {
    let (connections, mut incoming) = mpsc::channel(HANDOVER_MAX);
    let service = Arc::clone(service);
    let stop = stop.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let serve = async move {
        while let Some((accepted, load)) = incoming.recv().await {
            tokio::spawn(conn::serve(accepted, Arc::clone(&service), load));
        }
    };
    let handle = runtime.handle().clone();
    let thread = thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
        runtime.block_on(stop.run_until_cancelled(serve));
        runtime.shutdown_background(); // a name look-up under way may take its time
    })?;
    Ok(Worker {
        connections,
        live: Arc::new(AtomicUsize::new(0)),
        runtime: handle,
        thread: Mutex::new(Some(thread)),
    })
}

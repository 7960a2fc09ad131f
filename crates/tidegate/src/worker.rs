//! Worker threads: each has a runtime of its own and shares nothing on the path of a byte.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::task::TaskTracker;

use crate::conn;
use crate::listener::{Accepted, Guard};
use crate::service::Service;

/// Accepted connections that may wait for one worker to take them up.
const HANDOVER_MAX: usize = 256;

/// All worker threads.
#[derive(Debug)]
pub(crate) struct Workers {
    workers: Vec<Worker>,
    tracker: TaskTracker,
}

#[derive(Debug)]
struct Worker {
    connections: mpsc::Sender<Accepted>,
    /// Connections that it serves.
    live: Arc<AtomicUsize>,
}

impl Workers {
    /// Starts so many threads.
    ///
    /// # Errors
    /// The system gives no thread or no event queue.
    pub(crate) fn start(count: usize, service: &Arc<Service>) -> io::Result<Self> {
        let workers = (0..count).map(|index| start_one(index, service)).collect::<io::Result<Vec<_>>>()?;
        Ok(Self { workers, tracker: TaskTracker::new() })
    }

    pub(crate) fn least_loaded(&self) -> usize {
        let load = |index: &usize| self.workers[*index].live.load(Ordering::Relaxed);
        (0..self.workers.len()).min_by_key(load).expect("there is at least one worker")
    }

    pub(crate) fn guard(&self, worker: usize, connection: OwnedSemaphorePermit) -> Guard {
        Guard::new(connection, self.tracker.token(), &self.workers[worker].live)
    }

    pub(crate) async fn give(
        &self,
        worker: usize,
        accepted: Accepted,
    ) -> Result<(), mpsc::error::SendError<Accepted>> {
        self.workers[worker].connections.send(accepted).await
    }

    /// Completes when no connection is left. New ones must not be given any more.
    pub(crate) async fn idle(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Connections that are served just now.
    pub(crate) fn live(&self) -> usize {
        self.workers.iter().map(|worker| worker.live.load(Ordering::Relaxed)).sum()
    }
}

fn start_one(index: usize, service: &Arc<Service>) -> io::Result<Worker> {
    let (connections, mut incoming) = mpsc::channel(HANDOVER_MAX);
    let service = Arc::clone(service);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
        runtime.block_on(async move {
            while let Some(accepted) = incoming.recv().await {
                tokio::spawn(conn::serve(accepted, Arc::clone(&service)));
            }
        });
    })?;
    Ok(Worker { connections, live: Arc::new(AtomicUsize::new(0)) })
}

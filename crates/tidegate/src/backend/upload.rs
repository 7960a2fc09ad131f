//! The body of a plain request on its way to the backend, and whether it moves.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::Notify;

use super::ConnectError;
use crate::clock::timeout;
use crate::config::Route;

/// The body as it is passed on. It is dropped with its last byte, or when it is not wanted any more.
#[derive(Debug)]
pub(super) struct Upload {
    body: Incoming,
    progress: Arc<Progress>,
}

/// How far it is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Pieces that have moved.
    moved: AtomicU64,
    /// The next piece is the client's to send; otherwise it is the backend's to take.
    awaits_client: AtomicBool,
    /// There is no more of it to be sent.
    over: AtomicBool,
    /// Told when it is another's turn, and when it is over.
    news: Notify,
}

/// Watches a body.
pub(super) fn watched(body: Incoming) -> (Upload, Arc<Progress>) {
    let progress = Arc::<Progress>::default();
    (Upload { body, progress: Arc::clone(&progress) }, progress)
}

impl Progress {
    /// Completes when there is no more of the body to be sent. How long that takes is the client's matter, as long as
    /// something moves.
    ///
    /// # Errors
    /// Nothing does: the client sends nothing within `body_timeout`, or the backend takes nothing within
    /// `upgrade_timeout`.
    pub(super) async fn end(&self, route: &Route) -> Result<(), ConnectError> {
        loop {
            let before = self.standing();
            let (_, awaits_client) = before;
            let patience = if awaits_client { route.body_timeout } else { route.upgrade_timeout };
            let news = timeout(patience, self.news.notified()).await;
            if self.over.load(Ordering::Relaxed) {
                return Ok(());
            }
            if news.is_err() && self.standing() == before {
                return Err(stalled(awaits_client));
            }
        }
    }

    fn standing(&self) -> (u64, bool) {
        (self.moved.load(Ordering::Relaxed), self.awaits_client.load(Ordering::Relaxed))
    }
}

const fn stalled(awaits_client: bool) -> ConnectError {
    if awaits_client { ConnectError::BodyTimeout } else { ConnectError::UpgradeTimeout }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.progress.moved.fetch_add(u64::from(polled.is_ready()), Ordering::Relaxed);
        if self.progress.awaits_client.swap(polled.is_pending(), Ordering::Relaxed) != polled.is_pending() {
            self.progress.news.notify_one();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.progress.over.store(true, Ordering::Relaxed);
        self.progress.news.notify_one();
    }
}

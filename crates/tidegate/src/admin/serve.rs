//! Connections to the admin listener.

use std::sync::Arc;

use http::Response;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::House;
use super::api;
use crate::http::{self as front, Answering, Body};
use crate::listener::{Accepted, Gate, Listening, Places};
use crate::{proxied, tls};

/// Connections at once; more wait in the kernel.
const CONNECTIONS_MAX: usize = 64;

/// Takes connections until it is told to stop. `visitors` are those that are there.
pub(crate) async fn serve(
    listening: Arc<Listening>,
    gate: Gate,
    house: Arc<House>,
    visitors: TaskTracker,
    stop: CancellationToken,
) {
    let places = Places::new(CONNECTIONS_MAX, CONNECTIONS_MAX);
    let requests = Requests { house, answering: Arc::default(), stop };
    while let Some(accepted) = requests.stop.run_until_cancelled(listening.accept(&places, &gate)).await {
        let requests = Requests { answering: Arc::default(), ..requests.clone() };
        visitors.spawn(serve_one(accepted, requests));
    }
}

async fn serve_one(accepted: Accepted, requests: Requests) {
    let head_timeout = accepted.listener().head_timeout;
    let Ok(announced) = proxied::accept(accepted).await else { return }; // no proxy stands in front of it
    match tls::accept(announced).await {
        Ok(secured) => {
            front::serve(secured.socket, head_timeout, requests).await;
            drop(secured.accepted); // and with it the places
        }
        Err(error) => tracing::debug!(%error, "no TLS with whoever came to the admin listener"),
    }
}

/// Those of one connection.
#[derive(Clone)]
struct Requests {
    house: Arc<House>,
    /// Held by each answer under way.
    answering: Arc<()>,
    stop: CancellationToken,
}

impl front::Requests for Requests {
    fn answer(&self, request: http::Request<Incoming>) -> Answering {
        let (house, answering) = (Arc::clone(&self.house), Arc::clone(&self.answering));
        Box::pin(async move {
            let answer = api::answer(house, request).await;
            drop(answering);
            Result::<Response<Body>, hyper::Error>::Ok(answer)
        })
    }

    fn is_answering(&self) -> bool {
        Arc::strong_count(&self.answering) > 1
    }

    fn is_upgraded(&self) -> bool {
        false
    }

    /// While the gateway drains there is still something to see: this ends with the process, or when another one is asked
    /// in its place.
    async fn stop(&self) {
        self.stop.cancelled().await;
    }
}

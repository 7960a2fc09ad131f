//! Connections to the admin listener.

use std::sync::Arc;

use http::Response;
use hyper::body::Incoming;
use tokio_util::task::TaskTracker;

use super::House;
use super::api;
use crate::http::{self as front, Answering, Body};
use crate::listener::{Accepted, Gate, Listening, Places};
use crate::{proxied, tls};

/// Connections at once; more wait in the kernel.
const CONNECTIONS_MAX: usize = 64;

/// The places of the admin listener.
pub(crate) fn places() -> Places {
    Places::new(CONNECTIONS_MAX, CONNECTIONS_MAX)
}

/// Takes connections for as long as it is polled. `visitors` are those that are there.
pub(crate) async fn serve(
    listening: Arc<Listening>,
    gate: Gate,
    places: Places,
    house: Arc<House>,
    visitors: TaskTracker,
) {
    loop {
        let accepted = listening.accept(&places, &gate).await;
        visitors.spawn(serve_one(accepted, Arc::clone(&house)));
    }
}

async fn serve_one(accepted: Accepted, house: Arc<House>) {
    let head_timeout = accepted.listener().head_timeout;
    let Ok(announced) = proxied::accept(accepted).await else { return }; // no proxy stands in front of it
    match tls::accept(announced).await {
        Ok(secured) => {
            front::serve(secured.socket, head_timeout, Requests(house)).await;
            drop(secured.accepted); // and with it the places
        }
        Err(error) => tracing::debug!(%error, "no TLS with whoever came to the admin listener"),
    }
}

struct Requests(Arc<House>);

impl front::Requests for Requests {
    fn answer(&self, request: http::Request<Incoming>) -> Answering {
        let house = Arc::clone(&self.0);
        Box::pin(async move { Result::<Response<Body>, hyper::Error>::Ok(api::answer(house, request).await) })
    }

    /// Every answer is made at once, or has a deadline of its own.
    fn is_answering(&self) -> bool {
        false
    }

    fn is_upgraded(&self) -> bool {
        false
    }

    /// While the gateway drains there is still something to see: this ends with the process.
    async fn stop(&self) {
        std::future::pending::<()>().await;
    }
}

//! Connections to the admin listener.

use std::sync::Arc;

use http::Response;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Gateway;
use super::api;
use super::visitors::{Visitor, Visitors};
use crate::http::{self as front, Answering, Body};
use crate::listener::{Accepted, Gate, Listening, Places};
use crate::{proxied, tls};

/// Connections at once; of more, whoever has been idle for longest is closed.
const CONNECTIONS_MAX: usize = 64;

/// Takes connections until it is told to stop. `tasks` are those of whoever is there.
pub(crate) async fn serve(
    listening: Arc<Listening>,
    gate: Gate,
    gateway: Arc<Gateway>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let places = Places::new(CONNECTIONS_MAX, CONNECTIONS_MAX);
    let mut visitors = Visitors::new(CONNECTIONS_MAX);
    while let Some(accepted) = stop.run_until_cancelled(listening.accept(&places, &gate)).await {
        let (visitor, gateway) = (visitors.enter(), Arc::clone(&gateway));
        tasks.spawn(serve_one(accepted, Requests { gateway, visitor, stop: stop.clone() }));
    }
}

async fn serve_one(accepted: Accepted, requests: Requests) {
    let leave = requests.visitor.leave.clone();
    tokio::select! {
        biased; // nothing is begun for whoever has to go
        () = leave.cancelled() => {}
        () = visit(accepted, requests) => {}
    }
}

async fn visit(accepted: Accepted, requests: Requests) {
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
struct Requests {
    gateway: Arc<Gateway>,
    visitor: Arc<Visitor>,
    stop: CancellationToken,
}

impl front::Requests for Requests {
    fn answer(&self, request: http::Request<Incoming>) -> Answering {
        let (gateway, answering) = (Arc::clone(&self.gateway), self.visitor.answering());
        Box::pin(async move {
            let answer = api::answer(gateway, request).await;
            drop(answering);
            Result::<Response<Body>, hyper::Error>::Ok(answer)
        })
    }

    fn is_answering(&self) -> bool {
        self.visitor.is_answered()
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

//! THE LINE: one connection, from its first byte to its access line.
//!
//! `accept → proxied → tls → http → handshake → route → policy → auth → lookup → backend → recording → 101 →
//! relay → settle`. Each stage takes the proof that the one before made; only `conn` knows two of them.

mod answers;
mod exchange;
mod resumed;
mod settling;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use self::answers::{passed_on, path_in_files};
use self::exchange::{Exchange, Requests};
pub(crate) use self::resumed::Resumed;
use self::settling::Settling;
use crate::backend::{self, ConnectError, Link, Onward};
use crate::config::Backend;
use crate::generation::Generation;
use crate::http::{self as front, Body, Ended};
use crate::io::Socket;
use crate::journal::Entry;
use crate::listener::Accepted;
use crate::live::About;
use crate::opening;
use crate::policy::quota::Share;
use crate::proxied::Unannounced;
use crate::recording::Tape;
use crate::refused::Refused;
use crate::relay::Terms;
use crate::request::{Kind, Request};
use crate::service::Service;
use crate::{clock, files, page, policy, proxied, relay, tls};

/// Serves one connection, and keeps `load` until its very end. The task ends when HTTP on it does: a WebSocket goes on in a
/// task of its own, which is small, while this one's memory is given back.
pub(crate) async fn serve<L: Send + Sync + 'static>(accepted: Accepted, service: Arc<Service>, load: L) {
    let conn = service.next_connection();
    let mut announced = match proxied::accept(accepted).await {
        Ok(announced) => announced,
        Err(error @ Unannounced::Malformed(..)) => return tracing::warn!(conn, %error, "dropped"),
        Err(error) => return tracing::debug!(conn, %error, "dropped"),
    };
    let quota_share = match admit_handshake(&mut announced.accepted, &service).await {
        Ok(share) => share,
        Err(refused) => {
            let client = announced.accepted.arrival().client;
            return Entry::unread(&service.telemetry, conn, client, clock::now()).refused(&refused);
        }
    };
    let secured = match tls::accept(announced).await {
        Ok(secured) => secured,
        Err(error) => return service.without_tls(conn, &error),
    };
    let arrival = secured.arrival();
    service.with_tls(arrival.tls.as_deref().map(|tls| tls.version));
    let names = secured.client_names();
    let (served, place, handshake) = secured.accepted.into_parts();
    let head_timeout = served.listener.head_timeout;
    let handshake = (handshake, quota_share);
    let exchange = Arc::new(Exchange::new(conn, arrival, names, served, service, handshake));
    let ended = front::serve(secured.socket, head_timeout, Requests(Arc::clone(&exchange))).await;
    match (ended, exchange.take_session()) {
        (Ended::Upgraded(mut socket, early), Some(session)) => {
            let Some((session, early)) = exchange.proven(session, &mut socket, early).await else { return };
            // Of the exchange only this lives on: the rest of it would cost each connection a kilobyte.
            let share = exchange.take_share().map(Box::new);
            go_on(session, socket, early, &exchange.service, (load, place, share));
        }
        (Ended::Broken(status), _) => {
            exchange.unread(clock::now()).answered(status, Some("no request".to_owned()));
        }
        (Ended::Tls(status), _) => {
            exchange.unread(clock::now()).answered(status, Some("TLS on a port without it".to_owned()));
        }
        // A session that nobody takes up says so in its access line.
        (Ended::Closed | Ended::Upgraded(..), _) => {}
    }
}

/// Holds the handshakes that one client has under way within two bounds: as many as it may have connections, where that is
/// limited, and its address's share of all. A trusted proxy's connection counts towards neither, since nobody knows yet for
/// whom it comes.
async fn admit_handshake(accepted: &mut Accepted, service: &Service) -> Result<Option<Share>, Refused> {
    let client = accepted.arrival().client.ip();
    let counted = client.filter(|_| !accepted.listener().trusted_proxies.trust(client));
    let quota_share = counted.map_or(Ok(None), |client| service.handshakes.take(client))?;
    accepted.take_share().await?;
    Ok(quota_share)
}

/// The evidence that a client was answered with 101: its backend is connected, and an access line is owed.
struct Session {
    conn: u64,
    client: (Option<IpAddr>, u16),
    link: Link,
    tape: Option<Box<Tape>>,
    /// When it has to go at the latest: its token expires.
    until: Option<Instant>,
    entry: Entry,
}

/// The way of an upgrade request, stage by stage. Whatever fails here is still answered in HTTP.
async fn upgrade(
    exchange: &Exchange,
    generation: &Generation,
    request: &Request,
    entry: &mut Entry,
) -> Result<(Link, Option<Box<Tape>>, Option<Instant>), Refused> {
    let selected = generation.table.select(Kind::WebSocket, &request.host, &request.path);
    let legacy = selected.as_ref().is_ok_and(|selected| selected.route().legacy_hybi00);
    let opening = opening::read(request, exchange.served.listener.lenient_key, legacy)?;
    let selected = selected?; // later: whoever opens nothing is told so first
    entry.on_route(selected.route());
    if opening.is_hybi00() {
        entry.in_hybi00();
    }
    let permit = policy::decide(selected, opening, request.origins(), &request.origin())?;
    if exchange.service.drain.is_started() {
        return Err(Refused::Draining);
    }
    if exchange.service.is_short_of_memory() {
        return Err(Refused::Memory);
    }
    let admitted = generation.guards.admit(permit, request, exchange.names.as_ref()).await?;
    let until = admitted.until();
    let destination = generation.lookups.resolve(admitted, request).await?;
    let link = backend::connect(destination, request, &generation.trust).await?;
    entry.on_backend(link.chosen());
    let tape = generation.tape(link.permit().route(), request, exchange.conn).await?;
    Ok((link, tape, until))
}

/// The way of every other request.
async fn plain(
    exchange: &Exchange,
    generation: &Generation,
    request: &Request,
    body: Incoming,
    entry: &mut Entry,
) -> Result<Response<Body>, Refused> {
    let selected = generation.table.select(Kind::Http, &request.host, &request.path)?;
    entry.on_route(selected.route());
    let selected = generation.guards.admit(selected, request, exchange.names.as_ref()).await?.into_inner();
    match selected.backend() {
        Backend::File(root) => {
            let path = path_in_files(&selected, request);
            let prefix = request.path.strip_suffix(path).unwrap_or("");
            Ok(files::serve(root, prefix, path, request).await)
        }
        Backend::Builtin => Ok(page::serve(request, &exchange.service)),
        Backend::Http(_) => {
            if !body.is_end_stream() {
                exchange.leave_handshake(); // a body takes its time, and is none
            }
            let (answer, seat) = backend::proxy::forward(&selected, request, body, &generation.trust).await?;
            entry.on_backend(seat.chosen());
            Ok(passed_on(answer, (seat, exchange.busy())))
        }
        Backend::Tcp(_)
        | Backend::Tls(_)
        | Backend::Unix(_)
        | Backend::WebSocket(_)
        | Backend::Echo
        | Backend::Lookup(_)
        | Backend::Handoff(_)
        | Backend::Replay(_) => Err(ConnectError::NotBuilt.into()),
    }
}

/// A WebSocket, from the 101 to its access line, in a task of its own. `kept` is what its end gives back.
///
/// Not an `async fn`, and nothing after an `await` of the relay: its future would hold all of this twice, for as long as
/// the connection lives.
fn go_on<K: Send + Sync + 'static>(
    session: Session,
    socket: Socket,
    early: Bytes,
    service: &Arc<Service>,
    kept: K,
) {
    let Session { conn, client, link, tape, until, entry } = session;
    let route = Arc::clone(link.permit().route());
    let about = About {
        conn,
        client: client.0,
        port: client.1,
        hybi00: link.permit().opening().is_hybi00(),
        backend: link.chosen().map(Into::into),
        subprotocol: link.agreed().subprotocol.as_ref().map(|name| name.as_str().into()),
        route: Arc::clone(&route),
    };
    let (onward, agreed, seat) = link.into_parts();
    let live = service.enter(about, until);
    match onward {
        Onward::Relayed(backend) => {
            let traffic = entry.traffic();
            let settling = Settling { entry, seat: Some(seat), kept };
            let ticker = service.telemetry.ticker.clone();
            let terms = Terms { rules: &route, agreed: &agreed, traffic, tape, ticker };
            tokio::spawn(relay::run(socket, early, backend, terms, live, settling));
        }
        Onward::HandedOver(receiver) => {
            tokio::spawn(async move {
                let given = receiver.give(conn, socket, &early).await;
                drop((live, seat));
                entry.handed_over(given);
                drop(kept);
            });
        }
    }
}

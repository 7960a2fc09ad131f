//! THE LINE: one connection, from its first byte to its access line.
//!
//! `accept → tls → http → handshake → route → policy → backend → 101 → relay → settle`. Each stage takes the proof that
//! the one before made; this is the only file that knows two of them.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::access_log::{Line, WebSocketLine};
use crate::backend::{self, ConnectError, Link};
use crate::config::Backend;
use crate::forward::response_end_to_end;
use crate::http::{self as front, Answering, Body, Ended};
use crate::io::{Arrival, Socket};
use crate::listener::Accepted;
use crate::refused::Refused;
use crate::request::{Kind, Request};
use crate::route::Selected;
use crate::service::Service;
use crate::{clock, files, page, policy, relay, tls};

/// Serves one connection, and keeps `load` until its very end. The task ends when HTTP on it does: a WebSocket lives on in a task of its own, which is
/// small, while this one's memory is given back.
pub(crate) async fn serve<L: Send + 'static>(accepted: Accepted, service: Arc<Service>, load: L) {
    let conn = service.next_connection();
    let secured = match tls::accept(accepted).await {
        Ok(secured) => secured,
        Err(error) => return tracing::debug!(conn, %error, "no TLS"),
    };
    let arrival = Arrival {
        secure: secured.socket.is_tls(),
        ..secured.accepted.arrival()
    };
    let head_timeout = secured.accepted.listener().head_timeout;
    let lenient_key = secured.accepted.listener().lenient_key;
    let (place, handshake) = secured.accepted.into_places();
    let exchange = Arc::new(Exchange {
        conn,
        arrival,
        lenient_key,
        service,
        session: Mutex::new(None),
        handshake: Mutex::new(Some(handshake)),
    });
    let requests = Requests(Arc::clone(&exchange));
    let ended = front::serve(secured.socket, head_timeout, requests, || exchange.has_session()).await;
    match (ended, exchange.take_session()) {
        (Ended::Upgraded(socket, early), Some(session)) => {
            tokio::spawn(relay(
                session,
                socket,
                early,
                Arc::clone(&exchange.service),
                (load, place),
            ));
        }
        (Ended::Broken(status), _) => exchange.log_broken(status),
        (Ended::Upgraded(..) | Ended::Closed, _) => {}
    }
}

/// What the requests of one connection share.
struct Exchange {
    conn: u64,
    arrival: Arrival,
    lenient_key: bool,
    service: Arc<Service>,
    /// Filled by the request that was answered with 101.
    session: Mutex<Option<Session>>,
    /// Given back with the first answer.
    handshake: Mutex<Option<OwnedSemaphorePermit>>,
}

/// The evidence that a client was told yes: a backend stands, and what the access line will say.
struct Session {
    link: Link,
    request: Request,
    conn: u64,
    since: Instant,
}

/// The way of an upgrade request: each line is a stage, and each stage before the last can still answer in HTTP.
async fn upgrade(exchange: &Exchange, request: Request, since: Instant) -> Result<Response<Body>, Refused> {
    let offer = request.handshake(exchange.lenient_key)?;
    let selected = exchange
        .service
        .table
        .select(Kind::WebSocket, &request.host, &request.path)?;
    let origins = request
        .fields
        .get_all(http::header::ORIGIN)
        .into_iter()
        .map(http::HeaderValue::as_bytes);
    let permit = policy::decide(selected, offer, origins, &request.origin())?;
    if exchange.service.drain.is_started() {
        return Err(Refused::Draining);
    }
    let link = backend::connect(permit, &request).await?;
    let answer = answer_101(&link);
    exchange.begin(Session {
        link,
        request,
        conn: exchange.conn,
        since,
    });
    Ok(answer)
}

/// The way of every other request.
async fn plain(exchange: &Exchange, request: &Request, selected: &Selected) -> Response<Body> {
    match selected.backend() {
        Backend::File(root) => {
            let path = match &selected.route().path {
                crate::config::PathPattern::Exact(exact) => exact.as_str(),
                crate::config::PathPattern::Prefix(_) | crate::config::PathPattern::Regex(..) => {
                    selected.below_prefix(&request.path)
                }
            };
            files::serve(root, path, request).await
        }
        Backend::Builtin => page::serve(request, &exchange.service),
        Backend::Http(_)
        | Backend::Tcp(_)
        | Backend::Tls(_)
        | Backend::Unix(_)
        | Backend::WebSocket(_)
        | Backend::Echo
        | Backend::Handoff(_) => refuse(&Refused::Backend(ConnectError::NotBuilt)),
    }
}

/// A WebSocket, from the 101 to its access line.
async fn relay<K: Send>(session: Session, socket: Socket, early: Bytes, service: Arc<Service>, kept: K) {
    let Session {
        link,
        request,
        conn,
        since,
    } = session;
    let route = Arc::clone(link.permit().route());
    let subprotocol = link.agreed().subprotocol.clone();
    let open = service.open();
    let (end, counts) = relay::run(socket, early, link.into_far_side(), &route, service.drain.clone()).await;
    drop(open);
    let mut line = Line {
        kind: "websocket",
        route: Some(&route.name),
        status: 101,
        reason: end.violation().map(|violation| violation.to_string()),
        websocket: Some(WebSocketLine {
            subprotocol: subprotocol.as_ref().map(|name| name.as_str()),
            bytes_in: counts.bytes_in,
            bytes_out: counts.bytes_out,
            messages_in: counts.messages_in,
            messages_out: counts.messages_out,
            end: end.label(),
            close_code: end.logged_code(),
            closed_by: end.party(),
        }),
        ..line(conn, &request, since)
    };
    service.access_log.write(&mut line);
    drop(kept); // last: whoever waits for this connection's end finds its line written
}

impl Exchange {
    async fn answer(self: Arc<Self>, head: http::Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
        let since = clock::now();
        let (parts, body) = head.into_parts();
        let has_body = !hyper::body::Body::is_end_stream(&body);
        let mut response = match Request::read(parts, &self.arrival) {
            Err(bad) => refuse(&bad.into()),
            Ok(request) if request.kind() == Kind::WebSocket => self.answer_upgrade(request, since).await,
            Ok(request) => self.answer_plain(&request, since).await,
        };
        drop(
            self.handshake
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        if has_body || self.service.drain.is_started() {
            front::close_after(&mut response); // a body that nobody reads must not become the next request
        }
        Ok(response)
    }

    async fn answer_upgrade(&self, request: Request, since: Instant) -> Response<Body> {
        let told = (request.host.clone(), request.path.clone(), request.method.clone());
        match upgrade(self, request, since).await {
            Ok(response) => response,
            Err(refused) => {
                let reason = Some(refused.to_string());
                let mut response = if let Refused::Backend(ConnectError::Answered(answer)) = refused {
                    passed_on(*answer)
                } else {
                    refuse(&refused)
                };
                front::close_after(&mut response); // frames may already follow an upgrade request
                let (host, path, method) = told;
                self.service.access_log.write(&mut Line {
                    conn: self.conn,
                    client: self.arrival.client.to_string(),
                    kind: "http",
                    method: Some(method.as_str()),
                    host: &host,
                    path: truncated(&path),
                    status: response.status().as_u16(),
                    reason,
                    duration_ms: millis(since),
                    ..Line::default()
                });
                response
            }
        }
    }

    async fn answer_plain(&self, request: &Request, since: Instant) -> Response<Body> {
        let selected = self
            .service
            .table
            .select(Kind::Http, &request.host, &request.path);
        let response = match &selected {
            Ok(selected) => plain(self, request, selected).await,
            Err(no_route) => refuse(&(*no_route).into()),
        };
        self.service.access_log.write(&mut Line {
            kind: "http",
            route: selected
                .as_ref()
                .ok()
                .map(|selected| selected.route().name.as_str()),
            status: response.status().as_u16(),
            ..line(self.conn, request, since)
        });
        response
    }

    fn log_broken(&self, status: u16) {
        self.service.access_log.write(&mut Line {
            conn: self.conn,
            client: self.arrival.client.to_string(),
            kind: "http",
            status,
            reason: Some("not a request".to_owned()),
            ..Line::default()
        });
    }

    fn begin(&self, session: Session) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
    }

    fn has_session(&self) -> bool {
        self.session
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    fn take_session(&self) -> Option<Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// hyper's view of an exchange.
struct Requests(Arc<Exchange>);

impl hyper::service::Service<http::Request<Incoming>> for Requests {
    type Response = Response<Body>;
    type Error = hyper::Error;
    type Future = Answering;

    fn call(&self, request: http::Request<Incoming>) -> Answering {
        Box::pin(Arc::clone(&self.0).answer(request))
    }
}

fn answer_101(link: &Link) -> Response<Body> {
    let agreed = link.agreed();
    let fields = link
        .permit()
        .offer()
        .answer(agreed.subprotocol.as_ref(), &agreed.extensions)
        .expect("policy and backend agree on nothing that was not offered");
    let mut response = front::switching_protocols(fields);
    response.headers_mut().extend(agreed.fields.clone());
    response
}

fn refuse(refused: &Refused) -> Response<Body> {
    front::text(refused.status(), &refused.sentence(), refused.fields())
}

/// What a backend answered instead of 101, without the fields that concern its own connection.
fn passed_on(answer: Response<Incoming>) -> Response<Body> {
    let (parts, body) = answer.into_parts();
    let mut response = Response::new(body.map_err(Into::into).boxed_unsync());
    *response.status_mut() = parts.status;
    *response.headers_mut() = response_end_to_end(&parts.headers);
    response
}

fn line(conn: u64, request: &Request, since: Instant) -> Line<'_> {
    Line {
        conn,
        client: request.client.to_string(),
        method: Some(request.method.as_str()),
        host: &request.host,
        path: truncated(&request.path),
        duration_ms: millis(since),
        ..Line::default()
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from((clock::now() - since).as_millis()).unwrap_or(u64::MAX)
}

fn truncated(text: &str) -> &str {
    const LOGGED_BYTES_MAX: usize = 512;
    &text[..text.floor_char_boundary(LOGGED_BYTES_MAX)]
}

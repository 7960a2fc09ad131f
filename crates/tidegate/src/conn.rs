//! THE LINE: one connection, from its first byte to its access line.
//!
//! `accept → proxied → tls → http → handshake → route → policy → auth → lookup → backend → recording → 101 →
//! relay → settle`. Each stage takes the proof that the one before made; this is the only file that knows two of them.

mod answers;
mod resumed;
mod settling;

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::{Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use self::answers::{answer_101, answered_elsewhere, passed_on, path_in_files};
pub(crate) use self::resumed::Resumed;
use self::settling::Settling;
use crate::auth::Denial;
use crate::backend::{self, ConnectError, Far, Link};
use crate::config::Backend;
use crate::generation::Generation;
use crate::http::{self as front, Answering, Body, Ended};
use crate::io::{Arrival, Socket};
use crate::journal::{Entry, TOKEN};
use crate::listener::{Accepted, Handshake, Served};
use crate::live::About;
use crate::opening::{self, Opening};
use crate::policy::quota::{QuotaExceeded, Share};
use crate::proxied::Unannounced;
use crate::recording::Tape;
use crate::refused::Refused;
use crate::relay::Terms;
use crate::request::{Kind, Request};
use crate::service::Service;
use crate::tls::ClientNames;
use crate::{clock, files, page, policy, proof, proxied, relay, tls};

/// Serves one connection, and keeps `load` until its very end. The task ends when HTTP on it does: a WebSocket lives on
/// in a task of its own, which is small, while this one's memory is given back.
pub(crate) async fn serve<L: Send + Sync + 'static>(accepted: Accepted, service: Arc<Service>, load: L) {
    let conn = service.next_connection();
    let mut announced = match proxied::accept(accepted).await {
        Ok(announced) => announced,
        Err(error @ Unannounced::Malformed(..)) => return tracing::warn!(conn, %error, "dropped"),
        Err(error) => return tracing::debug!(conn, %error, "dropped"),
    };
    let waiting = match handshake_share(&announced.accepted, &service) {
        Ok(share) => share,
        Err(exceeded) => {
            let client = announced.accepted.arrival().client;
            return Entry::unread(&service.books, conn, client, clock::now()).refused(&exceeded.into());
        }
    };
    if let Err(exceeded) = announced.accepted.take_share().await {
        let client = announced.accepted.arrival().client;
        return Entry::unread(&service.books, conn, client, clock::now()).refused(&exceeded.into());
    }
    let secured = match tls::accept(announced).await {
        Ok(secured) => secured,
        Err(error) => return service.without_tls(conn, &error),
    };
    let arrival = secured.arrival();
    service.with_tls(arrival.tls.as_deref().map(|tls| tls.version));
    let names = secured.client_names();
    let (served, place, handshake) = secured.accepted.into_parts();
    let head_timeout = served.listener.head_timeout;
    let exchange = Arc::new(Exchange {
        conn,
        arrival,
        names,
        served,
        service,
        session: Mutex::new(None),
        handshake: Mutex::new(Some((handshake, waiting))),
        share: Mutex::new(None),
        answering: Arc::default(),
    });
    let ended = front::serve(secured.socket, head_timeout, Requests(Arc::clone(&exchange))).await;
    match (ended, exchange.take_session()) {
        (Ended::Upgraded(mut socket, early), Some(session)) => {
            let Some((session, early)) = exchange.proven(session, &mut socket, early).await else { return };
            // Of the exchange only this lives on: the rest of it would cost each connection a kilobyte.
            let share = exchange.share.lock().unwrap_or_else(PoisonError::into_inner).take();
            let share = share.and_then(|(_, share)| share).map(Box::new);
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

/// The part of a client in the handshakes under way where its connections are limited: there it has no more than those,
/// and does not wait for more. Of a trusted proxy it is not asked, since nobody knows yet for whom it comes.
fn handshake_share(accepted: &Accepted, service: &Service) -> Result<Option<Share>, QuotaExceeded> {
    let client = accepted.arrival().client.ip();
    let counted = client.filter(|_| !accepted.listener().trusted_proxies.trust(client));
    counted.map_or(Ok(None), |client| service.handshakes.take(client))
}

/// What the requests of one connection share.
struct Exchange {
    conn: u64,
    arrival: Arrival,
    /// Of the certificate that the client has shown.
    names: Option<ClientNames>,
    served: Arc<Served>,
    service: Arc<Service>,
    /// Filled by the request that was answered with 101.
    session: Mutex<Option<Session>>,
    /// Given back with the first answer, or before the body of a request that is passed on; where a 101 is not the end of
    /// the handshake, with that end.
    handshake: Mutex<Option<(Handshake, Option<Share>)>>,
    /// The connection's part of its client's quota, taken with the first request.
    share: Mutex<Option<(IpAddr, Option<Share>)>>,
    /// Requests that are being answered: one at most, until the last of its answer is there.
    answering: Arc<AtomicUsize>,
}

/// A request is being answered, until this is dropped.
struct Busy(Arc<AtomicUsize>);

/// The evidence that a client was told yes: a backend stands, and there is an access line to write.
struct Session {
    conn: u64,
    client: (Option<IpAddr>, u16),
    link: Link,
    tape: Option<Box<Tape>>,
    /// Until when the client may stay at the longest.
    until: Option<Instant>,
    entry: Entry,
}

/// The way of an upgrade request: each line is a stage, and each stage before the last can still answer in HTTP.
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
        entry.in_protocol(opening::HYBI00);
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
    let (far, agreed, seat) = link.into_parts();
    let live = service.enter(about, until);
    match far {
        Far::Relayed(far) => {
            let traffic = entry.traffic();
            let settling = Settling { entry, seat: Some(seat), kept };
            let ticker = service.books.ticker.clone();
            let terms = Terms { rules: &route, agreed: &agreed, traffic, tape, ticker };
            tokio::spawn(relay::run(socket, early, far, terms, live, settling));
        }
        Far::HandedOver(receiver) => {
            tokio::spawn(async move {
                let given = receiver.give(conn, socket, &early).await;
                drop((live, seat));
                entry.handed_over(given);
                drop(kept);
            });
        }
    }
}

impl Exchange {
    async fn answer(self: Arc<Self>, head: http::Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
        let _busy = self.busy();
        let since = clock::now();
        let (parts, body) = head.into_parts();
        let (mut response, is_last) = match self.read(parts) {
            Err(refused) => (self.refuse(&refused, self.unread(since)), true),
            Ok(request) if request.kind() == Kind::WebSocket => self.answer_upgrade(&request, since).await,
            Ok(request) => self.answer_plain(&request, body, since).await,
        };
        let is_switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if !is_switching && (is_last || self.service.drain.is_started()) {
            // What follows a refused upgrade may be frames, and behind a body that is not wanted comes more of it: neither
            // must become the next request.
            front::close_after(&mut response);
        }
        if !self.is_to_be_proven() {
            self.leave_handshake();
        }
        Ok(response)
    }

    /// Gives back its place among the handshakes.
    fn leave_handshake(&self) {
        drop(self.handshake.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Understands a request, and decides what concerns every request of the connection.
    fn read(&self, head: http::request::Parts) -> Result<Request, Refused> {
        let listener = &self.served.listener;
        let request = Request::read(head, &self.arrival, &listener.trusted_proxies)?;
        if !listener.server_names.as_ref().is_none_or(|names| names.contains(&request.host)) {
            return Err(self.misdirected(request));
        }
        if let Some(client) = request.via.client {
            self.count(client)?;
        }
        Ok(request)
    }

    /// The host is logged unless it may be a token on one of the routes.
    fn misdirected(&self, request: Request) -> Refused {
        let may_be_token = self.service.generation().table.routes().any(|(route, _)| route.host_is_token());
        let host = if may_be_token { "(token)".to_owned() } else { request.host };
        Refused::Misdirected { host, path: request.path }
    }

    /// Counts the connection for this client. Behind a proxy that keeps its connections it can be another one than for
    /// the request before.
    fn count(&self, client: IpAddr) -> Result<(), QuotaExceeded> {
        let mut share = self.share.lock().unwrap_or_else(PoisonError::into_inner);
        if share.as_ref().is_none_or(|(counted, _)| *counted != client) {
            *share = None;
            *share = Some((client, self.service.quota.take(client)?));
        }
        Ok(())
    }

    /// The answer, and whether it must be the last: frames may already follow an upgrade request.
    async fn answer_upgrade(&self, request: &Request, since: Instant) -> (Response<Body>, bool) {
        let generation = self.service.generation();
        let mut entry = self.entry(&generation, request, since);
        match upgrade(self, &generation, request, &mut entry).await {
            Ok((link, tape, until)) => {
                let response = answer_101(&link);
                entry.opened();
                let client = request.client();
                let session = Session { conn: self.conn, client, link, tape, until, entry };
                *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
                (response, false)
            }
            Err(Refused::Backend(ConnectError::Answered(answer))) => {
                let response = passed_on(*answer, self.busy());
                entry.answered(response.status().as_u16(), Some("the backend's own answer".to_owned()));
                (response, true)
            }
            Err(refused) => (self.refuse(&refused, entry), true),
        }
    }

    /// The answer, and whether it must be the last: a body that did not get to its backend is not waited for.
    async fn answer_plain(
        &self,
        request: &Request,
        body: Incoming,
        since: Instant,
    ) -> (Response<Body>, bool) {
        let has_body = !body.is_end_stream();
        let generation = self.service.generation();
        let mut entry = self.entry(&generation, request, since);
        match plain(self, &generation, request, body, &mut entry).await {
            Ok(response) => {
                entry.answered(response.status().as_u16(), None);
                (response, false)
            }
            Err(refused) => {
                let is_last = has_body && matches!(refused, Refused::Backend(_));
                (self.refuse(&refused, entry), is_last)
            }
        }
    }

    fn refuse(&self, refused: &Refused, entry: Entry) -> Response<Body> {
        tracing::debug!(conn = self.conn, %refused, "refused");
        entry.refused(refused);
        if let Refused::Auth(Denial::Answered(answer)) = refused {
            return answered_elsewhere(answer);
        }
        let mut response = front::text(refused.status(), &refused.sentence(), refused.fields());
        if let Some(challenge) = refused.challenge() {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge.clone());
        }
        response
    }

    fn entry(&self, generation: &Generation, request: &Request, since: Instant) -> Entry {
        let host = if generation.table.has_token_in(&request.host) { TOKEN } else { &request.host };
        Entry::new(&self.service.books, self.conn, request, host, since)
    }

    fn busy(&self) -> Busy {
        self.answering.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(&self.answering))
    }

    fn unread(&self, since: Instant) -> Entry {
        Entry::unread(&self.service.books, self.conn, self.arrival.client, since)
    }

    fn take_session(&self) -> Option<Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether a client was told yes whose handshake goes on behind that.
    fn is_to_be_proven(&self) -> bool {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.as_ref().is_some_and(|session| session.link.permit().opening().is_hybi00())
    }

    /// Brings such a handshake to its end; the bytes are those behind it. `None`: it has none, and the access line is
    /// written.
    async fn proven(&self, session: Session, socket: &mut Socket, early: Bytes) -> Option<(Session, Bytes)> {
        let Opening::Hybi00(opening) = session.link.permit().opening() else { return Some((session, early)) };
        let budget = self.served.listener.head_timeout;
        match proof::give(socket, early, opening, budget, &self.service.drain).await {
            Ok(early) => Some((session, early)),
            Err(unproven) => {
                session.entry.answered(StatusCode::SWITCHING_PROTOCOLS.as_u16(), Some(unproven.to_string()));
                None
            }
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The HTTP stage's view of an exchange.
struct Requests(Arc<Exchange>);

impl front::Requests for Requests {
    fn answer(&self, request: http::Request<Incoming>) -> Answering {
        Box::pin(Arc::clone(&self.0).answer(request))
    }

    fn is_answering(&self) -> bool {
        self.0.answering.load(Ordering::Relaxed) > 0
    }

    fn is_upgraded(&self) -> bool {
        self.0.session.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn stop(&self) -> impl Future<Output = ()> + Send {
        self.0.service.drain.started()
    }
}

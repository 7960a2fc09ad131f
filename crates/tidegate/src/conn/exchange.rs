//! The requests of one connection: each is understood, counted and answered. The one that is answered with 101 leaves its
//! session behind.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::{Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use super::answers::{answer_101, answered_elsewhere, passed_on};
use super::{Session, plain, upgrade};
use crate::auth::Denial;
use crate::backend::ConnectError;
use crate::generation::Generation;
use crate::http::{self as front, Answering, Body};
use crate::io::{Arrival, Socket};
use crate::journal::{Entry, TOKEN};
use crate::listener::{Handshake, Served};
use crate::opening::Opening;
use crate::policy::quota::{QuotaExceeded, Share};
use crate::refused::Refused;
use crate::request::{Kind, Request};
use crate::service::Service;
use crate::tls::ClientNames;
use crate::{clock, proof};

/// What the requests of one connection share.
pub(super) struct Exchange {
    pub(super) conn: u64,
    arrival: Arrival,
    /// Of the certificate that the client has shown.
    pub(super) names: Option<ClientNames>,
    pub(super) served: Arc<Served>,
    pub(super) service: Arc<Service>,
    /// Filled by the request that is answered with 101.
    session: Mutex<Option<Session>>,
    /// The connection's place among the handshakes. Given back with the first answer, or before the body of a request that is
    /// passed on; where a 101 is not the end of the handshake, with that end.
    handshake: Mutex<Option<(Handshake, Option<Share>)>>,
    /// The connection's share of its client's quota, taken with the first request, and for whom it was taken.
    share: Mutex<Option<(IpAddr, Option<Share>)>>,
    /// Requests that are being answered: one at most, until the last of its answer is there.
    answering: Arc<AtomicUsize>,
}

/// A request is being answered, until this is dropped.
pub(super) struct Busy(Arc<AtomicUsize>);

/// The HTTP stage's view of an exchange.
pub(super) struct Requests(pub(super) Arc<Exchange>);

impl Exchange {
    pub(super) fn new(
        conn: u64,
        arrival: Arrival,
        names: Option<ClientNames>,
        served: Arc<Served>,
        service: Arc<Service>,
        handshake: (Handshake, Option<Share>),
    ) -> Self {
        Self {
            conn,
            arrival,
            names,
            served,
            service,
            session: Mutex::new(None),
            handshake: Mutex::new(Some(handshake)),
            share: Mutex::new(None),
            answering: Arc::default(),
        }
    }

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
    pub(super) fn leave_handshake(&self) {
        drop(locked(&self.handshake).take());
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
        let mut share = locked(&self.share);
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
                *locked(&self.session) = Some(session);
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
        Entry::new(&self.service.telemetry, self.conn, request, host, since)
    }

    /// Counts a request as being answered.
    pub(super) fn busy(&self) -> Busy {
        self.answering.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(&self.answering))
    }

    /// The entry of something that could not be read as a request.
    pub(super) fn unread(&self, since: Instant) -> Entry {
        Entry::unread(&self.service.telemetry, self.conn, self.arrival.client, since)
    }

    /// The session that a 101 has begun, once.
    pub(super) fn take_session(&self) -> Option<Session> {
        locked(&self.session).take()
    }

    /// The connection's share of its client's quota, if that has a limit.
    pub(super) fn take_share(&self) -> Option<Share> {
        locked(&self.share).take().and_then(|(_, share)| share)
    }

    /// Whether a client was answered with 101 whose handshake goes on behind that, as one of hybi-00 does.
    fn is_to_be_proven(&self) -> bool {
        locked(&self.session).as_ref().is_some_and(|session| session.link.permit().opening().is_hybi00())
    }

    /// Brings such a handshake to its end, and returns the bytes that were read behind it. `None`: it failed, and its access
    /// line is written.
    pub(super) async fn proven(
        &self,
        session: Session,
        socket: &mut Socket,
        early: Bytes,
    ) -> Option<(Session, Bytes)> {
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

impl front::Requests for Requests {
    fn answer(&self, request: http::Request<Incoming>) -> Answering {
        Box::pin(Arc::clone(&self.0).answer(request))
    }

    fn is_answering(&self) -> bool {
        self.0.answering.load(Ordering::Relaxed) > 0
    }

    fn is_upgraded(&self) -> bool {
        locked(&self.0.session).is_some()
    }

    fn stop(&self) -> impl Future<Output = ()> + Send {
        self.0.service.drain.started()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! One request to the admin listener, from the guard to its answer.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::connections::QueryError;
use super::guard::{Guard, Rejected};
use super::operations::{Action, OPERATIONS, Operation};
use super::query::{Query, whole_number};
use super::{Gateway, ReloadOrder, Reloaded, UpgradeOrder, connections, metrics, openapi, routes};
use crate::http::{Body, full};

/// What is answered: a status, a body, and its media type.
pub(super) struct Answer {
    status: StatusCode,
    media: &'static str,
    body: String,
    /// Of a 405.
    allow: Option<String>,
}

/// Answers one request.
pub(super) async fn answer(gateway: Arc<Gateway>, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let admitted = admit(&gateway.guard, &head, !body.is_end_stream());
    let answer = match admitted {
        Err(answer) => answer,
        // Away from the thread that accepts connections: with many routes a scrape takes its time.
        Ok(call) => tokio::task::spawn_blocking(move || carry_out(&gateway, &call))
            .await
            .unwrap_or_else(|_panicked| Answer::error(StatusCode::INTERNAL_SERVER_ERROR, "this is a bug")),
    };
    answer.into_response()
}

/// An operation that may be carried out, with what was asked of it.
struct Call {
    operation: &'static Operation,
    /// What stands in place of the parameter of the path.
    segment: String,
    query: Query,
}

/// Checks everything that must be so before a request is carried out.
fn admit(guard: &Guard, head: &Parts, has_body: bool) -> Result<Call, Answer> {
    guard.host(head)?;
    let path = head.uri.path();
    let at_path = || OPERATIONS.iter().filter(|operation| operation.matches(path).is_some());
    if !at_path().any(Operation::is_open) {
        guard.token(head)?;
    }
    let method = if head.method == Method::HEAD { &Method::GET } else { &head.method };
    let Some(operation) = at_path().find(|operation| operation.method == *method) else {
        return Err(Answer::no_such(at_path().map(|operation| operation.method.as_str()).collect()));
    };
    if operation.changes() {
        Guard::deliberate(head)?;
        if has_body {
            return Err(Answer::bad(operation.without_body())); // it may mean fewer than an empty query does
        }
    }
    let query = Query::read(head.uri.query().unwrap_or(""), &operation.query()).map_err(Answer::bad)?;
    let segment = operation.matches(path).unwrap_or_default().to_owned();
    Ok(Call { operation, segment, query })
}

/// Carries it out.
fn carry_out(gateway: &Gateway, call: &Call) -> Answer {
    match call.operation.action {
        Action::Health => Answer::text(StatusCode::OK, "ok\n"),
        Action::Ready if gateway.service.drain.is_started() => {
            Answer::text(StatusCode::SERVICE_UNAVAILABLE, "draining\n")
        }
        Action::Ready if gateway.service.is_short_of_memory() => {
            Answer::text(StatusCode::SERVICE_UNAVAILABLE, "short of memory\n")
        }
        Action::Ready => Answer::text(StatusCode::OK, "ready\n"),
        Action::Metrics => {
            let media = crate::metrics::exposition::CONTENT_TYPE;
            Answer { media, ..Answer::text(StatusCode::OK, &metrics::text(gateway)) }
        }
        Action::Description => Answer::json(StatusCode::OK, &openapi::document()),
        Action::Status => Answer::json(StatusCode::OK, &status(gateway)),
        Action::Routes => Answer::json(StatusCode::OK, &routes::table(gateway)),
        Action::Config => Answer::json(StatusCode::OK, &gateway.config.load()),
        Action::Connections => connections::list(gateway, &call.query)
            .map_or_else(Answer::from, |page| Answer::json(StatusCode::OK, &page)),
        Action::Connection => {
            let one = call.conn().and_then(|conn| connections::one(gateway, conn));
            one.map_or_else(Answer::none, |one| Answer::json(StatusCode::OK, &one))
        }
        Action::Close | Action::Drain if gateway.service.hands_over.load(Ordering::Relaxed) => {
            let why = "a hand-over is under way; ask again when it has come to its end";
            Answer::error(StatusCode::SERVICE_UNAVAILABLE, why)
        }
        Action::Close => match call.conn().map(|conn| connections::close(gateway, conn, &call.query)) {
            Some(Err(wrong)) => Answer::bad(wrong),
            Some(Ok(Some(told))) => Answer::json(StatusCode::ACCEPTED, &told),
            Some(Ok(None)) | None => Answer::none(),
        },
        Action::Reload => reload(gateway),
        Action::Upgrade => upgrade(gateway, &call.query),
        Action::Drain => connections::drain(gateway, &call.query)
            .map_or_else(Answer::from, |told| Answer::json(StatusCode::ACCEPTED, &told)),
    }
}

/// Reloads, and waits for what comes of it.
fn reload(gateway: &Gateway) -> Answer {
    if gateway.service.drain.is_started() {
        return Answer::error(StatusCode::SERVICE_UNAVAILABLE, "the gateway stops");
    }
    let (answer, result) = oneshot::channel();
    if gateway.reload.try_send(ReloadOrder(answer)).is_err() {
        let why = "other reloads are under way, or the gateway stops";
        return Answer::error(StatusCode::SERVICE_UNAVAILABLE, why);
    }
    match result.blocking_recv() {
        Ok(Ok(Reloaded { report, warnings })) => {
            Answer::json(StatusCode::OK, &json!({ "report": report, "warnings": warnings }))
        }
        Ok(Err(refused)) => Answer::error(StatusCode::UNPROCESSABLE_ENTITY, &refused),
        Err(_gone) => Answer::error(StatusCode::SERVICE_UNAVAILABLE, "the gateway stops"),
    }
}

/// Hands over, and waits for what comes of it.
fn upgrade(gateway: &Gateway, query: &Query) -> Answer {
    let binary = query.text("binary").map(PathBuf::from);
    if binary.is_some() && !gateway.guard.is_exclusive() {
        let why = "a binary can be named only where the admin listener is a Unix socket or wants a token or certificate";
        return Answer::error(StatusCode::FORBIDDEN, why);
    }
    if binary.as_ref().is_some_and(|path| !path.is_absolute()) {
        return Answer::bad("binary is no absolute path".to_owned());
    }
    let (answer, result) = oneshot::channel();
    let is_too_late =
        gateway.service.drain.is_started() || gateway.service.hands_over.load(Ordering::Relaxed);
    if is_too_late || gateway.upgrade.try_send(UpgradeOrder { binary, answer }).is_err() {
        let why = "another hand-over is under way, or the gateway stops";
        return Answer::error(StatusCode::SERVICE_UNAVAILABLE, why);
    }
    match result.blocking_recv() {
        Ok(Ok(report)) => Answer::json(StatusCode::OK, &report),
        Ok(Err(refused)) => Answer::error(StatusCode::UNPROCESSABLE_ENTITY, &refused),
        Err(_gone) => Answer::error(StatusCode::SERVICE_UNAVAILABLE, "the gateway stops"),
    }
}

/// The gateway in a few numbers.
fn status(gateway: &Gateway) -> Value {
    let (service, places) = (&gateway.service, gateway.places.occupancy());
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": service.uptime().as_secs(),
        "draining": service.drain.is_started(),
        "generation": service.generation().number,
        "connections": {
            "accepted": service.connections(),
            "open": gateway.workers.live(),
            "max": places.connections_max,
            "waiting": places.waiting,
            "handshakes": places.handshakes,
        },
        "websockets_open": service.live.open(),
        "websockets_closing": connections::closing(gateway),
        "websockets_opened": service.live.opened(),
        "websockets_taken_over": service.telemetry.metrics.taken_over.load(Ordering::Relaxed),
    })
}

impl Call {
    /// The connection that the path names.
    fn conn(&self) -> Option<u64> {
        whole_number(&self.segment)
    }
}

impl Answer {
    fn text(status: StatusCode, body: &str) -> Self {
        Self { status, media: "text/plain; charset=utf-8", body: body.to_owned(), allow: None }
    }

    fn json(status: StatusCode, body: &Value) -> Self {
        Self { media: "application/json", ..Self::text(status, &format!("{body}\n")) }
    }

    fn error(status: StatusCode, sentence: &str) -> Self {
        Self::json(status, &json!({ "error": sentence }))
    }

    fn bad(sentence: String) -> Self {
        Self::error(StatusCode::BAD_REQUEST, &sentence)
    }

    fn none() -> Self {
        Self::error(StatusCode::NOT_FOUND, "there is no WebSocket of this number, or it has ended")
    }

    /// There is no such path, or it does not take the method.
    fn no_such(mut allowed: Vec<&str>) -> Self {
        if allowed.is_empty() {
            return Self::error(StatusCode::NOT_FOUND, "nothing is served here; /openapi.json says what is");
        }
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        let allow = allowed.join(", ");
        let answer = Self::error(StatusCode::METHOD_NOT_ALLOWED, &format!("allowed here: {allow}"));
        Self { allow: Some(allow), ..answer }
    }

    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(full(self.body));
        *response.status_mut() = self.status;
        let fields = response.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(self.media));
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        fields.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
        fields.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        if let Some(allow) = self.allow {
            fields.insert(ALLOW, HeaderValue::try_from(allow).expect("methods are legal in a field"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            fields.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tidegate admin\""));
        }
        response
    }
}

impl From<QueryError> for Answer {
    fn from(wrong: QueryError) -> Self {
        match wrong {
            QueryError::Query(sentence) => Self::bad(sentence),
            QueryError::NoRoute(sentence) => Self::error(StatusCode::NOT_FOUND, &sentence),
        }
    }
}

impl From<Rejected> for Answer {
    fn from(rejected: Rejected) -> Self {
        let status = match rejected {
            Rejected::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Rejected::Token => StatusCode::UNAUTHORIZED,
            Rejected::Undeliberate => StatusCode::FORBIDDEN,
        };
        Self::error(status, &rejected.to_string())
    }
}

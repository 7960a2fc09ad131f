//! HTTP/1.1 on a connection: hyper with bounds and a deadline, until the client goes or a WebSocket begins.

mod chunks;
mod timer;
mod watched;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use self::timer::PatientTimer;
use self::watched::{Flow, Watched};
use crate::clock::{self, timeout};
use crate::io::Socket;

/// Bytes of a request head that are read before it is given up; the exact limits are the request's.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Header fields of a request.
const FIELDS_MAX: usize = 100;

/// How long a client may take nothing of an answer.
const STALL: Duration = Duration::from_secs(60);

/// How long a connection is read after our last answer, so that no reset eats it.
const LINGER: Duration = Duration::from_secs(2);

/// The body of any response.
pub(crate) type Body = UnsyncBoxBody<Bytes, BodyError>;

/// What can go wrong with a body under way.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The answer to a request under way.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, hyper::Error>> + Send>>;

/// The first byte of TLS (RFC 8446 §5.1), and of no request.
const TLS_HANDSHAKE: u8 = 22;

/// What is left of a connection when HTTP on it has ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// A 101 was the last answer: the socket, and what was read behind the request.
    Upgraded(Socket, Bytes),
    /// Nothing.
    Closed,
    /// The client sent what is no request, and was answered with this status.
    Broken(u16),
    /// The same, and what it sent begins TLS, which is not spoken on this port.
    Tls(u16),
}

/// Who answers the requests of a connection.
pub(crate) trait Requests {
    /// Answers one.
    fn answer(&self, request: http::Request<Incoming>) -> Answering;
    /// Whether one is being answered just now: its answer, or more of its answer, is still to come.
    fn is_answering(&self) -> bool;
    /// Whether the last answer was a 101.
    fn is_upgraded(&self) -> bool;
    /// Completes when no more requests are wanted.
    fn stop(&self) -> impl Future<Output = ()> + Send;
}

/// Serves requests until the connection ends or is upgraded.
pub(crate) async fn serve<R: Requests>(socket: Socket, head_timeout: Duration, requests: R) -> Ended {
    let flow = Arc::<Flow>::default();
    let socket = Watched::new(socket, Arc::clone(&flow));
    let mut connection = http1::Builder::new()
        .timer(PatientTimer)
        .header_read_timeout(head_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(FIELDS_MAX)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(socket), service_fn(|request| requests.answer(request)));
    let mut watch = pin!(watch(&requests, &flow, head_timeout.max(STALL)));
    let mut stop = pin!(requests.stop());
    let mut stopping = false;
    let result = poll_fn(|cx| {
        if !stopping && stop.as_mut().poll(cx).is_ready() {
            stopping = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        let polled = connection.poll_without_shutdown(cx).map(Some);
        let answered = flow.written() > 0;
        let nothing_begun = stopping && !requests.is_answering() && !answered;
        // What nobody was sent nobody has to take: until then the timer is not armed.
        if polled.is_pending() && (nothing_begun || (answered && watch.as_mut().poll(cx).is_ready())) {
            return Poll::Ready(None);
        }
        polled
    })
    .await;
    let parts = connection.into_parts();
    let socket = parts.io.into_inner().into_inner();
    let begins_tls = parts.read_buf.first() == Some(&TLS_HANDSHAKE);
    match result {
        Some(Ok(())) if requests.is_upgraded() => Ended::Upgraded(socket, parts.read_buf),
        Some(Err(error)) if error.is_timeout() => head_overdue(socket, !parts.read_buf.is_empty()).await,
        Some(Err(error)) => {
            linger(socket).await;
            let broken = if begins_tls { Ended::Tls } else { Ended::Broken };
            broken_status(&error).map_or(Ended::Closed, broken)
        }
        Some(Ok(())) => {
            linger(socket).await;
            Ended::Closed
        }
        None => Ended::Closed,
    }
}

/// Completes when, for as long as `patience`, the client has taken nothing of what waits for it, or nothing has moved and no
/// answer is to come. How long an answer itself may take, or be silent in its midst, is not judged here.
async fn watch(requests: &impl Requests, flow: &Flow, patience: Duration) {
    let look = || (flow.written(), flow.is_stuck());
    let mut seen = look();
    loop {
        clock::patience(clock::now() + patience).await; // waits because it is the deadline itself
        let now = look();
        let (is_still, is_stuck) = (now.0 == seen.0, now.1 && seen.1);
        if is_still && (is_stuck || !requests.is_answering()) {
            return;
        }
        seen = now;
    }
}

/// The head has not come in time. Who has begun one is told so; who has not is just let go, in order: over TLS an end
/// without close_notify could be anybody's (RFC 8446 §6.1).
async fn head_overdue(mut socket: Socket, begun: bool) -> Ended {
    if !begun {
        timeout(LINGER, socket.shutdown()).await.ok(); // whatever it comes to, the connection is over
        return Ended::Closed;
    }
    timeout(LINGER, socket.write_all(REQUEST_TIMEOUT)).await.ok();
    linger(socket).await;
    Ended::Broken(408)
}

/// The status with which hyper has answered what it could not parse; `None` where the client simply went.
fn broken_status(error: &hyper::Error) -> Option<u16> {
    if error.is_parse_too_large() {
        Some(431)
    } else if error.is_parse() {
        Some(400)
    } else {
        None
    }
}

/// The one answer that is written by hand: hyper ends a connection whose head does not come without a word.
const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Ends a connection after everything that was answered: FIN, then what still comes is read and dropped.
async fn linger(mut socket: Socket) {
    let drain = async {
        socket.shutdown().await?;
        let mut dropped = [0; 4096];
        while socket.read(&mut dropped).await? > 0 {}
        std::io::Result::Ok(())
    };
    timeout(LINGER, drain).await.ok(); // whatever it comes to, the connection is over
}

/// The answer to an upgrade: the point of no return. `reason` takes the place of the usual phrase.
pub(crate) fn switching_protocols(
    fields: impl IntoIterator<Item = (&'static str, String)>,
    reason: Option<&'static str>,
) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    if let Some(reason) = reason {
        response.extensions_mut().insert(ReasonPhrase::from_static(reason.as_bytes()));
    }
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("the names of the handshake are legal");
        let value = HeaderValue::try_from(value).expect("the values of the handshake are legal");
        response.headers_mut().append(name, value);
    }
    response
}

/// A short answer in words. `fields` are static, and legal.
pub(crate) fn text(
    status: StatusCode,
    sentence: &str,
    fields: &[(&'static str, &'static str)],
) -> Response<Body> {
    let phrase = status.canonical_reason().unwrap_or("");
    let body = format!("{} {phrase}: {sentence}\n", status.as_u16());
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("the fields of answers are legal");
        response.headers_mut().append(name, HeaderValue::from_static(value));
    }
    response
}

/// Makes an answer the last one of its connection: what follows the request is not to be taken for another.
pub(crate) fn close_after(response: &mut Response<Body>) {
    response.headers_mut().append(CONNECTION, HeaderValue::from_static("close"));
}

pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Nobody answers here; it only says whether it does.
    #[derive(Default)]
    struct Scripted {
        answering: Cell<bool>,
    }

    impl Requests for Scripted {
        fn answer(&self, _: http::Request<Incoming>) -> Answering {
            unreachable!("no request is made")
        }

        fn is_answering(&self) -> bool {
            self.answering.get()
        }

        fn is_upgraded(&self) -> bool {
            false
        }

        fn stop(&self) -> impl Future<Output = ()> + Send {
            std::future::pending()
        }
    }

    const HOUR: Duration = Duration::from_secs(60 * 60);

    /// Server-sent events: a backend may be silent for as long as it likes.
    #[tokio::test(start_paused = true)]
    async fn a_silent_backend_is_waited_for_and_a_client_that_takes_nothing_is_not() {
        let (requests, flow) = (Scripted::default(), Flow::default());
        requests.answering.set(true);
        assert!(timeout(HOUR, watch(&requests, &flow, STALL)).await.is_err(), "nothing is there to be taken");
        let slow = async {
            for _ in 0..100 {
                flow.set_stuck(true);
                tokio::time::sleep(STALL - Duration::from_secs(1)).await; // the client's own pace
                flow.set_stuck(false);
                flow.add(1);
            }
        };
        tokio::select! {
            () = watch(&requests, &flow, STALL) => panic!("it took a byte in time"),
            () = slow => {}
        }
        flow.set_stuck(true);
        assert!(timeout(2 * STALL, watch(&requests, &flow, STALL)).await.is_ok(), "it takes nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn where_nothing_is_to_come_stillness_is_the_end() {
        let (requests, flow) = (Scripted::default(), Flow::default());
        assert!(timeout(2 * STALL, watch(&requests, &flow, STALL)).await.is_ok());
    }
}

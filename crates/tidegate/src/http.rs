//! HTTP/1.1 on a connection: hyper with bounds and a deadline, until the client goes or a WebSocket begins.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::io::Socket;

/// Bytes of the longest request head.
const HEAD_BYTES_MAX: usize = 32 << 10;

/// Header fields of a request.
const FIELDS_MAX: usize = 100;

/// How long a connection is read after our last answer, so that no reset eats it.
const LINGER: Duration = Duration::from_secs(2);

/// The body of any response.
pub(crate) type Body = UnsyncBoxBody<Bytes, BodyError>;

/// What can go wrong with a body under way.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The answer to a request under way.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, hyper::Error>> + Send>>;

/// What is left of a connection when HTTP on it has ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// A 101 was the last answer: the socket, and what was read behind the request.
    Upgraded(Socket, Bytes),
    /// Nothing.
    Closed,
    /// The client sent what is no request; the status it was answered with, 0 for none.
    Broken(u16),
}

/// Serves requests until the connection ends or is upgraded. `upgraded` tells whether a 101 was answered.
pub(crate) async fn serve<S>(
    socket: Socket,
    head_timeout: Duration,
    service: S,
    upgraded: impl Fn() -> bool,
) -> Ended
where
    S: Service<http::Request<Incoming>, Response = Response<Body>, Error = hyper::Error, Future = Answering>
        + Unpin,
{
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(FIELDS_MAX)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(socket), service);
    let result = std::future::poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let parts = connection.into_parts();
    let mut socket = parts.io.into_inner();
    let status = match result {
        Ok(()) if upgraded() => return Ended::Upgraded(socket, parts.read_buf),
        Ok(()) => None,
        Err(error) if error.is_timeout() => {
            let begun = !parts.read_buf.is_empty();
            if begun {
                drop(timeout(LINGER, socket.write_all(REQUEST_TIMEOUT)).await);
            }
            Some(if begun { 408 } else { 0 })
        }
        Err(error) => broken_status(&error),
    };
    linger(socket).await;
    status.map_or(Ended::Closed, Ended::Broken)
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
    drop(timeout(LINGER, drain).await); // whatever it comes to, the connection is over
}

/// The answer to an upgrade: the point of no return.
pub(crate) fn switching_protocols(
    fields: impl IntoIterator<Item = (&'static str, String)>,
) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
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
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("the fields of answers are legal");
        response
            .headers_mut()
            .append(name, HeaderValue::from_static(value));
    }
    response
}

/// Makes an answer the last one of its connection: what follows the request is not to be taken for another.
pub(crate) fn close_after(response: &mut Response<Body>) {
    response
        .headers_mut()
        .append(CONNECTION, HeaderValue::from_static("close"));
}

pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

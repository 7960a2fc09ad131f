//! The opening handshake with a `ws://` backend: we are its client, in the name of ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, Entry, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Method, StatusCode, Uri, Version};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tidegate_proto::handshake::{self, Subprotocol, Subprotocols};
use tidegate_proto::hybi00::Coding;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::replayed::Replayed;
use super::{Agreed, ConnectError, Connected, plain};
use crate::clock::timeout;
use crate::config::HttpTarget;
use crate::forward::{add_forwarded, end_to_end};
use crate::io::Socket;
use crate::policy::{BASE64, Permit, SubprotocolChoice};
use crate::request::{Fields, Request};
use crate::route::Selected;

/// Bytes of the longest response head.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Header fields of a response.
pub(super) const FIELDS_MAX: usize = 128;

/// Interim answers before the final one.
const INTERIM_MAX: usize = 8;

/// Asks the backend for a WebSocket. The client's offers, cookies and other end-to-end fields go with it; the key is
/// our own, and its answer is checked.
pub(super) async fn upgrade(
    socket: Socket,
    target: &HttpTarget,
    permit: &Permit,
    request: &Request,
) -> Result<(Connected, Agreed), ConnectError> {
    let ours = own_handshake(permit);
    let head = request_head(target, permit, request, &ours);
    let answer = match timeout(permit.route().upgrade_timeout, ask(socket, head)).await {
        Ok(answer) => answer?,
        Err(_elapsed) => return Err(ConnectError::UpgradeTimeout),
    };
    let Switched { fields: answered, socket, early } = match answer {
        Answer::Switched(switched) => switched,
        Answer::Other(response) => return Err(ConnectError::Answered(Box::new(response))),
    };
    let agreed = ours
        .verify(StatusCode::SWITCHING_PROTOCOLS.as_u16(), &Fields(&answered))
        .map_err(ConnectError::Handshake)?;
    let mut fields = end_to_end(&answered);
    fields.remove("sec-websocket-origin"); // belongs to the answer to hybi-00 clients, which is ours
    let far = Connected::WebSocket { socket, early, reserved: agreed.extensions.reserved() };
    let agreed = Agreed {
        subprotocol: agreed.subprotocol.or_else(|| own_subprotocol(permit)),
        extensions: agreed.extensions,
        deflate: None,
        hybi00: permit.coding(),
        fields,
    };
    Ok((far, agreed))
}

/// What a backend makes of the request.
enum Answer {
    Switched(Switched),
    /// Something else than 101.
    Other(http::Response<Incoming>),
}

/// A connection that speaks WebSocket from now on.
struct Switched {
    /// Of the 101.
    fields: HeaderMap,
    socket: Socket,
    /// What came with it.
    early: Bytes,
}

/// Sends the request and reads the answer. A 101 is read here; everything else is hyper's, which gets the connection
/// with what was read of it. Either way it is the same to the backend, but a 101 costs a third.
async fn ask(mut socket: Socket, head: http::Request<Empty<Bytes>>) -> Result<Answer, ConnectError> {
    let sent = plain::send(&mut socket, &head).await;
    let received = match sent {
        Ok(()) => match plain::receive(&mut socket).await {
            plain::Received::Switched(fields, early) => {
                return Ok(Answer::Switched(Switched { fields, socket, early }));
            }
            plain::Received::Other(received) => received,
        },
        Err(_) => Bytes::new(), // what came instead of an answer says more than that nothing could be sent
    };
    let mut response = exchange(Replayed::new(socket, received), head).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Answer::Other(response));
    }
    let upgraded = hyper::upgrade::on(&mut response).await.map_err(ConnectError::Http)?;
    let parts = upgraded
        .downcast::<TokioIo<Replayed>>()
        .expect("the connection was made over this very type of socket");
    let (socket, rest) = parts.io.into_inner().into_parts();
    let early = if rest.is_empty() { parts.read_buf } else { [parts.read_buf, rest].concat().into() };
    Ok(Answer::Switched(Switched { fields: std::mem::take(response.headers_mut()), socket, early }))
}

fn own_handshake(permit: &Permit) -> handshake::Request {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).expect("the system gives random bytes");
    let mut subprotocols = Subprotocols::default();
    for offered in open_subprotocols(permit).filter(|name| !is_own(permit, name)) {
        subprotocols.push(offered.clone()).expect("a part of a list has no duplicate and is below its limit");
    }
    let ours = handshake::Request::new(nonce).with_subprotocols(subprotocols);
    if permit.route().record.is_some() {
        return ours; // what the endpoints compressed between them could not be read in a recording
    }
    ours.with_extensions(permit.opening().extensions())
}

/// The subprotocols that policy leaves to choose from.
fn open_subprotocols(permit: &Permit) -> impl Iterator<Item = &Subprotocol> {
    let (offered, settled) = match permit.subprotocol() {
        SubprotocolChoice::Backend => (Some(permit.opening().subprotocols()), None),
        SubprotocolChoice::Settled(chosen) => (None, chosen.as_ref()),
    };
    offered.into_iter().flatten().chain(settled)
}

/// Whether a subprotocol is between the client and the gateway: where messages are translated from base64, a backend
/// that was offered `base64` would expect them to be in it.
fn is_own(permit: &Permit, subprotocol: &Subprotocol) -> bool {
    permit.coding() == Some(Coding::Base64) && subprotocol.as_str() == BASE64
}

/// What the client is answered if the backend has chosen nothing.
fn own_subprotocol(permit: &Permit) -> Option<Subprotocol> {
    open_subprotocols(permit).find(|name| is_own(permit, name)).cloned()
}

fn request_head(
    target: &HttpTarget,
    permit: &Permit,
    request: &Request,
    ours: &handshake::Request,
) -> http::Request<Empty<Bytes>> {
    let mut fields = end_to_end(&request.fields);
    add_forwarded(&mut fields, request);
    let host =
        HeaderValue::try_from(request.authority.as_str()).expect("a checked host is a legal field value");
    fields.insert(HOST, host);
    for (name, value) in ours.fields() {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("the names of the handshake are legal");
        fields.insert(name, HeaderValue::try_from(value).expect("the values of the handshake are legal"));
    }
    let mut head = http::Request::new(Empty::new());
    *head.method_mut() = Method::GET;
    *head.version_mut() = Version::HTTP_11;
    *head.uri_mut() = target_uri(target, permit.selected(), request);
    *head.headers_mut() = fields;
    head
}

/// Path and query for the backend: unchanged, or with the base in place of the route's prefix.
pub(super) fn target_uri(target: &HttpTarget, selected: &Selected, request: &Request) -> Uri {
    let path = match &target.base {
        None => request.path.clone(),
        Some(base) => format!("{base}{}", selected.below_prefix(&request.path)),
    };
    let path = if path.is_empty() { "/" } else { path.as_str() };
    let query = request.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    Uri::try_from(format!("{path}{query}")).expect("a parsed path behind a checked base is a legal target")
}

/// Sends the request and waits for the final response head. The connection lives on in a task of its own until the
/// upgrade, or until the body of another answer is read; dropping the response ends it.
///
/// Interim answers (RFC 9110 §15.2) are passed over; a backend that sends nothing else is not waited for.
pub(super) async fn exchange<S, B>(
    socket: S,
    mut head: http::Request<B>,
) -> Result<http::Response<Incoming>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(FIELDS_MAX)
        .title_case_headers(true)
        .handshake(TokioIo::new(socket))
        .await?;
    // Ended here where no answer is waited for any more: by itself it goes on while the backend takes nothing.
    let connection = AbortOnDropHandle::new(tokio::spawn(connection.with_upgrades()));
    let overrun = notify_after(INTERIM_MAX, &mut head);
    let mut response = tokio::select! {
        biased; // the answer may stand right behind one interim answer too many
        () = overrun.notified() => return Err(ConnectError::Interim),
        response = sender.send_request(head) => response?,
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        if is_encoded(response.headers()) {
            return Err(ConnectError::Coding);
        }
        settle_length(response.headers_mut())?;
    }
    drop(connection.detach());
    Ok(response)
}

/// Leaves one plain number of the lengths that an answer has (RFC 9112 §6.3). The HTTP library reads a list of equal ones,
/// but writes none, and where an answer has no body, as to HEAD, it does not look at them at all.
fn settle_length(fields: &mut HeaderMap) -> Result<(), ConnectError> {
    if fields.contains_key(TRANSFER_ENCODING) {
        return Ok(()); // beside it a length means nothing, and goes no further
    }
    let Entry::Occupied(mut lengths) = fields.entry(CONTENT_LENGTH) else { return Ok(()) };
    let members = lengths.iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let mut numbers = members.map(|member| length(member.trim_ascii()));
    let first = numbers.next().flatten().ok_or(ConnectError::Length)?;
    if numbers.any(|number| number != Some(first)) {
        return Err(ConnectError::Length);
    }
    lengths.insert(first.into());
    Ok(())
}

fn length(digits: &[u8]) -> Option<u64> {
    let is_plain = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_plain)?.parse().ok()
}

/// Whether a body has another transfer coding than `chunked`, once, which HTTP/1.1 takes off. None was asked for with `TE`,
/// and the field does not travel on: the client would take what is encoded for the content (RFC 9112 §6.1, §7).
fn is_encoded(fields: &HeaderMap) -> bool {
    let lines = fields.get_all(TRANSFER_ENCODING).iter();
    let mut codings =
        lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let first = codings.next();
    first.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"chunked")) || codings.next().is_some()
}

/// What is notified when the answers to this request begin with more than `max` interim ones.
fn notify_after<B>(max: usize, head: &mut http::Request<B>) -> Arc<Notify> {
    let overrun = Arc::new(Notify::new());
    let (notify, seen) = (Arc::clone(&overrun), AtomicUsize::new(0));
    hyper::ext::on_informational(head, move |_interim| {
        if seen.fetch_add(1, Ordering::Relaxed) == max {
            notify.notify_one();
        }
    });
    overrun
}

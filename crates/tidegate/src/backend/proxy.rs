//! `http://` and `https://` for plain requests: passed on as they are, one backend connection each.

use std::pin::pin;

use http::header::{CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING};
use http::{Response, StatusCode, Version};
use hyper::body::Body as _;
use hyper::body::Incoming;

use super::pick::{Candidate, Candidates};
use super::trust::Trust;
use super::upload::{self, Upload};
use super::{ConnectError, announce, dial, upgrade};
use crate::clock::timeout;
use crate::config::{Backend, HttpTarget};
use crate::forward::{add_forwarded, end_to_end};
use crate::io::Socket;
use crate::pool::{Pending, Seat};
use crate::request::Request;
use crate::route::Selected;

/// Passes a plain request on to the backend of its route; of several, to the first that takes the connection, and does not
/// owe too many an answer. The seat is for as long as the answer lasts.
///
/// The connection is not used again: what a backend leaves unread or unsaid on it cannot be taken for the answer to
/// somebody else's request.
///
/// # Errors
/// There is no backend, or what it answers is no HTTP.
pub async fn forward(
    selected: &Selected,
    request: &Request,
    body: Incoming,
    trust: &Trust,
) -> Result<(Response<Incoming>, Seat), ConnectError> {
    let route = selected.route();
    let mut candidates = Candidates::of(selected, request);
    let (socket, target, pending, seat) = loop {
        let candidate = candidates.take();
        let backend = candidate.backend;
        match reach(selected, &candidate, request, trust).await {
            Ok((socket, target, pending)) => break (socket, target, pending, candidate.into_seat()),
            Err(error) => candidates.after(&candidate, error).map_err(|error| error.at(backend, false))?,
        }
    };
    // While a body is on its way the backend owes nothing, and clients that are slow must not make it look busy.
    let pending = Some(pending).filter(|_| body.is_end_stream());
    let (body, progress) = upload::watched(body);
    let mut answer = pin!(upgrade::exchange(socket, head(selected, target, request, body)));
    let early = tokio::select! {
        biased;
        answer = &mut answer => Some(answer?),
        sent = progress.end(route) => sent.map(|()| None)?,
    };
    let response = match early {
        Some(response) => response,
        None => {
            let _pending = pending.unwrap_or_else(|| seat.owe());
            let answer = timeout(route.upgrade_timeout, answer).await;
            answer.map_err(|_elapsed| ConnectError::UpgradeTimeout)??
        }
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(ConnectError::Unasked);
    }
    Ok((response, seat))
}

async fn reach<'c>(
    selected: &Selected,
    candidate: &Candidate<'c>,
    request: &Request,
    trust: &Trust,
) -> Result<(Socket, &'c HttpTarget, Pending), ConnectError> {
    let Backend::Http(target) = candidate.backend else { return Err(ConnectError::NotBuilt) };
    let pending = candidate.ask()?;
    let trusted = target.tls.then(|| trust.of(selected.route()));
    let greeting = announce::greeting(selected.route(), request);
    let socket = dial::tcp(&target.authority, trusted, &greeting, candidate.budget).await?;
    Ok((socket, target, pending))
}

fn head(selected: &Selected, target: &HttpTarget, request: &Request, body: Upload) -> http::Request<Upload> {
    let mut fields = end_to_end(&request.fields);
    add_forwarded(&mut fields, request);
    if request.fields.contains_key(TRANSFER_ENCODING) {
        // Said explicitly: the HTTP library does not expect a GET to have a body, and would leave it out.
        fields.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    } else if let Some(length) = request.fields.get(CONTENT_LENGTH) {
        fields.insert(CONTENT_LENGTH, length.clone());
    }
    let host =
        HeaderValue::try_from(request.authority.as_str()).expect("a checked host is a legal field value");
    fields.insert(HOST, host);
    let mut head = http::Request::new(body);
    *head.method_mut() = request.method.clone();
    *head.version_mut() = Version::HTTP_11;
    *head.uri_mut() = upgrade::target_uri(target, selected, request);
    *head.headers_mut() = fields;
    head
}

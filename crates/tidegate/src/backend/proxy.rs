//! `http://` and `https://` for plain requests: passed on as they are, one backend connection each.

use http::header::{CONTENT_LENGTH, HOST, HeaderValue};
use http::{Response, StatusCode, Version};
use hyper::body::Incoming;
use tokio::time::timeout;

use super::trust::Trust;
use super::{ConnectError, dial, upgrade};
use crate::config::HttpTarget;
use crate::forward::{add_forwarded, end_to_end};
use crate::request::Request;
use crate::route::Selected;

/// Passes a plain request on to the backend of its route.
///
/// The connection is not used again: what a backend leaves unread or unsaid on it cannot be taken for the answer to
/// somebody else's request.
///
/// # Errors
/// There is no backend, or what it answers is no HTTP.
pub async fn forward(
    selected: &Selected,
    target: &HttpTarget,
    request: &Request,
    body: Incoming,
    trust: &Trust,
) -> Result<Response<Incoming>, ConnectError> {
    let route = selected.route();
    let trusted = target.tls.then(|| trust.of(route));
    let socket = dial::tcp(&target.authority, trusted, route.connect_timeout).await?;
    let head = head(selected, target, request, body);
    let answer = timeout(route.upgrade_timeout, upgrade::exchange(socket, head)).await;
    let response = answer.map_err(|_elapsed| ConnectError::UpgradeTimeout)??;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(ConnectError::Unasked);
    }
    Ok(response)
}

fn head(
    selected: &Selected,
    target: &HttpTarget,
    request: &Request,
    body: Incoming,
) -> http::Request<Incoming> {
    let mut fields = end_to_end(&request.fields);
    add_forwarded(&mut fields, request);
    if let Some(length) = request.fields.get(CONTENT_LENGTH) {
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

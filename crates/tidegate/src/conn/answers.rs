//! Answers as they go out: what backends, and servers that were asked, have said, and the 101.

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::backend::Link;
use crate::config::PathPattern;
use crate::forward::response_end_to_end;
use crate::http::{self as front, Body};
use crate::request::Request;
use crate::route::Selected;

pub(super) fn answer_101(link: &Link) -> Response<Body> {
    let agreed = link.agreed();
    let opening = link.permit().opening();
    let fields = opening
        .answer(agreed.subprotocol.as_ref(), &agreed.extensions)
        .expect("policy and backend agree on nothing that was not offered");
    let mut response = front::switching_protocols(fields, opening.reason());
    response.headers_mut().extend(agreed.fields.clone());
    response
}

/// What a server that was asked about a client answered in our place.
pub(super) fn answered_elsewhere(answer: &Response<Bytes>) -> Response<Body> {
    let mut response = Response::new(front::full(answer.body().clone()));
    *response.status_mut() = answer.status();
    response.headers_mut().clone_from(answer.headers());
    response
}

/// What a backend answered, without the fields that concern its own connection; `kept` is kept until its body's end.
pub(super) fn passed_on<K: Send + 'static>(answer: Response<Incoming>, kept: K) -> Response<Body> {
    let (parts, body) = answer.into_parts();
    let body = body.map_frame(move |frame| {
        let _held: &K = &kept;
        frame
    });
    let mut response = Response::new(body.map_err(Into::into).boxed_unsync());
    *response.status_mut() = parts.status;
    *response.headers_mut() = response_end_to_end(&parts.headers);
    response
}

/// The path below the folder that a route serves: what follows its prefix, or all of it.
pub(super) fn path_in_files<'a>(selected: &Selected, request: &'a Request) -> &'a str {
    match &selected.route().path {
        PathPattern::Exact(_) => &request.path,
        PathPattern::Prefix(_) | PathPattern::Regex(..) => selected.below_prefix(&request.path),
    }
}

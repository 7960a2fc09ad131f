//! `forward`: another server decides. It is asked with the fields of the request, and its no is passed on.

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONTENT_TYPE, HOST, HeaderName, HeaderValue, SET_COOKIE, WWW_AUTHENTICATE,
};
use http::{Request as Question, Response, StatusCode, Uri};
use http_body_util::Empty;

use super::Denial;
use crate::ask::Asker;
use crate::forward::{add_forwarded, end_to_end, is_plain};
use crate::request::Request;

/// Asks whether the request may pass. The caller bounds the time.
pub(super) async fn check(asker: &Asker, url: &Uri, request: &Request) -> Result<(), Denial> {
    let answer = asker.ask(question(url, request)).await?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            let (head, body) = answer.into_parts();
            let passed = |name: &HeaderName| [WWW_AUTHENTICATE, CONTENT_TYPE, SET_COOKIE].contains(name);
            let fields = head.headers.iter().filter(|(name, _)| passed(name));
            let mut answer = Response::new(body);
            *answer.status_mut() = status;
            *answer.headers_mut() = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
            Err(Denial::Answered(Box::new(answer)))
        }
        status => Err(Denial::Undecided(status.as_u16())),
    }
}

/// A GET with the end-to-end fields of the request, and what it was for.
///
/// Whoever decides about a request must not read in it what the client would like to be read: a field whose name CGI and
/// WSGI could take for another stays here, whichever it is.
fn question(url: &Uri, request: &Request) -> Question<Empty<Bytes>> {
    let mut fields = end_to_end(&request.fields);
    let odd: Vec<HeaderName> = fields.keys().filter(|name| !is_plain(name.as_str())).cloned().collect();
    for name in odd {
        fields.remove(name);
    }
    add_forwarded(&mut fields, request);
    fields.remove(ACCEPT_ENCODING); // the answer is passed on without what would say how it is encoded
    fields.remove(HOST); // the client writes the one of the URL
    for (name, value) in
        [("x-forwarded-method", request.method.to_string()), ("x-forwarded-uri", request.canonical_target())]
    {
        let value = HeaderValue::try_from(value).expect("a method and a parsed target are legal values");
        fields.insert(name, value);
    }
    let mut question = Question::new(Empty::new());
    *question.uri_mut() = url.clone();
    *question.headers_mut() = fields;
    question
}

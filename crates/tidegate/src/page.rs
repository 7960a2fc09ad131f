//! The pages of the embedded default: one to try the gateway with, one that says how it is.

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode};

use crate::http::{Body, full, text};
use crate::request::Request;
use crate::service::Service;

/// The page, whole: it loads nothing from anywhere.
const INDEX: &str = include_str!("../assets/index.html");

/// The page may run its own script and connect to where the user says, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      img-src data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

pub(crate) fn serve(request: &Request, service: &Service) -> Response<Body> {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "this page is read with GET", &[("Allow", "GET, HEAD")]);
    }
    match request.path.as_str() {
        "/" => page("text/html; charset=utf-8", INDEX.to_owned()),
        "/status" => page("application/json", format!("{}\n", service.status())),
        _ => text(StatusCode::NOT_FOUND, "nothing is served at this path", &[]),
    }
}

fn page(content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(full(body));
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    fields.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    fields.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

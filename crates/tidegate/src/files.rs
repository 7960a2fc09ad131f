//! `file:` – static files, as people expect them (types, ranges, validators: tower-http's duty).

use std::path::Path;

use http::{Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use tower_http::services::ServeDir;

use crate::http::{Body, empty, text};
use crate::request::Request;

/// Answers a request for the file that `path` names below `root`.
pub(crate) async fn serve(root: &Path, path: &str, request: &Request) -> Response<Body> {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return text(
            StatusCode::METHOD_NOT_ALLOWED,
            "files are read with GET and HEAD",
            &[("Allow", "GET, HEAD")],
        );
    }
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let mut inner = http::Request::new(empty());
    *inner.method_mut() = request.method.clone();
    *inner.headers_mut() = request.fields.clone();
    match path.parse() {
        Ok(uri) => *inner.uri_mut() = uri,
        Err(_) => return text(StatusCode::BAD_REQUEST, "this is no path", &[]),
    }
    match ServeDir::new(root).try_call(inner).await {
        Ok(response) if response.status() == StatusCode::NOT_FOUND => {
            text(StatusCode::NOT_FOUND, "there is no such file", &[])
        }
        Ok(response) => response.map(|body| body.map_err(Into::into).boxed_unsync()),
        Err(error) => {
            tracing::warn!(%error, "a static file cannot be read");
            text(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read", &[])
        }
    }
}

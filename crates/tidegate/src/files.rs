//! `file:` – static files, as people expect them (types, ranges, validators: tower-http's duty).
//!
//! What is served is decided here: regular files below the folder, whatever links say, and none of those that are only
//! for the people who maintain them.

use std::io;
use std::path::{Path, PathBuf};

use http::header::{HeaderValue, IF_RANGE, RANGE, VARY};
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use percent_encoding::percent_decode_str;
use tokio::fs;
use tower_http::services::ServeDir;

use crate::http::{Body, empty, text};
use crate::request::Request;

/// What a directory is shown as.
const INDEX: &str = "index.html";

/// Answers a request for the file that the canonical `path` names below `root`; `prefix` is what stands in front of it
/// in the URL.
pub(crate) async fn serve(root: &Path, prefix: &str, path: &str, request: &Request) -> Response<Body> {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return text(
            StatusCode::METHOD_NOT_ALLOWED,
            "files are read with GET and HEAD",
            &[("Allow", "GET, HEAD")],
        );
    }
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    match is_served(root, &path).await {
        Ok(true) => {}
        Ok(false) => return not_found(),
        Err(error) => return unreadable(&error),
    }
    let mut inner = http::Request::new(empty());
    *inner.method_mut() = request.method.clone();
    *inner.headers_mut() = request.fields.clone();
    *inner.uri_mut() = path.parse().expect("a canonical path is a legal target");
    if inner.headers().contains_key(IF_RANGE) {
        // A part is wanted only of the very file that is named; the whole file is always a right answer.
        inner.headers_mut().remove(RANGE);
    }
    let mut files = ServeDir::new(root)
        .precompressed_br()
        .precompressed_gzip()
        .ignore_multi_range_requests(true)
        .redirect_path_prefix(prefix);
    match files.try_call(inner).await {
        Ok(response) if response.status() == StatusCode::NOT_FOUND => not_found(),
        Ok(mut response) => {
            if response.status() == StatusCode::NOT_MODIFIED {
                response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
            }
            response.map(|body| body.map_err(Into::into).boxed_unsync())
        }
        Err(error) => unreadable(&error),
    }
}

/// Whether there is something to serve: looked at before it is opened, since opening a pipe would wait for its writer.
async fn is_served(root: &Path, path: &str) -> io::Result<bool> {
    let Some(wanted) = below(root, path) else { return Ok(false) };
    let root = fs::canonicalize(root).await?;
    let mut found = fs::canonicalize(wanted).await?;
    let mut kind = fs::metadata(&found).await?;
    if kind.is_dir() && found.starts_with(&root) {
        found = fs::canonicalize(found.join(INDEX)).await?;
        kind = fs::metadata(&found).await?;
    }
    Ok(kind.is_file() && found.starts_with(&root))
}

/// The file that a path means, if it is one that visitors may ask for: nothing hidden and no editor's back-up.
fn below(root: &Path, path: &str) -> Option<PathBuf> {
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    let mut file = root.to_owned();
    for segment in decoded.split('/').filter(|segment| !segment.is_empty()) {
        let hidden = segment.starts_with('.') && segment != ".well-known";
        if hidden || segment.ends_with('~') || segment.contains(['\\', '\0']) {
            return None;
        }
        file.push(segment);
    }
    Some(file)
}

fn not_found() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "there is no such file", &[])
}

/// What cannot be reached is not there, as far as a visitor is concerned; what is broken is said to the operator.
fn unreadable(error: &io::Error) -> Response<Body> {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound, PermissionDenied};
    const TOO_MANY_LINKS: Option<i32> = Some(40);
    let nothing_there = matches!(error.kind(), NotFound | NotADirectory | PermissionDenied | InvalidFilename);
    if nothing_there || error.raw_os_error() == TOO_MANY_LINKS {
        return not_found();
    }
    tracing::warn!(%error, "a static file cannot be read");
    text(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read", &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t225_hidden_files_and_back_ups_are_nobodys_business() {
        let root = Path::new("/srv");
        assert_eq!(below(root, "/a%20b/c.html"), Some("/srv/a b/c.html".into()));
        assert_eq!(below(root, "//a"), Some("/srv/a".into()));
        assert_eq!(below(root, "/.well-known/x"), Some("/srv/.well-known/x".into()));
        for path in ["/.git/config", "/.htpasswd", "/a/.b", "/index.html~", "/a%FF"] {
            assert_eq!(below(root, path), None, "{path}");
        }
    }

    #[tokio::test]
    async fn t224_only_regular_files_below_the_folder() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "x").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir(root.join("sub")).unwrap();
        std::fs::create_dir(root.join("empty")).unwrap();
        std::fs::write(root.join("sub/index.html"), "x").unwrap();
        std::os::unix::fs::symlink("sub/index.html", root.join("inside")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), root.join("out")).unwrap();
        std::os::unix::fs::symlink(outside.path(), root.join("outdir")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", root.join("zero")).unwrap();
        std::os::unix::fs::symlink("loop", root.join("loop")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        for (path, served) in [
            ("/sub/index.html", true),
            ("/sub/", true),
            ("/sub", true),
            ("/inside", true),
            ("/out", false),
            ("/outdir/secret", false),
            ("/zero", false),
            ("/socket", false),
        ] {
            assert_eq!(is_served(root, path).await.unwrap(), served, "{path}");
        }
        for path in ["/none", "/empty/", "/loop", "/sub/index.html/x"] {
            assert!(
                matches!(is_served(root, path).await, Err(error) if unreadable(&error).status() == StatusCode::NOT_FOUND),
                "{path}"
            );
        }
    }
}

//! `file:` – static files, as people expect them (types, ranges, validators: tower-http's duty).
//!
//! What is served is decided here: regular files below the folder, whatever links say, and none of those that are only
//! for the people who maintain them.

mod listing;
mod range;
mod room;

use std::io;
use std::path::{Path, PathBuf};

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RANGE, VARY};
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use percent_encoding::percent_decode_str;
use tokio::fs;
use tower_http::services::ServeDir;

use self::range::Wanted;
use crate::config::Folder;
use crate::http::{Body, empty, text};
use crate::request::Request;

/// What a directory is shown as.
const INDEX: &str = "index.html";

/// Answers a request for the file that the canonical `path` names below the folder; `prefix` is what stands in front of
/// it in the URL.
pub(crate) async fn serve(folder: &Folder, prefix: &str, path: &str, request: &Request) -> Response<Body> {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return text(
            StatusCode::METHOD_NOT_ALLOWED,
            "files are read with GET and HEAD",
            &[("Allow", "GET, HEAD")],
        );
    }
    match look(folder, path).await {
        // Links in the page of a folder start at its last slash.
        Ok(Found::Index | Found::Bare { .. }) if !request.path.ends_with('/') => to_folder(request),
        Ok(Found::File) if path.ends_with('/') => not_found(), // it is no folder
        Ok(found @ (Found::File | Found::Index)) => {
            let packed = packed(&folder.path, path, found == Found::Index).await;
            file(&folder.path, path, packed, request).await
        }
        Ok(Found::Bare { root, folder }) => {
            let has_parent = !path.trim_matches('/').is_empty();
            let shown = format!("{prefix}{path}");
            listing::page(root, folder, &shown, has_parent).await.unwrap_or_else(|error| unreadable(&error))
        }
        Ok(Found::Nothing) => not_found(),
        Err(error) => unreadable(&error),
    }
}

async fn file(root: &Path, path: &str, packed: Packed, request: &Request) -> Response<Body> {
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let mut files = ServeDir::new(root);
    if packed.brotli {
        files = files.precompressed_br();
    }
    if packed.gzip {
        files = files.precompressed_gzip();
    }
    let mut wanted = Wanted::of(&request.method, &request.fields);
    let answered = loop {
        let answered = files.try_call(inner(request, &path, &wanted)).await;
        match answered.as_ref().ok().and_then(|answer| wanted.instead(answer)) {
            Some(instead) => wanted = instead, // twice at the most
            None => break answered,
        }
    };
    match answered {
        Ok(response) if response.status() == StatusCode::NOT_FOUND => not_found(),
        Ok(mut response) => {
            // Of every file: a cache must not go on with this one where another encoding is put beside it later.
            response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
            name_charset(response.headers_mut());
            response.map(|body| body.map_err(Into::into).boxed_unsync())
        }
        Err(error) => unreadable(&error),
    }
}

/// The request as the library is to see it.
fn inner(request: &Request, path: &str, wanted: &Wanted) -> http::Request<Body> {
    let mut inner = http::Request::new(empty());
    *inner.method_mut() = request.method.clone();
    *inner.headers_mut() = request.fields.clone();
    *inner.uri_mut() = path.parse().expect("a canonical path is a legal target");
    inner.headers_mut().remove(RANGE);
    if let Some(range) = wanted.field() {
        inner.headers_mut().insert(RANGE, range.clone());
    }
    inner
}

/// Says of text that it is UTF-8: without a word browsers take it for the encoding of their user's country, and what is
/// written today is UTF-8. Not said of XML, which tells for itself, and of JSON, which cannot be anything else.
fn name_charset(fields: &mut HeaderMap) {
    let Some(given) = fields.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return };
    if given.starts_with("text/") && given != "text/xml" && !given.contains(';') {
        let named = HeaderValue::try_from(format!("{given}; charset=utf-8"));
        fields.insert(CONTENT_TYPE, named.expect("a legal value and a parameter are a legal value"));
    }
}

/// Sends the client to the same path with a slash behind it, on this very host: two slashes in front would name another.
fn to_folder(request: &Request) -> Response<Body> {
    let query = request.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let target = format!("/{}/{query}", request.path.trim_start_matches('/'));
    let mut response =
        text(StatusCode::TEMPORARY_REDIRECT, "this is a folder: its name ends with a slash", &[]);
    let location = HeaderValue::try_from(target).expect("a canonical path and a query are legal in a field");
    response.headers_mut().insert(LOCATION, location);
    response
}

/// What a path means.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// A file.
    File,
    /// A folder, shown as its own page.
    Index,
    /// A folder without a page of its own, of which a list may be shown.
    Bare {
        /// The folder that is served.
        root: PathBuf,
        /// The one that was asked for. No symbolic link is left in either.
        folder: PathBuf,
    },
    /// Nothing that is served.
    Nothing,
}

/// In which encodings a file lies beside itself, as `app.js.br`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Packed {
    brotli: bool,
    gzip: bool,
}

/// They are served in its place, so they have to be what it has to be: a link may lead elsewhere, and a pipe be waited for.
async fn packed(root: &Path, path: &str, is_index: bool) -> Packed {
    let beside = async |extension: &str| {
        let mut file = below(root, path)?;
        if is_index {
            file.push(INDEX);
        }
        file.as_mut_os_string().push(extension);
        is_regular_below(root, &file).await.ok().filter(|is_regular| *is_regular)
    };
    Packed { brotli: beside(".br").await.is_some(), gzip: beside(".gz").await.is_some() }
}

async fn is_regular_below(root: &Path, file: &Path) -> io::Result<bool> {
    let found = fs::canonicalize(file).await?;
    Ok(found.starts_with(fs::canonicalize(root).await?) && fs::metadata(&found).await?.is_file())
}

/// Looks before anything is opened, since opening a pipe would wait for its writer.
async fn look(served: &Folder, path: &str) -> io::Result<Found> {
    let Some(wanted) = below(&served.path, path) else { return Ok(Found::Nothing) };
    let root = fs::canonicalize(&served.path).await?;
    let found = fs::canonicalize(wanted).await?;
    let kind = fs::metadata(&found).await?;
    if !found.starts_with(&root) {
        return Ok(Found::Nothing);
    }
    if !kind.is_dir() {
        return Ok(if kind.is_file() { Found::File } else { Found::Nothing });
    }
    let index = found.join(INDEX);
    let is_bare =
        fs::symlink_metadata(&index).await.is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    if is_bare && served.listing {
        return Ok(Found::Bare { root, folder: found });
    }
    let index = fs::canonicalize(index).await?;
    let is_page = index.starts_with(&root) && fs::metadata(&index).await?.is_file();
    Ok(if is_page { Found::Index } else { Found::Nothing })
}

/// The file that a path means, if it is one that visitors may ask for: nothing hidden and no editor's back-up.
fn below(root: &Path, path: &str) -> Option<PathBuf> {
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    let mut file = root.to_owned();
    for segment in decoded.split('/').filter(|segment| !segment.is_empty()) {
        if !is_for_visitors(segment) {
            return None;
        }
        file.push(segment);
    }
    Some(file)
}

/// Whether a file or folder of this name may be asked for at all.
fn is_for_visitors(name: &str) -> bool {
    let hidden = name.starts_with('.') && name != ".well-known";
    !hidden && !name.ends_with('~') && !name.contains(['\\', '\0'])
}

fn not_found() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "there is no such file", &[])
}

/// What cannot be reached is not there, as far as a visitor is concerned; what is broken is said to the operator.
fn unreadable(error: &io::Error) -> Response<Body> {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound, PermissionDenied};
    const TOO_MANY_LINKS: Option<i32> = Some(40);
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    let nothing_there = matches!(error.kind(), NotFound | NotADirectory | PermissionDenied | InvalidFilename);
    if nothing_there || error.raw_os_error() == TOO_MANY_LINKS {
        return not_found();
    }
    tracing::warn!(%error, "a static file cannot be read");
    if matches!(error.raw_os_error(), Some(ENFILE | EMFILE)) {
        return text(StatusCode::SERVICE_UNAVAILABLE, "the gateway has no resources for another file", &[]);
    }
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
        let folder = |listing| Folder { path: root.to_owned(), listing };
        for (path, served) in [
            ("/sub/index.html", Found::File),
            ("/sub/", Found::Index),
            ("/sub", Found::Index),
            ("/inside", Found::File),
            ("/out", Found::Nothing),
            ("/outdir/secret", Found::Nothing),
            ("/outdir/", Found::Nothing),
            ("/zero", Found::Nothing),
            ("/socket", Found::Nothing),
        ] {
            for listing in [false, true] {
                assert_eq!(look(&folder(listing), path).await.unwrap(), served, "{path}");
            }
        }
        for path in ["/none", "/empty/", "/loop", "/sub/index.html/x"] {
            assert!(
                matches!(look(&folder(false), path).await, Err(error) if unreadable(&error).status() == StatusCode::NOT_FOUND),
                "{path}"
            );
        }
        let real = root.canonicalize().unwrap();
        let bare = Found::Bare { root: real.clone(), folder: real.join("empty") };
        assert_eq!(look(&folder(true), "/empty/").await.unwrap(), bare);
    }

    /// What has an index.html is shown as that or not at all.
    #[tokio::test]
    async fn t226_a_page_that_must_not_be_shown_is_not_replaced_by_a_list() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("a")).unwrap();
        std::fs::create_dir_all(root.join("b/index.html")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.join("a/index.html")).unwrap();
        let listed = Folder { path: root.to_owned(), listing: true };
        for path in ["/a/", "/b/"] {
            assert_eq!(look(&listed, path).await.unwrap(), Found::Nothing, "{path}");
        }
    }

    #[tokio::test]
    async fn t224_an_encoding_is_offered_only_of_a_regular_file_below_the_folder() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "x").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir(root.join("sub")).unwrap();
        for name in ["a", "a.gz", "sub/index.html", "sub/index.html.br", "out", "pipe", "inside"] {
            std::fs::write(root.join(name), "x").unwrap();
        }
        let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, root.join(name)).unwrap();
        link(&outside.path().join("secret"), "out.gz");
        link(&outside.path().join("secret"), "out.br");
        link(Path::new("a.gz"), "inside.gz");
        let _pipe = std::os::unix::net::UnixListener::bind(root.join("pipe.gz")).unwrap();
        std::fs::create_dir(root.join("pipe.br")).unwrap();
        for (path, is_index, brotli, gzip) in [
            ("/a", false, false, true),
            ("/sub/", true, true, false),
            ("/out", false, false, false),
            ("/pipe", false, false, false),
            ("/inside", false, false, true),
        ] {
            assert_eq!(packed(root, path, is_index).await, Packed { brotli, gzip }, "{path}");
        }
    }

    #[test]
    fn text_is_said_to_be_utf_8() {
        for (given, named) in [
            ("text/html", "text/html; charset=utf-8"),
            ("text/javascript", "text/javascript; charset=utf-8"),
            ("text/plain; charset=latin1", "text/plain; charset=latin1"),
            ("text/xml", "text/xml"),
            ("application/json", "application/json"),
            ("image/svg+xml", "image/svg+xml"),
        ] {
            let mut fields = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(given))]);
            name_charset(&mut fields);
            assert_eq!(fields[CONTENT_TYPE], named);
        }
    }
}

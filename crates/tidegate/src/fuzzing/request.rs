//! A request for a file, from the target and the Host field to the bytes: nothing outside of the folder is served, and
//! nothing in it that is not for visitors; and what is served is the very file, or the part of it that was asked for.

use std::fs;
use std::os::unix::fs::symlink;

use http::header::{CONTENT_RANGE, HOST, HeaderValue, RANGE};
use http::{StatusCode, Uri};
use http_body_util::BodyExt as _;
use tokio::runtime::Runtime;

use super::folder::Folder;
use crate::config::{Folder as Served, TrustedProxies};
use crate::files;
use crate::io::{Arrival, Peer};
use crate::path::canonical_path;
use crate::request::Request;

/// In every file that must not be served.
const SECRET: &[u8] = b"not for visitors";

struct Fixture {
    folder: Folder,
    runtime: Runtime,
}

thread_local! {
    static FIXTURE: Fixture = Fixture::new();
}

impl Fixture {
    fn new() -> Self {
        let folder = Folder::new("files");
        let root = folder.0.join("served");
        for inner in ["", "sub", ".git", ".well-known", "listed"] {
            fs::create_dir_all(root.join(inner)).expect("the folder takes folders");
        }
        for file in ["index.html", "sub/a.txt", ".well-known/b", "a b", "ä", "listed/c"] {
            fs::write(root.join(file), content(file)).expect("the folder takes files");
        }
        for file in [".git/config", ".htpasswd", "sub/.env", "sub/a.txt~", "../outside", "../served2"] {
            fs::write(root.join(file), SECRET).expect("the folder takes files");
        }
        for (target, link) in [("../outside", "out"), ("../..", "sub/up"), ("sub/a.txt", "in")] {
            symlink(target, root.join(link)).expect("the folder takes links");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        Self { folder, runtime: runtime.expect("a runtime without sockets needs nothing of the system") }
    }
}

/// What is in a file that may be served.
fn content(name: &str) -> String {
    format!("{name} is for everybody")
}

/// The first line is the target, the second the Host field, the third, if there is one, the Range.
pub fn run(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let Ok(uri) = Uri::try_from(lines.next().unwrap_or_default()) else { return };
    let host = lines.next().unwrap_or(b"gw.test");
    let Ok(host) = HeaderValue::from_bytes(host) else { return };
    let range = lines.next().map(HeaderValue::from_bytes).transpose();
    let Ok(range) = range else { return };
    let (mut head, ()) = http::Request::new(()).into_parts();
    head.uri = uri;
    head.headers.insert(HOST, host);
    head.headers.extend(range.clone().map(|range| (RANGE, range)));
    let peer = Peer::Tcp(([192, 0, 2, 1], 4711).into());
    let arrival = Arrival { client: peer, unnamed: false, local: None, secure: false, tls: None };
    let proxies = TrustedProxies { networks: Vec::new(), unix: false };
    let Ok(request) = Request::read(head, &arrival, &proxies) else { return };
    assert_is_normal(&request);
    FIXTURE.with(|fixture| {
        let served = Served { path: fixture.folder.0.join("served"), listing: true };
        let (status, told, body) = fixture.runtime.block_on(async {
            let response = files::serve(&served, "", &request.path, &request).await;
            let status = response.status();
            let told =
                response.headers().get(CONTENT_RANGE).and_then(|told| told.to_str().ok()).map(str::to_owned);
            (status, told, response.into_body().collect().await.map(|body| body.to_bytes()))
        });
        let body = body.expect("a file can be read to its end");
        assert!(!body.windows(SECRET.len()).any(|part| part == SECRET), "{:?}", request.path);
        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{:?}", request.path);
        if status.is_success() {
            assert_leads_inside(&request.path);
        }
        if let Some(name) = named(&request.path) {
            let whole = content(name);
            let range = range.as_ref().and_then(|range| range.to_str().ok()).unwrap_or_default();
            assert_is_of(whole.as_bytes(), range, status, told.as_deref(), &body);
        }
    });
}

/// What everything after this decides by has one form, which stays as it is when it is read again.
fn assert_is_normal(request: &Request) {
    let path = &request.path;
    assert_eq!(canonical_path(path).as_ref(), Ok(path));
    assert!(
        path.starts_with('/') && path.split('/').all(|segment| !matches!(segment, "." | "..")),
        "{path:?}"
    );
    assert!(path.parse::<Uri>().is_ok(), "{path:?} is no target");
    let is_of_host =
        |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase() && !b"/@#?\\".contains(&byte);
    assert!(request.host.bytes().all(is_of_host), "{:?}", request.host);
}

/// Walks along the names of a path that was served: not one of them is hidden, and none leads up.
fn assert_leads_inside(path: &str) {
    for name in path.split('/').filter(|name| !name.is_empty()) {
        let is_hidden = name.starts_with('.') && name != ".well-known";
        assert!(!is_hidden && !name.ends_with('~') && name != "up" && name != "out", "{path:?}");
    }
}

/// The file that a path of few escapes means, which is one of those that are served.
fn named(path: &str) -> Option<&'static str> {
    Some(match path.trim_start_matches('/') {
        "" | "index.html" => "index.html",
        "sub/a.txt" | "in" => "sub/a.txt",
        ".well-known/b" => ".well-known/b",
        "a%20b" => "a b",
        "%C3%A4" => "\u{e4}",
        "listed/c" => "listed/c",
        _ => return None,
    })
}

/// Whether that is the answer to a request for this range of a file. Of ranges that are spelt otherwise than in figures
/// it is enough that the answer is true.
fn assert_is_of(whole: &[u8], range: &str, status: StatusCode, told: Option<&str>, body: &[u8]) {
    let part = |first: usize, last: usize| format!("bytes {first}-{last}/{}", whole.len());
    match spelt(range, whole.len()) {
        Some(Asked::Part(first, last)) => {
            assert_eq!(
                (status, told),
                (StatusCode::PARTIAL_CONTENT, Some(part(first, last).as_str())),
                "{range}"
            );
            assert_eq!(body, &whole[first..=last], "{range}");
        }
        Some(Asked::Nothing) => assert_eq!(status, StatusCode::RANGE_NOT_SATISFIABLE, "{range}"),
        Some(Asked::Whole) => assert_eq!((status, body), (StatusCode::OK, whole), "{range}"),
        None if status == StatusCode::PARTIAL_CONTENT => {
            let is_it = |at: usize| {
                told == Some(part(at, at + body.len() - 1).as_str()) && whole[at..].starts_with(body)
            };
            assert!((0..whole.len()).any(is_it), "{range}: {told:?}");
        }
        None => assert!(
            status == StatusCode::RANGE_NOT_SATISFIABLE || (status == 200 && body == whole),
            "{range}"
        ),
    }
}

enum Asked {
    Whole,
    Part(usize, usize),
    /// Of what there is.
    Nothing,
}

/// A range of a few figures (RFC 9110 §14.1.2).
fn spelt(range: &str, len: usize) -> Option<Asked> {
    if range.is_empty() {
        return Some(Asked::Whole);
    }
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let is_short = |text: &str| text.len() < 9 && text.bytes().all(|figure| figure.is_ascii_digit());
    if !is_short(first) || !is_short(last) {
        return None;
    }
    Some(match (first.parse().ok(), last.parse().ok()) {
        (None, None) => Asked::Whole,
        (None, Some(0_usize)) => Asked::Nothing,
        (None, Some(count)) => Asked::Part(len.saturating_sub(count), len - 1),
        (Some(first), Some(last)) if first > last => Asked::Whole,
        (Some(first), _) if first >= len => Asked::Nothing,
        (Some(first), last) => Asked::Part(first, last.unwrap_or(len).min(len - 1)),
    })
}

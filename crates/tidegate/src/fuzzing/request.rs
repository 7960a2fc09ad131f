//! A request for a file, from the target and the Host field to the bytes: nothing outside of the folder is served, and
//! nothing in it that is not for visitors.

use std::fs;
use std::os::unix::fs::symlink;

use http::header::{HOST, HeaderValue};
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
            fs::write(root.join(file), "for everybody").expect("the folder takes files");
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

/// The first line is the target, the second the Host field.
pub fn run(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let Ok(uri) = Uri::try_from(lines.next().unwrap_or_default()) else { return };
    let host = lines.next().unwrap_or(b"gw.test");
    let Ok(host) = HeaderValue::from_bytes(host) else { return };
    let (mut head, ()) = http::Request::new(()).into_parts();
    head.uri = uri;
    head.headers.insert(HOST, host);
    let peer = Peer::Tcp(([192, 0, 2, 1], 4711).into());
    let arrival = Arrival { client: peer, unnamed: false, local: None, secure: false, tls: None };
    let proxies = TrustedProxies { networks: Vec::new(), unix: false };
    let Ok(request) = Request::read(head, &arrival, &proxies) else { return };
    assert_is_normal(&request);
    FIXTURE.with(|fixture| {
        let served = Served { path: fixture.folder.0.join("served"), listing: true };
        let (status, body) = fixture.runtime.block_on(async {
            let response = files::serve(&served, "", &request.path, &request).await;
            let status = response.status();
            (status, response.into_body().collect().await.map(|body| body.to_bytes()))
        });
        let body = body.expect("a file can be read to its end");
        assert!(!body.windows(SECRET.len()).any(|part| part == SECRET), "{:?}", request.path);
        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{:?}", request.path);
        if status == StatusCode::OK {
            assert_leads_inside(&request.path);
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

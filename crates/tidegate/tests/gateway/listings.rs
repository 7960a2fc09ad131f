//! Lists of what is in a folder, where a route asks for them.

use std::fs;
use std::path::Path;

use tidegate_testkit::{Gateway, Head, Request};

use crate::rig::gateway;

fn ask(gateway: &Gateway, request: &Request) -> (Head, String) {
    let mut client = gateway.connect();
    client.send(request.clone().with("Connection", "close").encode());
    let head = client.read_head();
    (head, String::from_utf8(client.read_to_end().0).unwrap())
}

fn get(gateway: &Gateway, path: &str) -> (Head, String) {
    ask(gateway, &Request::get(path))
}

/// A folder with something of each kind in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for name in ["sub", "sub/deep", "with page", "empty"] {
        fs::create_dir(root.join(name)).unwrap();
    }
    for (name, text) in [
        ("a.txt", "0123456789"),
        ("<b>&\"c\".html", "<p>b"),
        (".htpasswd", "secret"),
        ("a.txt~", "old"),
        ("sub/inner.txt", "x"),
        ("with page/index.html", "<p>page"),
    ] {
        fs::write(root.join(name), text).unwrap();
    }
    std::os::unix::fs::symlink("/etc/passwd", root.join("passwd")).unwrap();
    folder
}

fn serving(root: &Path, route: &str) -> Gateway {
    gateway().route("/files/*", &format!("file:{}", root.display()), route).start()
}

/// Where the links of a page lead.
fn links(page: &str) -> Vec<&str> {
    page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn t226_a_folder_is_listed_where_the_route_asks_for_it() {
    let folder = folder();
    let gateway = serving(folder.path(), "listing = true");
    let (head, page) = get(&gateway, "/files/");
    assert_eq!(head.status(), 200);
    for (name, value) in [
        ("Content-Type", "text/html; charset=utf-8"),
        (
            "Content-Security-Policy",
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
        ),
        ("X-Content-Type-Options", "nosniff"),
    ] {
        assert_eq!(head.field(name), Some(value));
    }
    assert_eq!(
        links(&page),
        ["./empty/", "./sub/", "./with%20page/", "./%3Cb%3E%26%22c%22.html", "./a.txt"],
        "folders first; nothing hidden, no back-up, nothing from outside"
    );
    assert!(page.contains("&lt;b&gt;&amp;&quot;c&quot;.html"), "{page}");
    assert!(!page.contains("<b>") && !page.contains("<script"), "{page}");
    assert!(page.contains(">a.txt</a></td><td>10 B</td>"), "{page}");

    // Each link leads to what it names.
    for link in links(&page) {
        let (head, _) = get(&gateway, &format!("/files/{}", link.trim_start_matches("./")));
        assert_eq!(head.status(), 200, "{link}");
    }
    assert_eq!(get(&gateway, "/files/with%20page/").1, "<p>page", "a page of its own goes first");
    assert_eq!(links(&get(&gateway, "/files/sub/").1), ["../", "./deep/", "./inner.txt"]);
    assert_eq!(links(&get(&gateway, "/files/sub/?sort=size").1).len(), 3, "the query takes no part");
    gateway.finish();
}

#[test]
fn t226_head_has_no_body_and_other_methods_are_refused() {
    let folder = folder();
    let gateway = serving(folder.path(), "listing = true");
    let length = get(&gateway, "/files/").1.len().to_string();
    let (head, body) = ask(&gateway, &Request::get("/files/").line("HEAD /files/ HTTP/1.1"));
    assert_eq!((head.status(), head.field("Content-Length"), body.as_str()), (200, Some(&*length), ""));
    let (head, _) = ask(&gateway, &Request::get("/files/").line("POST /files/ HTTP/1.1"));
    assert_eq!((head.status(), head.field("Allow")), (405, Some("GET, HEAD")));
    gateway.finish();
}

#[test]
fn t226_t227_a_folder_without_its_slash_is_sent_there_and_nowhere_else() {
    let folder = folder();
    fs::create_dir(folder.path().join("evil.test")).unwrap();
    let gateway = gateway()
        .route("/files/*", &format!("file:{}", folder.path().display()), "listing = true")
        .route("/*", &format!("file:{}", folder.path().display()), "listing = true")
        .start();
    for (path, location) in [
        ("/files", "/files/"),
        ("/files/sub", "/files/sub/"),
        ("/files/with%20page?a=b", "/files/with%20page/?a=b"),
        ("//evil.test", "/evil.test/"),
    ] {
        let (head, _) = get(&gateway, path);
        assert_eq!((head.status(), head.field("Location")), (307, Some(location)), "{path}");
    }
    gateway.finish();
}

#[test]
fn t226_without_listing_a_bare_folder_is_404() {
    let folder = folder();
    let gateway = serving(folder.path(), "");
    for path in ["/files/", "/files/sub/", "/files/sub"] {
        assert_eq!(get(&gateway, path).0.status(), 404, "{path}");
    }
    assert_eq!(get(&gateway, "/files/with%20page/").0.status(), 200);
    gateway.finish();
}

#[test]
fn t226_a_large_folder_is_shown_in_part() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..10_050 {
        fs::write(folder.path().join(number.to_string()), "").unwrap();
    }
    let gateway = serving(folder.path(), "listing = true");
    let (_, page) = get(&gateway, "/files/");
    // Fewer where the machine is so busy that looking through them took too long.
    assert!(!links(&page).is_empty() && links(&page).len() <= 10_000);
    assert!(page.contains("and more: at least "));
    gateway.finish();
}

/// What others put into a folder decides about the length of its page: not beyond a bound, and none is left out in silence.
#[test]
fn t226_a_page_has_a_bound() {
    const ENTRIES: usize = 1500;
    const PAGE_BYTES: usize = 1100 << 10;
    let folder = tempfile::tempdir().unwrap();
    for number in 0..ENTRIES {
        fs::write(folder.path().join(format!("{number:05}{}", "&".repeat(200))), "").unwrap();
    }
    let gateway = serving(folder.path(), "listing = true");
    let (head, page) = get(&gateway, "/files/");
    assert_eq!(head.status(), 200);
    assert_eq!(head.field("Content-Length"), Some(page.len().to_string().as_str()));
    let rows = links(&page).len();
    assert!(page.len() < PAGE_BYTES && rows > 500, "{} bytes, {rows} rows", page.len());
    let rest = format!("… and more: {} of the entries are not shown.", ENTRIES - rows);
    assert!(page.contains(&rest), "{rest} in {}", &page[page.len() - 300..]);
    gateway.finish();
}

//! mod_proxy, files, listeners and certificates.

use std::fs;

use tidegate_testkit::{Authority, Backend, Request};

use crate::run::{Import, folder, text};

/// The fixture, with its files where they are on this machine.
fn import(backend: Option<&Backend>) -> (tempfile::TempDir, Import) {
    let file = format!("{}/tests/import/proxy.conf", env!("CARGO_MANIFEST_DIR"));
    let mut fixture = fs::read_to_string(file).unwrap().replace("ROOT", "www");
    if let Some(backend) = backend {
        fixture = fixture.replace("7000", &backend.address().port().to_string());
    }
    let folder = folder(&[("lighttpd.conf", &fixture), ("www/index.html", "the index")]);
    let import = Import::of(folder.path(), &["lighttpd.conf"]);
    (folder, import)
}

#[test]
fn conditions() {
    let (folder, import) = import(None);
    insta::assert_snapshot!(import.report);
    insta::assert_snapshot!(import.checked_in(folder.path()));
}

#[test]
fn requests_and_upgrades() {
    let backend = Backend::bind();
    let (folder, import) = import(Some(&backend));
    let absolute = folder.path().join("www");
    let import =
        Import { text: import.text.replace("file:www", &format!("file:{}", absolute.display())), ..import };
    let gateway = import.served();

    let mut client = gateway.connect();
    client.send(Request::upgrade("/app/room").set("Origin", "https://any.test").encode());
    drop(backend.accept_websocket());
    assert_eq!(client.read_head().status(), 101);

    for (path, answer) in [("/application", "from the backend"), ("/", "the index")] {
        let mut client = gateway.connect();
        client.send(Request::get(path).encode());
        if path != "/" {
            let mut far = backend.accept();
            assert_eq!(far.read_head().target(), path);
            far.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len()));
        }
        assert_eq!(client.read_response().1, answer, "{path}");
    }

    let mut client = gateway.connect();
    client.send(Request::upgrade("/plain/x").without("Origin").encode());
    assert_eq!(client.read_response().0.status(), 403, "upgrades were not passed on there");
}

#[test]
fn listeners_and_certificates() {
    let authority = Authority::new();
    let (own, other) = (authority.issue("127.0.0.1"), authority.issue("other.example.com"));
    let import = text(&format!(
        r#"
        server.port = 8080
        $SERVER["socket"] == ":8443" {{
            ssl.engine = "enable"
            ssl.pemfile = {:?}
            ssl.privkey = {:?}
            $HTTP["host"] == "other.example.com" {{
                ssl.pemfile = {:?}
                ssl.privkey = {:?}
            }}
            wstunnel.server = ( "" => ( ( "host" => "127.0.0.1", "port" => 7000 ) ) )
        }}
        $SERVER["socket"] == "127.0.0.1:8444" {{
            wstunnel.server = ( "/private" => ( ( "host" => "127.0.0.1", "port" => 7001 ) ) )
        }}
        $SERVER["socket"] == "[::]:8080" {{ }}
        "#,
        own.cert(),
        own.key(),
        other.cert(),
        other.key(),
    ));
    let table = import.checked();
    let listeners: Vec<_> =
        table.lines().skip(1).take(4).map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    let certificates = [own.cert(), other.cert()].map(|file| file.display().to_string());
    assert_eq!(listeners[0], ["0.0.0.0:8080", "ws,", "http"]);
    assert_eq!(listeners[1][..3], ["0.0.0.0:8443", "wss,", "https"]);
    assert_eq!(listeners[1][3..], [format!("{},", certificates[0]), certificates[1].clone()]);
    assert_eq!(listeners[2], ["127.0.0.1:8444", "ws,", "http"]);
    assert_eq!(listeners[3], ["[::]:8080", "ws,", "http"]);
    assert!(table.contains("tcp://127.0.0.1:7000"), "{table}");
    assert!(!table.contains("7001"), "what only this machine could reach is not for everybody:\n{table}");
    assert!(
        import.report.contains("$SERVER[\"socket\"]: no equivalent: routes are served on every listener")
    );
}

#[test]
fn the_lowest_version_of_tls_stays() {
    let authority = Authority::new();
    let identity = authority.issue("127.0.0.1");
    let (cert, key) = (identity.cert(), identity.key());
    for (lowest, is_13) in [("TLSv1.3", true), ("TLSv1.2", false), ("TLSv1", false)] {
        let import = text(&format!(
            "server.port = 8080\nssl.engine = \"enable\"\nssl.pemfile = {cert:?}\nssl.privkey = {key:?}\n\
             ssl.openssl.ssl-conf-cmd = ( \"MinProtocol\" => {lowest:?}, \"Options\" => \"-SessionTicket\" )\n\
             wstunnel.server = ( \"\" => ( ( \"host\" => \"127.0.0.1\", \"port\" => 7000 ) ) )\n",
        ));
        import.checked();
        assert_eq!(import.text.contains("tls_min_version = \"1.3\""), is_13, "{lowest}: {}", import.text);
        assert!(import.line("lighttpd.conf:5: ssl.openssl.ssl-conf-cmd").contains("translated"));
    }
}

/// The result does not depend on the machine where it is made; the report says what is missing there.
#[test]
fn files_that_are_not_here() {
    let import = text(
        "server.port = 8443\nssl.engine = \"enable\"\nssl.pemfile = \"/nonexistent/both.pem\"\n\
         server.document-root = \"/nonexistent/www\"\n",
    );
    assert_eq!(import.status, Some(0));
    assert!(import.line("lighttpd.conf:3: ssl.pemfile").contains("cannot be read here"));
    assert!(import.line("lighttpd.conf:4: server.document-root").contains("no folder that can be read here"));
    let tls = "tls = { cert = \"/nonexistent/both.pem\", key = \"/nonexistent/both.pem\" }";
    assert!(import.text.contains(tls), "{}", import.text);
    assert!(import.report.contains("tidegate check would say: tidegate.toml:"), "{}", import.report);
}

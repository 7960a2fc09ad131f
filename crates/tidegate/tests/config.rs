//! The configuration as an operator meets it: files and flags in, findings and a route table out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "config/advice.rs"]
mod advice;
#[path = "config/documents.rs"]
mod documents;
#[path = "config/served.rs"]
mod served;

use std::fs::{self, Permissions};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use rustix::fs::{CWD, Mode, mkfifoat};
use tidegate::config::{Checked, Location, Overrides, Severity, embedded, from_routes, parse, table};

#[test]
fn ten_mistakes_are_ten_lines_with_place_and_remedy() {
    let checked = parse(&read(&data("mistakes.toml")), Path::new("tidegate.toml"), &Overrides::default());
    assert!(checked.config.is_none());
    assert_eq!(checked.diagnostics.len(), 10);
    insta::assert_snapshot!(lines(&checked), @r#"
    tidegate.toml:1:11: error: workers is the string "many"; write a whole number from 0 to 1024, such as 4
    tidegate.toml:2:1: error: unknown key "max_conections"; did you mean max_connections?
    tidegate.toml:3:9: error: drain "2d" has an unknown unit; write "48h"
    tidegate.toml:6:11: error: listener "localhost:8080": address "localhost:8080" is no IP address with a port; write 127.0.0.1:8080 or [::1]:8080
    tidegate.toml:7:16: error: listener "localhost:8080": head_timeout 0 is out of bounds; write a duration from 10ms to 1h, such as "10s"
    tidegate.toml:11:8: error: route "vnc": path "vnc" does not begin with / or ~; write "/vnc", or ~ and a regular expression
    tidegate.toml:12:11: error: route "vnc": backend "vnc:5900" has no scheme; write tcp://vnc:5900
    tidegate.toml:15:8: error: name "vnc" stands twice, first in line 10; give each route a name of its own
    tidegate.toml:18:12: error: route "vnc": origins "https://example.com/" has a path; write https://example.com: an origin is scheme, host and port
    tidegate.toml:19:13: error: route "vnc": max_frame "64K" has an unknown unit; write "64KiB" (powers of 1024), or "64kB" (powers of 1000)
    "#);
}

#[test]
fn mistakes_in_flags_name_the_flag() {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let checked = from_routes(&Overrides {
        listen: texts(&["8080", "127.0.0.1:80", "127.0.0.1:80"]),
        routes: texts(&["/vnc", "/vnc=vnc:5900"]),
        tls_cert: Some(PathBuf::from("cert.pem")),
        tls_key: None,
        workers: Some(5000),
        admin: Some(":9090".to_owned()),
    });
    assert!(checked.config.is_none());
    insta::assert_snapshot!(lines(&checked), @r#"
    --tls-cert "cert.pem": error: stands without --tls-key; add --tls-key FILE
    --route "/vnc": error: has no = between path and backend; write PATH=BACKEND, such as /vnc=tcp://127.0.0.1:5900
    --admin ":9090": error: admin ":9090" is no IP address with a port; write 127.0.0.1:9090, or 0.0.0.0:9090 for all of IPv4
    --workers 5000: error: workers 5000 is out of bounds; write a whole number from 0 to 1024
    --listen "8080": error: listener "8080": address "8080" is no IP address with a port; write 127.0.0.1:8080, or 0.0.0.0:8080 for all of IPv4
    --route "/vnc=vnc:5900": error: route "/vnc": backend "vnc:5900" has no scheme; write tcp://vnc:5900
    --listen "127.0.0.1:80": error: listener "127.0.0.1:80" stands twice; keep one, or give the other a port of its own
    "#);
}

#[test]
fn broken_syntax_does_not_hide_other_mistakes() {
    insta::assert_snapshot!(
        found_in("workers = four\n[[route]]\npath = /vnc\nbackend = \"tcp://a\"\nname = 5\n[[route]\n"),
        @r#"
    tidegate.toml:1:11: error: a string without quotes: four; write "four"
    tidegate.toml:3:8: error: a string without quotes: /vnc; write "/vnc"
    tidegate.toml:4:11: error: route "/vnc": backend "tcp://a" has no port; write tcp://a:PORT
    tidegate.toml:5:8: error: route "/vnc": name is the integer 5; write a string of 1 to 64 printable characters
    tidegate.toml:6:9: error: unclosed array table; expected `]`
    "#
    );
}

#[test]
fn tables_of_the_wrong_shape_are_explained() {
    let echo = "path = \"/\"\nbackend = \"echo:\"\n";
    let texts = [
        String::new(),
        "route = []".to_owned(),
        "route = 5".to_owned(),
        "route = [5]".to_owned(),
        "[[route]]".to_owned(),
        format!("[[routes]]\n{echo}"),
        format!("[[Listeners]]\naddress = \"127.0.0.1:1\"\n[[route]]\n{echo}origins = []"),
        format!("[route]\n{echo}"),
        format!("listener = true\n[[route]]\n{echo}"),
        format!("[[listener]]\n[[route]]\n{echo}"),
        format!("[[route]]\n{echo}workers = 4\n"),
        format!("[[listener]]\naddress = \"127.0.0.1:1\"\ntls = \"on\"\ncert = \"a\"\n[[route]]\n{echo}"),
        format!(
            "[[listener]]\naddress = \"127.0.0.1:1\"\ntls = {{ cert = \"a\", chain = \"b\" }}\n[[route]]\n{echo}"
        ),
    ];
    let all: String = texts.iter().map(|text| format!("{}\n", found_in(text))).collect();
    insta::assert_snapshot!(all, @r#"
    tidegate.toml:1:1: error: no route is set; write [[route]] with path = "/vnc" and backend = "tcp://127.0.0.1:5900", or give --route

    tidegate.toml:1:9: error: route is an empty list; write [[route]] and its keys below it

    tidegate.toml:1:9: error: route is the integer 5; write [[route]] and its keys below it

    tidegate.toml:1:10: error: route lists the integer 5; write [[route]] and its keys below it

    tidegate.toml:1:1: error: route 1: path is missing; write path = "/" and what follows it, or path = "/*" for every path
    tidegate.toml:1:1: error: route 1: backend is missing; write backend = "tcp://HOST:PORT", or another of its kinds, or lookup

    tidegate.toml:1:3: error: unknown key "routes"; did you mean [[route]]?

    tidegate.toml:1:3: error: unknown key "Listeners"; did you mean [[listener]]?

    tidegate.toml:1:1: error: [route] stands in single brackets; write [[route]]: there may be several

    tidegate.toml:1:12: error: listener is the boolean true; write [[listener]] and its keys below it

    tidegate.toml:1:1: error: listener 1: address is missing; write address = "127.0.0.1:8080"

    tidegate.toml:4:1: error: route "/": unknown key "workers"; move it to the top of the file, above the first [[listener]] or [[route]]

    tidegate.toml:3:7: error: listener "127.0.0.1:1": tls is the string "on"; write { cert = "FILE", key = "FILE" }, a list of them, or "auto"
    tidegate.toml:4:8: error: listener "127.0.0.1:1": cert stands without tls = "auto"; write tls = { cert = "FILE", key = "FILE" }

    tidegate.toml:3:7: error: listener "127.0.0.1:1": tls: key is missing; write key = "FILE", a PEM file
    tidegate.toml:3:16: error: listener "127.0.0.1:1": tls: cert "a" cannot be read: No such file or directory (os error 2); name a PEM file that this user may read
    tidegate.toml:3:21: error: listener "127.0.0.1:1": tls: unknown key "chain"; allowed here: cert, key, key_password_file
    "#);
}

#[test]
fn what_tables_have_to_do_with_each_other_is_checked() {
    insta::assert_snapshot!(found_in(&read(&data("conflicts.toml"))), @r#"
    tidegate.toml:4:11: error: listener "127.0.0.1:80" has the address of admin; give one of them a port of its own
    tidegate.toml:10:11: error: listener "127.0.0.1:81" stands twice; keep one, or give the other a port of its own
    tidegate.toml:28:1: warning: route "never" can never be reached: route "all" stands before it (line 23) and takes all that it would; put it first, or remove it
    tidegate.toml:33:1: warning: route "/list" can never be reached: route "all" stands before it (line 23) and takes all that it would; put it first, or remove it
    tidegate.toml:36:11: error: route "/list": backend lists tcp://127.0.0.1:1 beside ws://127.0.0.1:2; list backends of one kind, all raw, all WebSocket or all HTTP
    tidegate.toml:37:22: error: route "/list": subprotocols "a" stands twice; write it once
    tidegate.toml:41:11: error: route "/none": backend is an empty list; name at least one
    tidegate.toml:42:24: error: route "/none": subprotocol_required is true, but none can be selected; write subprotocols = ["NAME"] beside it
    tidegate.toml:43:11: error: route "/none": origins is the string "https://example.com"; write a list: origins = ["https://example.com"]
    "#);
}

#[test]
fn what_the_admin_listener_asks_for_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    };
    let (open, short) = (file("open", "0123456789abcdef", 0o644), file("short", "0123456789abcde\n", 0o600));
    let texts = [
        "admin = '0.0.0.0:9090'".to_owned(),
        "admin = '[2001:db8::1]:9090'".to_owned(),
        "admin = 'unix:@tidegate'".to_owned(),
        "admin = 'localhost:9090'".to_owned(),
        "admin_token_file = '/no/such/file'\nadmin_names = ['a b']".to_owned(),
        format!("admin = '0.0.0.0:9090'\nadmin_token_file = '{short}'"),
        format!("admin = '0.0.0.0:9090'\nadmin_token_file = '{open}'"),
        "admin = '127.0.0.1:9090'\nadmin_client_ca = '/no/such/file'".to_owned(),
        "admin = 'unix:/run/admin.sock'".to_owned(),
    ];
    let found = |text: &String| {
        let route = "route = [{ path = '/', backend = 'echo:', origins = ['https://a.test'] }]";
        format!("{}\n", found_in(&format!("{text}\n{route}")))
    };
    let all: String = texts.iter().map(found).collect();
    let all = all.replace(&folder.path().display().to_string(), "FOLDER");
    insta::assert_snapshot!(all, @r#"
    tidegate.toml:1:9: error: admin "0.0.0.0:9090" can be reached by others, and asks for nothing; set admin_token_file = "FILE", or admin_tls and admin_client_ca; or write 127.0.0.1 or a unix:PATH

    tidegate.toml:1:9: error: admin "[2001:db8::1]:9090" can be reached by others, and asks for nothing; set admin_token_file = "FILE", or admin_tls and admin_client_ca; or write 127.0.0.1 or a unix:PATH

    tidegate.toml:1:9: error: admin "unix:@tidegate" can be reached by others, and asks for nothing; set admin_token_file = "FILE", or admin_tls and admin_client_ca; or write 127.0.0.1 or a unix:PATH

    tidegate.toml:1:9: error: admin "localhost:9090" is no IP address with a port; write 127.0.0.1:9090 or [::1]:9090

    tidegate.toml:1:20: error: admin_token_file "/no/such/file" cannot be read: No such file or directory (os error 2); name a file that this user may read
    tidegate.toml:1:20: error: admin_token_file stands without admin; set admin as well, or leave it out
    tidegate.toml:2:15: error: admin_names stands without admin; set admin as well, or leave it out
    tidegate.toml:2:16: error: admin_names "a b" has no valid host; write labels of letters, digits, - and _ with dots between them, as in www.example.com

    tidegate.toml:2:20: error: admin_token_file "FOLDER/short" holds no token; put one line of 16 to 1024 printable characters without blanks into it, such as `openssl rand -hex 32` writes

    tidegate.toml:2:20: warning: admin_token_file "FOLDER/open" can be read by every user of this machine; take their permission away: chmod o-r

    tidegate.toml:2:19: error: admin_client_ca "/no/such/file" cannot be read: No such file or directory (os error 2); name a PEM file that this user may read
    tidegate.toml:2:19: error: admin_client_ca stands without admin_tls; set admin_tls as well, or leave it out
    "#);
}

#[test]
fn where_a_route_records_is_checked() {
    insta::assert_snapshot!(found_in(&read(&data("recording.toml"))), @r#"
    tidegate.toml:5:10: error: route "no path": record: path is missing; write path = "FOLDER/%t-%n": %t becomes the time, %n the number of the connection, %% a percent sign
    tidegate.toml:11:19: error: route "no number": record: path "recording" has no %n; write path = "FOLDER/%t-%n": %t becomes the time, %n the number of the connection, %% a percent sign
    tidegate.toml:17:19: error: route "no folder": record: path "no/such/%n" is in a folder that does not exist (no/such); create the folder first
    tidegate.toml:23:19: error: route "no file": record: path "folder/" names no file; write path = "FOLDER/%t-%n": %t becomes the time, %n the number of the connection, %% a percent sign
    tidegate.toml:23:39: error: route "no file": record: format "mp4" is unknown; write "websockify" or "har"
    tidegate.toml:23:58: error: route "no file": record: max_bytes "1KiB" is out of bounds; write a size from 64KiB to 1TiB, such as "64MiB"
    tidegate.toml:29:10: warning: route "files": record has no effect on file:tests; leave it out: only WebSockets are recorded
    tidegate.toml:35:10: warning: route "numbers": record keeps everything that clients type and see, passwords too; tell those whom it concerns, and guard the folder
    tidegate.toml:35:10: warning: route "numbers": record: path has no %t: after a restart the numbers begin anew, and files that exist are never overwritten; write %t, the time, beside %n, the number of the connection
    "#);
}

#[test]
fn what_is_warned_about_is_accepted() {
    let folder = with_certificates();
    let file = folder.path().join("every-key.toml");
    let checked = parse(&read(&data("every-key.toml")), &file, &Overrides::default());
    assert!(checked.config.is_some(), "{}", lines(&checked));
    let folder = format!("{}/", folder.path().display());
    insta::assert_snapshot!(lines(&checked).replace(&folder, ""), @r#"
    every-key.toml:31:11: warning: a web site whose DNS name points at listener "127.0.0.1:8443" may connect to route "/http/*" (DNS rebinding); add server_names = ["localhost", "127.0.0.1"] to the listener, or origins to the route
    every-key.toml:51:15: warning: route "raw": backend_tls has verify = false: whoever is on the way to tls://[::1]:5901 can read and change everything; leave verify out: its authority is named beside it
    every-key.toml:73:10: warning: route "raw": record keeps everything that clients type and see, passwords too; tell those whom it concerns, and guard the folder
    every-key.toml:78:11: warning: route "~/app[0-9]+": origins ["*"] lets every site connect; list the sites that may, unless every one of them may
    "#);
}

#[test]
fn the_command_line_stands_on_top_of_the_file() {
    let text = "workers = 3\n[[listener]]\naddress = \"127.0.0.1:1\"\n[[route]]\npath = \"/a\"\nbackend = \"echo:\"\n";
    let overrides = Overrides {
        listen: vec!["127.0.0.1:2".to_owned()],
        routes: vec!["/b=tcp://127.0.0.1:5900".to_owned()],
        workers: Some(7),
        ..Overrides::default()
    };
    let config = parse(text, Path::new("tidegate.toml"), &overrides).config.unwrap();
    let routes: Vec<_> = config.routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!((config.workers, routes), (7, vec!["/b", "/a"]));
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(config.listeners[0].address.to_string(), "127.0.0.1:2");
}

#[test]
fn what_a_route_cannot_ask_for_that_hands_its_connections_over() {
    insta::assert_snapshot!(found_in(&read(&data("handoff.toml"))), @r#"
    tidegate.toml:8:11: warning: route "app": message has no effect on handoff:unix:/run/app.sock; leave it out: the process that takes the connection over decides
    tidegate.toml:9:10: warning: route "app": accept has no effect on handoff:unix:/run/app.sock; leave it out: the process that takes the connection over decides
    tidegate.toml:10:10: error: route "app": legacy stands beside handoff:unix:/run/app.sock; leave it out: only connections of RFC 6455 are handed over
    tidegate.toml:11:17: warning: route "app": ping_interval has no effect on handoff:unix:/run/app.sock; leave it out: the process that takes the connection over decides
    tidegate.toml:12:16: warning: route "app": ping_timeout has no effect on handoff:unix:/run/app.sock; leave it out: the process that takes the connection over decides
    tidegate.toml:13:16: warning: route "app": idle_timeout has no effect on handoff:unix:/run/app.sock; leave it out: the process that takes the connection over decides
    tidegate.toml:14:13: warning: route "app": max_frame has no effect on handoff:unix:/run/app.sock; leave it out: the process that takes the connection over decides
    tidegate.toml:15:15: warning: route "app": max_message has no effect on handoff:unix:/run/app.sock; leave it out: the process that takes the connection over decides
    tidegate.toml:16:17: warning: route "app": max_fragments has no effect on handoff:unix:/run/app.sock; leave it out: the process that takes the connection over decides
    tidegate.toml:17:15: error: route "app": compression stands beside handoff:unix:/run/app.sock; leave it out: only the process that speaks the frames can compress them
    tidegate.toml:18:15: warning: route "app": backend_tls has no effect on handoff:unix:/run/app.sock; leave it out: the process that takes the connection over decides
    tidegate.toml:19:10: warning: route "app": record keeps everything that clients type and see, passwords too; tell those whom it concerns, and guard the folder
    tidegate.toml:19:10: error: route "app": record stands beside handoff:unix:/run/app.sock; leave it out: what does not pass through the gateway is not recorded
    tidegate.toml:33:11: error: route "mixed": backend lists handoff:unix:/run/a.sock beside unix:/run/b.sock; list backends of one kind, all raw, all WebSocket or all HTTP
    tidegate.toml:38:11: error: route "old": backend "handoff:/run/a.sock" names no socket; write handoff:unix:/run/a.sock
    "#);
}

#[test]
fn a_certificate_on_the_command_line_is_for_its_own_listeners() {
    let folder = with_certificates();
    let overrides = |listen: Vec<String>| {
        let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
        Overrides { listen, tls_cert: Some(cert), tls_key: Some(key), ..Overrides::default() }
    };
    for listen in [vec![], vec!["127.0.0.1:1".to_owned()]] {
        let config = from_routes(&overrides(listen)).config.unwrap();
        assert!(table(&config).contains("wss, https"));
    }
    let text = "[[listener]]\naddress = \"127.0.0.1:1\"\n[[route]]\npath = \"/a\"\nbackend = \"echo:\"\n";
    let checked = parse(text, Path::new("tidegate.toml"), &overrides(vec![]));
    assert!(checked.config.is_none());
    assert!(lines(&checked).contains("belongs to no listener"));
}

/// A listener with this certificate and key, and these keys; one route with these keys.
fn with_tls(folder: &Path, cert: &str, key: &str, listener: &str, route: &str) -> Checked {
    let text = format!(
        "[[listener]]\naddress = \"127.0.0.1:1\"\n{listener}\ntls = {{ cert = \"{cert}\", key = \"{key}\" }}\n\
         [[route]]\npath = \"/\"\nbackend = \"echo:\"\n{route}\n"
    );
    parse(&text, &folder.join("tidegate.toml"), &Overrides::default())
}

#[test]
fn what_is_wrong_with_certificates_is_told_at_the_file_s_name() {
    let folder = with_certificates();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("empty.pem"), "").unwrap();
    let cert = fs::read_to_string(at("cert.pem")).unwrap();
    fs::write(at("half.pem"), &cert[..cert.len() / 2]).unwrap();
    let found = |cert: &str, key: &str| {
        let checked = with_tls(folder.path(), cert, key, "", "");
        assert!(checked.config.is_none());
        lines(&checked).replace(&format!("{}/", folder.path().display()), "")
    };
    let all = [
        found("empty.pem", "key.pem"),
        found("half.pem", "key.pem"),
        found("key.pem", "cert.pem"),
        found("cert.pem", "other-key.pem"),
        found("cert.pem", "none.pem"),
    ];
    insta::assert_snapshot!(all.concat(), @r#"
    tidegate.toml:4:16: error: listener "127.0.0.1:1": tls: cert "empty.pem" is empty; write it anew, and then under its name in one step (mv): it may be read at any time
    tidegate.toml:4:16: error: listener "127.0.0.1:1": tls: cert "half.pem" breaks off in the middle of a block; write it anew, and then under its name in one step (mv): it may be read at any time
    tidegate.toml:4:16: error: listener "127.0.0.1:1": tls: cert "key.pem" has no CERTIFICATE in it, only PRIVATE KEY; write the chain there, the server's own certificate first
    tidegate.toml:4:34: error: listener "127.0.0.1:1": tls: key "other-key.pem" is not the key of the first certificate in cert.pem; name the key that the certificate was issued for; of a chain, the server's own certificate comes first
    tidegate.toml:4:34: error: listener "127.0.0.1:1": tls: key "none.pem" cannot be read: No such file or directory (os error 2) (none.pem: names start at the folder of the configuration); name a PEM file that this user may read
    "#);
}

#[test]
fn a_certificate_that_clients_will_not_take_is_served_with_a_warning() {
    let folder = with_certificates();
    let found = |cert: &str, key: &str, listener: &str, route: &str| {
        let checked = with_tls(folder.path(), cert, key, listener, route);
        assert!(checked.config.is_some(), "{}", lines(&checked));
        lines(&checked).replace(&format!("{}/", folder.path().display()), "")
    };
    let mine = |listener: &str, route: &str| found("cert.pem", "key.pem", listener, route);
    for (listener, route) in [
        ("", ""),
        ("server_names = [\"example.com\"]", ""),
        ("server_names = [\"other.test\", \"www.example.com\"]", ""),
        ("", "host = \"*.example.com\""),
        ("server_names = [\"example.com\", \"other.test\"]", "host = \"other.test\""),
    ] {
        assert_eq!(mine(listener, route), "", "{listener} {route}");
    }
    assert_eq!(found("other-cert.pem", "other-key.pem", "server_names = [\"[::1]\"]", ""), "");
    let all = [
        mine("server_names = [\"a.test\", \"b.test\"]", ""),
        mine("", "host = \"*.test\""),
        found("other-cert.pem", "other-key.pem", "server_names = [\"a.test\"]", ""),
        found("expired-cert.pem", "expired-key.pem", "", ""),
        found("future-cert.pem", "future-key.pem", "", ""),
    ];
    insta::assert_snapshot!(all.concat(), @r#"
    tidegate.toml:4:16: warning: listener "127.0.0.1:1": cert "cert.pem" fits none of the names served here, a.test, b.test: it is for example.com, *.example.com; use a certificate for one of them, or correct server_names or host
    tidegate.toml:4:16: warning: listener "127.0.0.1:1": cert "cert.pem" fits none of the names served here, *.test: it is for example.com, *.example.com; use a certificate for one of them, or correct server_names or host
    tidegate.toml:4:16: warning: listener "127.0.0.1:1": cert "other-cert.pem" fits none of the names served here, a.test: it is for no DNS name; use a certificate for one of them, or correct server_names or host
    tidegate.toml:4:16: warning: listener "127.0.0.1:1": tls: cert "expired-cert.pem" has expired, at 2000-02-01 00:00 UTC; renew it: it is served, but clients refuse it
    tidegate.toml:4:16: warning: listener "127.0.0.1:1": tls: cert "future-cert.pem" is not valid before 4000-01-01 00:00 UTC; look at the clock of this machine, or use it from then on: until then clients refuse it
    "#);
}

/// Where a page's DNS name can be pointed at the gateway, it must not pass for one of the gateway's own.
#[test]
fn t078_listeners_that_take_any_name_are_warned_about() {
    let found = |listener: &str, route: &str| {
        found_in(&format!(
            "{listener}\n[[route]]\npath = \"/vnc\"\nbackend = \"tcp://127.0.0.1:1\"\n{route}\n"
        ))
    };
    let at = |address: &str| format!("[[listener]]\naddress = \"{address}\"");
    for (listener, route) in [
        (at("127.0.0.1:80") + "\nserver_names = [\"localhost\"]", ""),
        (at("127.0.0.1:80"), "host = \"localhost\""),
        (at("127.0.0.1:80"), "origins = [\"http://localhost\"]"),
        (at("192.0.2.1:80"), ""),
        (String::new(), "host = \"localhost\""),
    ] {
        assert_eq!(found(&listener, route), "", "{listener} {route}");
    }
    let all: Vec<_> = [at("127.0.0.1:80"), at("0.0.0.0:80"), at("[fd00::1]:80"), String::new()]
        .iter()
        .map(|listener| found(listener, ""))
        .collect();
    insta::assert_snapshot!(all.concat(), @r#"
    tidegate.toml:2:11: warning: a web site whose DNS name points at listener "127.0.0.1:80" may connect to route "/vnc" (DNS rebinding); add server_names = ["localhost", "127.0.0.1"] to the listener, or origins to the route
    tidegate.toml:2:11: warning: a web site whose DNS name points at listener "0.0.0.0:80" may connect to route "/vnc" (DNS rebinding); add this machine's names and addresses to the listener, as in server_names = ["gateway.example.com", "192.168.1.5"], or origins to the route
    tidegate.toml:2:11: warning: a web site whose DNS name points at listener "[fd00::1]:80" may connect to route "/vnc" (DNS rebinding); add server_names = ["[fd00::1]"] and this machine's names to the listener, or origins to the route
    tidegate.toml:2:1: warning: a web site whose DNS name points at listener "127.0.0.1:8080" may connect to route "/vnc" (DNS rebinding); add origins = ["http://localhost:8080", "http://127.0.0.1:8080"] to the route
    "#);
    let by_flags = |listen: &[&str]| {
        let routes = vec!["/vnc=tcp://127.0.0.1:1".to_owned()];
        let listen = listen.iter().map(|address| (*address).to_owned()).collect();
        lines(&from_routes(&Overrides { routes, listen, ..Overrides::default() }))
    };
    insta::assert_snapshot!([by_flags(&["0.0.0.0:80"]), by_flags(&[])].concat(), @r#"
    --listen "0.0.0.0:80": warning: a web site whose DNS name points at listener "0.0.0.0:80" may connect to route "/vnc" (DNS rebinding); serve a file in which the listener has server_names, or the route origins
    --route "/vnc=tcp://127.0.0.1:1": warning: a web site whose DNS name points at listener "127.0.0.1:8080" may connect to route "/vnc" (DNS rebinding); serve a file in which the route has origins = ["http://localhost:8080", "http://127.0.0.1:8080"]
    "#);
    // There is nothing but an echo to connect to.
    assert_eq!(lines(&from_routes(&Overrides::default())), "");
}

#[test]
fn a_listing_of_what_is_no_folder_is_warned_about() {
    insta::assert_snapshot!(
        found_in("[[route]]\npath = \"/\"\nbackend = \"echo:\"\norigins = []\nlisting = true\n"),
        @r#"tidegate.toml:5:11: warning: route "/": listing has no effect on echo:; leave it out, or write backend = "file:DIR""#
    );
}

/// As with flags that do not exist, so with values that no flag takes; a file is not the command line.
#[test]
fn the_exit_status_tells_wrong_usage_from_a_wrong_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidegate.toml");
    fs::write(&file, "workers = \"many\"\n").unwrap();
    let file = file.to_str().unwrap();
    for (arguments, status, said) in [
        (
            &["serve", "--route", "foo"][..],
            2,
            "--route \"foo\": error: has no = between path and backend; write",
        ),
        (
            &["serve", "--listen", "nonsense"],
            2,
            "--listen \"nonsense\": error: listener \"nonsense\": address",
        ),
        (&["serve", "--workers", "5000"], 2, "--workers 5000: error: workers 5000 is out of bounds"),
        (&["serve", "--no-such-flag"], 2, "--no-such-flag"),
        (&["check", "-c", file], 1, "error: workers is the string \"many\""),
        (&["serve", "-c", file], 1, "error: workers is the string \"many\""),
        (&["serve", "-c", file, "--listen", "nonsense"], 2, "error: workers is the string \"many\""),
        (&["serve", "-c", "/nonexistent/tidegate.toml"], 1, "cannot read /nonexistent/tidegate.toml"),
        (&["check", "/dev/zero"], 1, "cannot read /dev/zero: it has more than 1048576 bytes"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_tidegate")).args(arguments).output().unwrap();
        let diagnosis = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {diagnosis}");
        assert!(diagnosis.contains(said), "{arguments:?}: {diagnosis}");
    }
}

/// A configuration may come through a pipe, as a shell makes one; a FIFO into which nobody writes is given up.
#[test]
fn a_pipe_is_read_and_not_waited_for_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    let output = |script: &str| {
        let mut shell = Command::new("bash");
        let named = shell.args(["-c", script]).env("TIDEGATE", env!("CARGO_BIN_EXE_tidegate"));
        named.env("FIFO", &fifo).env("FILE", data("table.toml")).output().unwrap()
    };
    let (fifo, output) = (&fifo, &output);
    thread::scope(|scope| {
        for script in [
            "\"$TIDEGATE\" check <(sleep 0.1; cat \"$FILE\")",
            "(sleep 0.1; cat \"$FILE\") | \"$TIDEGATE\" check /dev/stdin",
            "\"$TIDEGATE\" check /dev/stdin < \"$FILE\"",
        ] {
            scope.spawn(move || {
                let output = output(script);
                assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
            });
        }
        for script in [
            "exec timeout 60 \"$TIDEGATE\" check \"$FIFO\"",
            "exec timeout 60 \"$TIDEGATE\" serve --config \"$FIFO\"",
        ] {
            scope.spawn(move || {
                let output = output(script);
                let diagnosis = String::from_utf8(output.stderr).unwrap();
                assert_eq!(output.status.code(), Some(1), "{script}: {diagnosis}");
                let said = format!("cannot read {}: it is no file but a pipe", fifo.display());
                assert!(
                    diagnosis.contains(&said) && diagnosis.contains("name a file"),
                    "{script}: {diagnosis}"
                );
            });
        }
    });
}

#[test]
fn the_route_table_is_aligned() {
    let config = parse(&read(&data("table.toml")), Path::new("tidegate.toml"), &Overrides::default()).config;
    insta::assert_snapshot!(table(&config.unwrap()), @r#"
    Listeners
      127.0.0.1:8080  ws, http
      [::1]:8081      ws, http

    Routes (the first match of the right kind wins)
      #  name           host           path         kind  backend                                              auth         origins                                                  limits
      1  vnc            *.example.com  /vnc         ws    tcp://127.0.0.1:5900, tcp://127.0.0.1:5901 (sticky)  client-cert  https://example.com, https://*.example.com:8443, 2 more  frame 1MiB, message 2MiB, 10 fragments, no ping, idle 90s
      2  ~/app[0-9]+    any            ~/app[0-9]+  ws    ws://[::1]:80/base                                   -            none                                                     frame 1MiB, message 1MiB, 1024 fragments, ping 20s
      3  ~/app[0-9]+#2  a.example.com  ~/app[0-9]+  ws    echo:                                                -            every site                                               frame 1MiB, message 1MiB, 1024 fragments, ping 20s+20s
    "#);
    insta::assert_snapshot!(table(&embedded()), @r#"
    Listeners
      127.0.0.1:8080  ws, http

    Routes (the first match of the right kind wins)
      #  name    host  path     kind  backend          auth  origins      limits
      1  echo    any   /echo    ws    echo:            -     same origin  frame 1MiB, message 1MiB, 1024 fragments, ping 20s+20s
      2  page    any   /        http  (built-in page)  -     -            -
      3  status  any   /status  http  (built-in page)  -     -            -
    "#);
}

/// Whatever is written: no panic, one line for each finding, a place within the file, and a configuration exactly if
/// there is no error.
#[test]
fn any_text_is_answered() {
    let seeds = [read(&data("every-key.toml")), read(&data("mistakes.toml")), read(&data("conflicts.toml"))];
    let folder = with_certificates();
    let file = folder.path().join("tidegate.toml");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..ROUNDS {
        let mut text: Vec<char> = seeds[round % seeds.len()].chars().collect();
        for _ in 0..=random.below(4) {
            mutate(&mut text, &mut random);
        }
        answered(&text.into_iter().collect::<String>(), &file);
    }
    for text in [
        "[".repeat(100_000),
        "a = ".to_owned() + &"[".repeat(100_000),
        "a.".repeat(50_000),
        "\u{0}".to_owned(),
    ] {
        answered(&text, &file);
    }
    answered(&" ".repeat(2 << 20), &file);
}

fn answered(text: &str, file: &Path) {
    let checked = parse(text, file, &Overrides::default());
    let errors = checked.diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    assert_eq!(checked.config.is_some(), errors == 0, "{text}");
    for found in &checked.diagnostics {
        assert!(!found.to_string().chars().any(char::is_control), "{found:?}");
        assert!(!found.message.is_empty() && !found.remedy.is_empty(), "{found:?}");
        let Location::File { line, column, .. } = found.location else { panic!("there is no flag: {found}") };
        let length = text.split('\n').nth(line - 1).map(|line| line.chars().count());
        assert!(length.is_some_and(|length| (1..=length + 1).contains(&column)), "{found} in {text}");
    }
    if let Some(config) = checked.config {
        assert!(!config.listeners.is_empty() && config.routes.iter().all(|route| !route.backends.is_empty()));
        assert!(!table(&config).is_empty());
    }
}

fn mutate(text: &mut Vec<char>, random: &mut Random) {
    const SPICE: [char; 20] = [
        '"', '\'', '[', ']', '{', '}', '=', '.', ',', '#', '\n', '\\', '*', '~', '(', ':', '/', '-', '0', 'ä',
    ];
    if text.is_empty() {
        return;
    }
    let at = random.below(text.len());
    let spice = SPICE[random.below(SPICE.len())];
    match random.below(5) {
        0 => text[at] = spice,
        1 => text.insert(at, spice),
        2 => drop(text.remove(at)),
        3 => drop(text.drain(at..(at + random.below(40)).min(text.len()))),
        _ => text.extend_from_within(at..(at + random.below(200)).min(text.len())),
    }
}

/// Xorshift: the same texts on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).expect("a remainder is below its divisor, which is a usize")
    }
}

fn found_in(text: &str) -> String {
    lines(&parse(text, Path::new("tidegate.toml"), &Overrides::default()))
}

fn lines(checked: &Checked) -> String {
    checked.diagnostics.iter().map(|found| format!("{found}\n")).collect()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).expect("the file is part of the repository")
}

/// A folder with the certificates that the tests name, each with its key.
fn with_certificates() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let write = |prefix: &str, names: &[&str], years: Range<i32>| {
        let key = rcgen::KeyPair::generate().expect("a key can be made");
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(names).expect("the names are legal");
        params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.end, 2, 1);
        let certificate = params.self_signed(&key).expect("a key signs its own certificate");
        for (name, text) in [("cert", certificate.pem()), ("key", key.serialize_pem())] {
            let file = folder.path().join(format!("{prefix}{name}.pem"));
            fs::write(file, text).expect("a temporary file can be written");
        }
    };
    fs::create_dir(folder.path().join("pages")).expect("a temporary folder can be made");
    let token = folder.path().join("token");
    fs::write(&token, "0123456789abcdef\n").expect("a temporary file can be written");
    fs::set_permissions(&token, Permissions::from_mode(0o600)).expect("its mode can be set");
    fs::write(folder.path().join("password"), "swordfish\n").expect("a temporary file can be written");
    write("", &["example.com", "*.example.com"], 2000..4000);
    write("other-", &["::1"], 2000..4000);
    write("expired-", &["example.com"], 1999..2000);
    write("future-", &["example.com"], 4000..4001);
    folder
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(name)
}

/// A second or so.
const ROUNDS: usize = 3000;

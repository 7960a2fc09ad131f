//! What the gateway would stumble over, or give away, when it serves: it is said before.

use std::fs;
use std::path::Path;

use tidegate::config::{Checked, Overrides, parse, table};

use super::{found_in, lines, with_certificates};

/// What is said about this text, which is a file in this folder.
fn found_among(folder: &Path, text: &str) -> String {
    let file = folder.join("tidegate.toml");
    fs::write(&file, text).unwrap();
    let found = lines(&parse(text, &file, &Overrides::default()));
    let folder = folder.display().to_string();
    found.replace(&format!("{folder}/"), "").replace(&folder, "FOLDER")
}

fn route(keys: &str) -> String {
    format!("[[route]]\npath = '/*'\norigins = ['https://a.test']\n{keys}\n")
}

const FOLDER: &str = "[[route]]\npath = '/*'\nbackend = 'file:.'\n";

#[test]
fn a_folder_with_secrets_in_it_is_not_served() {
    let folder = with_certificates();
    fs::write(
        folder.path().join("users"),
        "alice:$2y$05$.....................................................",
    )
    .unwrap();
    fs::create_dir(folder.path().join("www")).unwrap();
    let listener = "[[listener]]\naddress = '127.0.0.1:1'\ntls = { cert = 'cert.pem', key = 'key.pem' }\n";
    let top = "admin = '127.0.0.1:2'\nadmin_token_file = 'token'\naccess_log = 'file:access.log'\n";
    let guarded = format!("{top}{listener}{FOLDER}auth = {{ kind = 'basic', users = 'users' }}\n");
    insta::assert_snapshot!(
        [found_among(folder.path(), FOLDER), found_among(folder.path(), &guarded)].concat(),
        @r#"
    tidegate.toml:3:11: error: route "/*": backend file:FOLDER would serve "tidegate.toml" (this file); give what everybody may see a folder of its own, and name that
    tidegate.toml:9:11: error: route "/*": backend file:FOLDER would serve "tidegate.toml" (this file), "token" (admin_token_file), "access.log" (access_log), "key.pem" (listener "127.0.0.1:1": tls: key), "users" (route "/*": auth: users); give what everybody may see a folder of its own, and name that
    "#);
    for keys in [
        "backend = 'tcp://a:1'\nrecord = { path = 'www/%t-%n' }\n",
        "lookup = { kind = 'file', source = 'www/tokens' }\n",
    ] {
        fs::write(folder.path().join("www/tokens"), "").unwrap();
        let pages = "[[route]]\npath = '/pages/*'\nbackend = 'file:www'\n";
        let found = found_among(folder.path(), &format!("{pages}{}", route(keys)));
        assert!(found.contains("backend file:www would serve \""), "{found}");
    }
    let apart = guarded.replace("file:.", "file:www");
    assert_eq!(
        found_among(folder.path(), &apart),
        "",
        "a certificate is for everybody, and what is elsewhere for nobody"
    );
}

/// A link that leads out of a folder leads into the other one.
#[test]
fn a_folder_is_known_by_any_name() {
    let folder = with_certificates();
    std::os::unix::fs::symlink(".", folder.path().join("link")).unwrap();
    let found = found_among(folder.path(), &FOLDER.replace("file:.", "file:link"));
    assert!(found.contains("would serve \"tidegate.toml\" (this file)"), "{found}");
}

#[test]
fn files_are_read_as_the_gateway_reads_them() {
    let folder = with_certificates();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("junk", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
    write("empty", "");
    write("short", "MDEyMzQ1Njc4OWFiY2RlZg");
    write("words", "not base64!");
    let listener = "[[listener]]\naddress = '127.0.0.1:1'\ntls = { cert = 'cert.pem', key = 'key.pem' }\n";
    let jwt = |key: &str| route(&format!("backend = 'echo:'\nauth = {{ kind = 'jwt', key = '{key}' }}"));
    let texts = [
        route("backend = 'wss://a.test'\nbackend_tls = { ca = 'junk' }"),
        route("backend = 'wss://a.test'\nbackend_tls = { ca = 'key.pem' }"),
        format!("{listener}client_cert = 'required'\nclient_ca = 'junk'\n{}", route("backend = 'echo:'")),
        format!(
            "admin = '127.0.0.1:2'\nadmin_tls = {{ cert = 'cert.pem', key = 'key.pem' }}\nadmin_client_ca = 'empty'\n{}",
            route("backend = 'echo:'")
        ),
        jwt("empty"),
        jwt("words"),
        jwt("key.pem"),
        jwt("short"),
        route("lookup = { kind = 'jwt', source = 'words' }"),
        route("lookup = { kind = 'jwt', source = 'short' }"),
    ];
    let all: String = texts.iter().map(|text| found_among(folder.path(), text)).collect();
    insta::assert_snapshot!(all, @r#"
    tidegate.toml:5:22: error: route "/*": backend_tls: ca "junk" has a certificate in it that is none of an authority; name a PEM file with the certificates of authorities
    tidegate.toml:5:22: error: route "/*": backend_tls: ca "key.pem" has no CERTIFICATE in it, only PRIVATE KEY; name a PEM file with the certificates of authorities
    tidegate.toml:5:13: error: listener "127.0.0.1:1": client_ca "junk" has a certificate in it that is none of an authority; name a PEM file with the certificates of authorities
    tidegate.toml:3:19: error: admin_client_ca "empty" is empty; name a PEM file with the certificates of authorities
    tidegate.toml:5:30: error: route "/*": auth: key "empty" is empty; write a public key in PEM, or a shared key as base64url
    tidegate.toml:5:30: error: route "/*": auth: key "words" is neither PEM nor base64url; write a public key in PEM, or a shared key as base64url
    tidegate.toml:5:30: error: route "/*": auth: key "key.pem" holds a private key; write the public one there (openssl pkey -in FILE -pubout)
    tidegate.toml:5:30: error: route "/*": auth: key "short" has 16 bytes; a shared key needs 32 at least: openssl rand 32 | basenc --base64url -w0
    tidegate.toml:4:35: error: route "/*": lookup: source "words" is neither PEM nor base64url; write a public key in PEM, or a shared key as base64url
    tidegate.toml:4:35: warning: route "/*": lookup: source "short" has 16 bytes; a shared key needs 32 at least: openssl rand 32 | basenc --base64url -w0
    "#);
}

#[test]
fn a_socket_needs_a_place() {
    let folder = with_certificates();
    let at = |address: &str| {
        let listener = format!("[[listener]]\naddress = '{address}'\n");
        let of_admin = format!("admin = '{address}'\n");
        [listener, of_admin]
            .map(|text| found_among(folder.path(), &format!("{text}{}", route("backend = 'echo:'"))))
            .concat()
    };
    insta::assert_snapshot!(
        [at("unix:none/a.sock"), at("unix:cert.pem"), at("unix:/run/no/such/a.sock"), at("unix:a.sock")].concat(),
        @r#"
    tidegate.toml:2:11: error: listener "unix:none/a.sock": address "unix:none/a.sock" is in a folder that does not exist (none); create the folder first
    tidegate.toml:1:9: error: admin "unix:none/a.sock" is in a folder that does not exist (none); create the folder first
    tidegate.toml:2:11: error: listener "unix:cert.pem": address "unix:cert.pem" is there already, and is no socket; move it away, or name another path
    tidegate.toml:1:9: error: admin "unix:cert.pem" is there already, and is no socket; move it away, or name another path
    tidegate.toml:2:11: warning: listener "unix:/run/no/such/a.sock": address "unix:/run/no/such/a.sock" is in a folder that does not exist (/run/no/such); create the folder first, or have systemd do so (RuntimeDirectory=)
    tidegate.toml:1:9: warning: admin "unix:/run/no/such/a.sock" is in a folder that does not exist (/run/no/such); create the folder first, or have systemd do so (RuntimeDirectory=)
    "#);
}

#[test]
fn a_route_back_to_the_gateway_itself_is_found() {
    let found = |listens: &str, backend: &str| {
        let top = format!("admin = '127.0.0.1:9090'\n[[listener]]\naddress = '{listens}'\n");
        found_in(&format!("{top}{}", route(&format!("backend = '{backend}'"))))
    };
    insta::assert_snapshot!(
        [
            found("127.0.0.1:8080", "ws://127.0.0.1:8080"),
            found("0.0.0.0:8080", "http://localhost:8080"),
            found("[::]:8080", "tcp://[::1]:8080"),
            found("unix:/run/a.sock", "unix:/run/a.sock"),
            found("127.0.0.1:8080", "ws://127.0.0.1:8080/other"),
            found("127.0.0.1:8080", "http://127.0.0.1:9090"),
            found("127.0.0.1:8080", "tcp://0.0.0.0:9090"),
        ].concat(),
        @r#"
    tidegate.toml:7:11: error: route "/*": backend ws://127.0.0.1:8080 is this gateway's own listener, and every connection would come back to it; name the service that is meant
    tidegate.toml:7:11: error: route "/*": backend http://localhost:8080 is this gateway's own listener, and every connection would come back to it; name the service that is meant
    tidegate.toml:7:11: error: route "/*": backend tcp://[::1]:8080 is this gateway's own listener, and every connection would come back to it; name the service that is meant
    tidegate.toml:7:11: error: route "/*": backend unix:/run/a.sock is this gateway's own listener, and every connection would come back to it; name the service that is meant
    tidegate.toml:7:11: warning: route "/*": backend ws://127.0.0.1:8080/other is this gateway's own listener; name the backend of the route that is meant: this way each connection counts twice
    tidegate.toml:7:11: error: route "/*": backend http://127.0.0.1:9090 is this gateway's own admin listener: who may use the route could close every connection; leave the route out; the admin listener has its own TLS and token for who comes from afar
    tidegate.toml:7:11: error: route "/*": backend tcp://0.0.0.0:9090 is this gateway's own admin listener: who may use the route could close every connection; leave the route out; the admin listener has its own TLS and token for who comes from afar
    "#);
    for elsewhere in ["ws://127.0.0.1:8081", "ws://192.0.2.1:8080", "ws://a.test:8080", "unix:/run/b.sock"] {
        assert_eq!(found("127.0.0.1:8080", elsewhere), "", "{elsewhere}");
    }
}

#[test]
fn a_backend_that_is_not_verified_is_called_so() {
    let text = route("backend = 'wss://a.test'\nbackend_tls = { verify = false }");
    let checked: Checked = parse(&text, Path::new("tidegate.toml"), &Overrides::default());
    insta::assert_snapshot!(
        lines(&checked),
        @r#"tidegate.toml:5:15: warning: route "/*": backend_tls has verify = false: whoever is on the way to wss://a.test:443 can read and change everything; name its authority instead: backend_tls = { ca = "FILE" }"#
    );
    let shown = table(&checked.config.unwrap());
    assert!(shown.contains("wss://a.test:443 (unverified)"), "{shown}");
}

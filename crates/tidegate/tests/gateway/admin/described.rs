//! What the interface says about itself and about the configuration; and the commands that ask it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tidegate_testkit::{Authority, Frame, Gateway, Wire};

use super::{ADMIN, address, ask, get, listed, request};
use crate::rig::gateway;

/// The description and what is served are one: each path answers as it says, and nothing else is there.
#[test]
fn the_description_has_every_path_and_no_other() {
    let mut gateway = gateway().top(ADMIN).route("/echo", "echo:", "").start();
    let client = gateway.open("/echo");
    let document = get(&gateway, "/openapi.json");
    assert_eq!(document["openapi"], "3.1.0");
    let conn = listed(&gateway, 1)["connections"][0]["conn"].to_string();
    let mut seen = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let path = path.replace("{conn}", &conn);
        for method in ["get", "put", "post", "delete", "patch"] {
            let (head, body) = ask(&gateway, &request(&method.to_uppercase(), &path));
            let status = head.status();
            if path == "/upgrade" && status == 200 {
                let answer: Value = serde_json::from_str(&body).unwrap();
                gateway.follow(answer["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).unwrap());
            }
            match operations.get(method) {
                Some(operation) => {
                    assert!(
                        operation["responses"].get(status.to_string()).is_some(),
                        "{method} {path}: {status}"
                    );
                    assert!(operation["summary"].as_str().unwrap().ends_with('.'));
                    // What stands in front of all of them; without a token only these two are answered.
                    let is_open = ["/healthz", "/readyz"].contains(&path.as_str());
                    assert!(operation["responses"].get("421").is_some(), "{method} {path}");
                    assert_eq!(operation["responses"].get("401").is_none(), is_open, "{method} {path}");
                    assert_eq!(operation.get("security").is_some(), is_open, "{method} {path}");
                    seen += 1;
                }
                None => assert_eq!(status, 405, "{method} {path}"),
            }
        }
    }
    assert_eq!(seen, 13);
    // These are sentences for people: no name of the code stands in them.
    assert!(!document.to_string().contains("action"), "{document}");
    let (head, body) = ask(&gateway, &request("GET", "/nothing"));
    assert_eq!(head.status(), 404);
    assert_eq!(body.trim(), r#"{"error":"nothing is served here; /openapi.json says what is"}"#);
    let reference = include_str!("../../../../../docs/admin.md");
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(reference.contains(&format!("| `{}` |", path.replace("{conn}", "17"))), "{path}");
    }
    drop(client);
}

#[test]
fn t239_no_secret_is_in_the_configuration_that_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "secret-of-admin-listener").unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "c2VjcmV0LW9mLXRoZS10b2tlbnMtdGhhdC1hcmUtc2lnbmVk").unwrap();
    let hash = "$2y$05$secretsecretsecret...................................";
    let gateway = gateway()
        .top(ADMIN)
        .top(&format!("admin_token_file = {:?}", token.display().to_string()))
        .route("/basic", "echo:", &format!("auth = {{ kind = 'basic', users = ['alice:{hash}'] }}"))
        .route(
            "/signed",
            "echo:",
            &format!("auth = {{ kind = 'jwt', key = {:?} }}", key.display().to_string()),
        )
        .route("/asked", "echo:", "auth = { kind = 'forward', url = 'http://127.0.0.1:9/check?key=secret' }")
        .tables(
            "[[route]]\npath = '/json'\nlookup = { kind = 'json', source = 'http://127.0.0.1:9/secret/%s' }",
        )
        .tables("[[route]]\npath = '/redis'\nlookup = { kind = 'redis', source = '127.0.0.1:6379:0:secret' }")
        .start();
    let asked = request("GET", "/config").with("Authorization", "Bearer secret-of-admin-listener");
    let (head, body) = ask(&gateway, &asked);
    assert_eq!(head.status(), 200, "{body}");
    for secret in ["secret", "c2Vjc", "$2y$"] {
        assert!(!body.contains(secret), "{secret} in {body}");
    }
    let config: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(config["admin_token_file"], token.display().to_string());
    assert_eq!(config["route"][0]["auth"]["users"], serde_json::json!(["alice"]));
    assert_eq!(config["route"][1]["auth"]["key"], key.display().to_string());
    assert_eq!(config["route"][2]["auth"]["url"], "http://127.0.0.1/…");
    assert_eq!((&config["drain"], &config["route"][0]["ping_interval"]), (&"30s".into(), &"20s".into()));
}

fn tidegate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidegate")).args(arguments).output().unwrap()
}

#[track_caller]
fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A gateway that is being used.
fn used() -> (Gateway, Wire) {
    let gateway = gateway().top(ADMIN).route("/echo", "echo:", "name = 'the echo'").start();
    let mut client = gateway.open("/echo");
    client.send_frame(&Frame::binary([0; 2048]).masked());
    assert_eq!(client.read_message().1.len(), 2048);
    listed(&gateway, 1);
    (gateway, client)
}

#[test]
fn the_status_is_read_in_a_terminal() {
    let (gateway, client) = used();
    let admin = address(&gateway).to_string();
    let text = said(&tidegate(&["status", "--admin", &admin]));
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert!(
        text.starts_with(&format!("tidegate {}, up ", env!("CARGO_PKG_VERSION")))
            && text.contains(", ready\n"),
        "{text}"
    );
    assert!(text.contains(" connections open, 1 of them WebSockets\n"), "{text}");
    assert!(
        lines.contains(&vec![
            "the echo",
            "/echo",
            "1",
            "1",
            "1 / 2.0 KiB",
            "1 / 2.0 KiB",
            "0 B",
            "echo: (1)"
        ]),
        "{text}"
    );
    assert!(
        text.contains("Connections (1 of 1)") && text.contains(&client.local_address().to_string()),
        "{text}"
    );
    let json: Value =
        serde_json::from_str(&said(&tidegate(&["status", "--json", "--admin", &admin]))).unwrap();
    assert_eq!(
        (&json["status"]["websockets_open"], &json["routes"][0]["in"]["bytes"]),
        (&1.into(), &2048.into())
    );
    assert_eq!(json["connections"][0]["client"], client.local_address().to_string());
}

#[test]
fn connections_are_closed_from_a_terminal() {
    let (gateway, mut client) = used();
    let admin = address(&gateway).to_string();
    let conn = listed(&gateway, 1)["connections"][0]["conn"].to_string();
    let close = tidegate(&["close", &conn, "--admin", &admin, "--code", "4000", "--reason", "a & b=c"]);
    assert_eq!(said(&close), "1 WebSocket was told to close\n");
    assert_eq!(client.expect_close_frame(4000).payload[2..], *b"a & b=c");
    client.send_frame(&Frame::close(4000, "").masked());
    gateway.access_line_of(client.local_address());
    let mut others: Vec<Wire> = (0..3).map(|_| gateway.open("/echo")).collect();
    listed(&gateway, 3);
    let drain = tidegate(&["drain", "--admin", &admin, "--route", "the echo", "--client", "127.0.0.0/8"]);
    assert_eq!(said(&drain), "3 WebSockets were told to close\n");
    for client in &mut others {
        client.expect_close_frame(1001);
    }
    let refused = tidegate(&["close", "999999", "--admin", &admin]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("there is no WebSocket of this number"),
        "{refused:?}"
    );
    assert_eq!(tidegate(&["status"]).status.code(), Some(2), "where is not said");
}

/// With a token, over a Unix socket, found in the configuration.
#[test]
fn address_and_token_are_found_in_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("token"), "a-token-of-some-length\n").unwrap();
    std::fs::set_permissions(at("token"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = "admin = 'unix:admin.sock'\nadmin_token_file = 'token'\n[[listener]]\naddress = '127.0.0.1:0'\n[[route]]\npath = '/e'\nbackend = 'echo:'\n";
    std::fs::write(at("tidegate.toml"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["serve", "-c", &at("tidegate.toml")]);
    let gateway = Gateway::run(command);
    gateway.diagnosis("admin listener on unix:");
    assert!(said(&tidegate(&["status", "-c", &at("tidegate.toml")])).contains(", ready\n"));
    let unix = format!("unix:{}", at("admin.sock"));
    assert!(
        said(&tidegate(&["status", "--admin", &unix, "--admin-token-file", &at("token")]))
            .contains(", ready\n")
    );
    let without = tidegate(&["status", "--admin", &unix]);
    assert_eq!(without.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&without.stderr).contains("wants its token"), "{without:?}");
}

/// Over TLS, as an operator who is far away has to.
#[test]
fn an_admin_listener_that_speaks_tls_is_asked_over_https() {
    let authority = Authority::new();
    let (identity, operator) = (authority.issue("127.0.0.1"), authority.issue("operator"));
    let top = format!(
        "admin = '127.0.0.1:0'\nadmin_tls = {{ cert = {:?}, key = {:?} }}\nadmin_client_ca = {:?}",
        identity.cert(),
        identity.key(),
        authority.file()
    );
    let gateway = gateway().top(&top).route("/echo", "echo:", "").start();
    let admin = format!("https://{}", address(&gateway));
    let text = |path: &Path| path.display().to_string();
    let (ca, cert, key) = (text(&authority.file()), text(operator.cert()), text(operator.key()));
    let known = ["--client-cert", &cert, "--client-key", &key];
    let believing = [&["status", "--admin", &admin, "--ca", &ca], known.as_slice()].concat();
    assert!(said(&tidegate(&believing)).contains(", ready\n"));
    let reload = [&["reload", "--admin", &admin, "--ca", &ca], known.as_slice()].concat();
    assert!(said(&tidegate(&reload)).contains("reloaded: generation 2"));

    let other = Authority::new();
    let stranger = text(&other.file());
    for (arguments, problem) in [
        ([&["status", "--admin", &admin, "--ca", &stranger], known.as_slice()].concat(), "no TLS with"),
        ([believing.as_slice(), &["--server-name", "other.test"]].concat(), "no TLS with"),
        (vec!["status", "--admin", &admin, "--ca", &ca], "received fatal alert"),
        (vec!["status", "--admin", "127.0.0.1:1", "--ca", &ca], "are for https"),
        (vec!["status", "--admin", "https://nowhere"], "is no address"),
    ] {
        let refused = tidegate(&arguments);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(problem), "{arguments:?}: {refused:?}");
    }
}

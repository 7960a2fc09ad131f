//! `tidegate import websockify`: the configuration file that serves the same.

use std::process::{Command, Output};

use tidegate_testkit::{Authority, Backend, Gateway, Request};

use crate::rig::{ANY_PORT, Place, ask, open, talk, upgrade};

fn tidegate(place: &Place, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(words).current_dir(place.path());
    command
}

/// The file, the report and the status.
#[track_caller]
fn import(place: &Place, options: &[&str], line: &str) -> (String, String, i32) {
    let words = ["import", "websockify"].iter().chain(options).chain(&["--"]).copied();
    let words: Vec<_> = words.chain(line.split_whitespace()).collect();
    let Output { status, stdout, stderr } = tidegate(place, &words).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(stdout), text(stderr), status.code().unwrap())
}

#[test]
fn the_file_is_sound_and_serves_the_same() {
    let (place, backend) = (Place::new(), Backend::bind());
    place.write("tokens", format!("a: {}\n", backend.address()));
    std::fs::create_dir(place.path().join("www")).unwrap();
    place.write("www/vnc.html", "<p>vnc");
    let line = format!("{ANY_PORT} --web www --target-config tokens --heartbeat 30");
    let (file, report, status) = import(&place, &["--strict"], &line);
    assert_eq!(status, 0, "{report}");
    place.write("tidegate.toml", &file);
    let checked = tidegate(&place, &["check", "-c", "tidegate.toml"]).output().unwrap();
    assert!(checked.status.success(), "{file}");

    let gateway = Gateway::run(tidegate(&place, &["serve", "-c", "tidegate.toml"]));
    let (mut client, mut far) = open(gateway.connect(), &upgrade("/websockify?token=a"), &backend);
    talk(&mut client, &mut far);
    assert_eq!(ask(&gateway, &Request::get("/vnc.html")).1, "<p>vnc");
}

#[test]
fn a_common_name_stays_one() {
    let (place, backend, authority) = (Place::new(), Backend::bind(), Authority::new());
    let identity = authority.issue("127.0.0.1");
    let line = format!(
        "--ssl-only --cert {} --key {} --verify-client --cafile {} --auth-plugin ClientCertCNAuth \
         --auth-source alice {ANY_PORT} {}",
        identity.cert().display(),
        identity.key().display(),
        authority.file().display(),
        backend.address(),
    );
    let (file, report, status) = import(&place, &["--strict"], &line);
    assert_eq!(status, 0, "{report}");
    place.write("tidegate.toml", &file);
    let gateway = Gateway::run(tidegate(&place, &["serve", "-c", "tidegate.toml"]));
    let connect = |common: &str, alternative: &str| {
        let identity = authority.issue_to_all(&[common], alternative);
        gateway.connect().secured_as_client(&authority.client_as(&identity), "127.0.0.1")
    };
    let mut stranger = connect("mallory", "alice");
    stranger.send(upgrade("/").encode());
    assert_eq!(stranger.read_head().status(), 403, "{file}");
    drop(open(connect("alice", "mallory"), &upgrade("/"), &backend));
}

#[test]
fn what_has_no_place_in_a_file_is_said() {
    let place = Place::new();
    let line =
        "-v -D --run-once --timeout 9 --idle-timeout 9 --log-file l --syslog s --ssl-ciphers ALL 6080 -- vnc";
    let (_, report, status) = import(&place, &[], line);
    assert_eq!(status, 0, "{report}");
    for expected in [
        "websockify: --daemon: no equivalent: let a service manager start it",
        "websockify: --run-once: no equivalent: ",
        "websockify: --log-file: no equivalent: ",
        "websockify: -- COMMAND: no equivalent: start it by other means, so that it listens on 127.0.0.1:6081",
        "websockify: [ADDR:]PORT: translated",
        "websockify: --cert: translated, with a note: there is no self.pem here",
    ] {
        assert!(report.contains(expected), "no {expected:?} in {report}");
    }
    assert_eq!(import(&place, &["--strict"], line).2, 1);
}

#[test]
fn what_is_no_command_line_is_none_here() {
    let (_, report, status) = import(&Place::new(), &[], "6080");
    assert_eq!(status, 2);
    assert!(report.contains("too few arguments: the target is missing"), "{report}");
}

#[test]
fn what_belongs_to_tls_is_translated() {
    let (place, authority) = (Place::new(), Authority::new());
    let identity = authority.issue("127.0.0.1");
    std::fs::copy(identity.cert(), place.path().join("cert.pem")).unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:swordfish", "-in"]);
    openssl.arg(identity.key()).arg("-out").arg(place.path().join("key.pem"));
    assert!(openssl.status().expect("openssl is there").success());
    let password = place.path().join("key.pem.password");
    for only in ["", "--ssl-only"] {
        let line = format!(
            "--cert cert.pem --key key.pem --key-password swordfish --ssl-version tlsv1_3 {only} {ANY_PORT} localhost:1"
        );
        let (_, report, status) = import(&place, &["--strict"], &line);
        assert_eq!(status, 1, "its password has no file yet: {report}");
        assert!(report.contains("key.pem.password\" cannot be read"), "{report}");
        std::fs::write(&password, "swordfish\n").unwrap();
        let (file, report, status) = import(&place, &["--strict"], &line);
        assert_eq!(status, 0, "{report}");
        assert!(!format!("{file}{report}").contains("swordfish"), "{file}{report}");
        assert!(report.contains("--key-password: translated, with a note: write it into "), "{report}");
        assert!(report.contains("key.pem.password, which only the gateway may read"), "{report}");
        place.write("tidegate.toml", &file);
        let checked = tidegate(&place, &["check", "-c", "tidegate.toml"]).output().unwrap();
        assert!(checked.status.success(), "{file}{checked:?}");

        let gateway = Gateway::run(tidegate(&place, &["serve", "-c", "tidegate.toml"]));
        let old = authority.client_speaking(&[&rustls::version::TLS12]);
        assert!(gateway.connect().try_secured_as_client(&old, "127.0.0.1").is_err(), "{file}");
        drop(gateway.connect().secured_as_client(&authority.client(), "127.0.0.1"));
        std::fs::remove_file(&password).unwrap();
    }
}

//! `tidegate import websockify`: the configuration file that serves the same.

use std::process::{Command, Output};

use tidegate_testkit::{Backend, Gateway, Request};

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
    place.write("vnc.html", "<p>vnc");
    let line = format!("{ANY_PORT} --web . --target-config tokens --heartbeat 30");
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

//! A command behind `--`: it is told a port, its end is the gateway's, and the gateway's end is its own.

use std::fs;
use std::path::Path;

use tidegate_testkit::{Frame, Gateway, Request, eventually};

use crate::rig::{ANY_PORT, Place, is_running, upgrade};

/// A gateway in front of this command.
#[track_caller]
fn wrap(place: &Place, options: &str, command: &[&str]) -> Gateway {
    let words = options.split_whitespace().chain([ANY_PORT, "--"]).chain(command.iter().copied());
    Gateway::run(place.with_words(words))
}

/// That the wrapped command, an HTTP server, answers through a WebSocket. It ends with the gateway.
#[track_caller]
fn expect_server(mut gateway: Gateway) {
    let mut client = eventually("the command listens", || {
        let mut client = gateway.connect();
        client.send(upgrade("/").encode());
        let status = client.read_head().status();
        assert!([101, 502].contains(&status), "{status}");
        (status == 101).then_some(client)
    });
    client.send_frame(&Frame::binary(Request::get("/").encode()).masked());
    assert!(client.read_frame().payload.starts_with(b"HTTP/1.1 "));
    drop(client);
    gateway.terminate();
    assert_eq!(gateway.wait().code(), Some(0));
}

const SERVER: &str = env!("CARGO_BIN_EXE_tidegate");

#[test]
fn its_port_is_in_its_arguments() {
    let place = Place::new();
    let gateway = wrap(&place, "", &[SERVER, "serve", "--listen", "127.0.0.1:{port}"]);
    expect_server(gateway);
}

#[test]
fn its_port_is_in_its_environment() {
    let place = Place::new();
    for name in ["PORT", "TIDEGATE_PORT"] {
        let script = format!("exec {SERVER} serve --listen 127.0.0.1:${name}");
        expect_server(wrap(&place, "--wrap-mode=ignore", &["sh", "-c", &script]));
    }
}

#[test]
fn f59_its_end_is_ours_with_its_status() {
    let place = Place::new();
    for (script, status) in [("exit 7", 7), ("exit 0", 0), ("kill -9 $$", 137)] {
        let words = ["--wrap-mode", "exit", ANY_PORT, "--", "sh", "-c", script];
        assert_eq!(place.ended_of(words).0, status, "{script}");
    }
}

#[test]
fn its_end_is_ignored() {
    let place = Place::new();
    let mut gateway = wrap(&place, "--wrap-mode=ignore", &["sh", "-c", "exit 7"]);
    gateway.diagnosis("the command has ended");
    gateway.connect();
    gateway.assert_alive();
    gateway.terminate();
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn it_is_started_again_but_not_without_a_rest() {
    let place = Place::new();
    let gateway = wrap(&place, "--wrap-mode=respawn", &["sh", "-c", "echo started >> starts"]);
    gateway.diagnosis("it is started again after a rest");
    assert_eq!(fs::read_to_string(place.path().join("starts")).unwrap().lines().count(), 3);
}

/// The number that a process has written to this file.
#[track_caller]
fn pid_in(file: &Path) -> i32 {
    eventually("the command has written its number", || fs::read_to_string(file).ok()?.trim().parse().ok())
}

#[test]
fn f59_our_end_is_its_end() {
    let place = Place::new();
    let script = "echo $$ > pid; exec sleep 600";
    let mut gateway = wrap(&place, "", &["sh", "-c", script]);
    let pid = pid_in(&place.path().join("pid"));
    assert!(is_running(pid));
    gateway.terminate();
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(!is_running(pid), "the command has outlived the gateway");
}

#[test]
fn f59_a_command_that_does_not_listen_to_reason_is_killed() {
    let place = Place::new();
    let script = "trap '' TERM; echo $$ > pid; while :; do sleep 1; done";
    let mut gateway = wrap(&place, "", &["sh", "-c", script]);
    let pid = pid_in(&place.path().join("pid"));
    gateway.terminate();
    gateway.diagnosis("the command does not end, and is killed");
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(!is_running(pid));
}

#[test]
fn a_command_that_is_not_there() {
    let (status, said) = Place::new().ended(&format!("{ANY_PORT} -- /no/such/command"));
    assert_eq!(status, 1);
    assert!(said.contains("cannot start the command \"/no/such/command\""), "{said}");
}

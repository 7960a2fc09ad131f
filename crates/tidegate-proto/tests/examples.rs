//! The examples, run as their reader would run them.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

/// `cargo test` builds the examples beside the tests.
fn example(name: &str) -> Command {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(name);
    assert!(path.exists(), "{} is not built: run all tests of the package", path.display());
    Command::new(path)
}

/// A server that is ended with the test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(name: &str) -> Self {
        let mut child = example(name).arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Sends lines through the client to a server: what the client prints, and what it says at its end.
fn talk(server: &Server, lines: &str) -> (String, String) {
    let mut client = example("client_tokio")
        .args([&server.address, "/"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    client.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = client.wait_with_output().unwrap();
    let [said, end] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{end}");
    (said, end)
}

fn echoes(name: &str) {
    let server = Server::start(name);
    // One line is longer than any buffer of the two: it becomes many frames, each way.
    let lines = format!("first\nzweite, größer\n{}\nlast\n", "0123456789".repeat(20_000));
    let (said, end) = talk(&server, &lines);
    assert!(said == lines, "{} of {} bytes came back: {end}", said.len(), lines.len());
    assert_eq!(end, "closed: 1000\n");
}

#[test]
fn the_blocking_server_echoes_to_the_client() {
    echoes("echo_blocking");
}

#[test]
fn the_tokio_server_echoes_to_the_client() {
    echoes("echo_tokio");
}

#[test]
fn a_message_larger_than_memory_streams_through() {
    let output = example("large_message").arg("256").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.starts_with("268435456 bytes in one message, all as sent\n"), "{text}");
    if cfg!(target_os = "linux") {
        let peak_kib: u64 = text.lines().nth(1).unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(peak_kib < 16 << 10, "{peak_kib} KiB were in memory at once");
    }
}

//! Reloading: what changes for those who come, and that nothing does for those who are there.

mod certificates;
mod command;
mod listeners;
pub(crate) mod load;
mod pipes;
mod sessions;

use std::fs;
use std::net::TcpListener;

use tidegate_testkit::{Builder, Frame, Gateway, Request, Wire};

use crate::rig::gateway;

/// The status that an upgrade to this path gets.
#[track_caller]
fn status(gateway: &Gateway, path: &str) -> u16 {
    let mut client = gateway.connect();
    client.send(Request::upgrade(path).encode());
    client.read_head().status()
}

/// Has a message echoed.
#[track_caller]
fn echo(client: &mut Wire) {
    client.send_frame(&Frame::text("still there?").masked());
    assert_eq!(client.read_frame(), Frame::text("still there?"));
}

fn with_echo(path: &str) -> Builder {
    gateway().route(path, "echo:", "")
}

#[test]
fn f39_new_routes_serve_whoever_comes_and_old_ones_whoever_is_there() {
    let gateway = with_echo("/old").start();
    let mut there = gateway.open("/old");
    let said = gateway.reload(&with_echo("/new"));
    let counts =
        "reloaded: generation 2; routes: 1 added, 0 changed, 1 removed; listeners: 0 added, 0 removed";
    assert!(said.contains(counts), "{said}");
    assert_eq!(status(&gateway, "/old"), 404);
    echo(&mut gateway.open("/new"));
    echo(&mut there);
    drop(there);
    gateway.finish();
}

/// A connection that is kept alive belongs to no generation: each of its requests takes the one in force.
#[test]
fn f39_each_request_of_a_connection_sees_the_table_in_force() {
    let gateway = with_echo("/old").start();
    let mut kept = gateway.connect();
    kept.send(Request::get("/old").encode());
    assert_eq!(kept.read_response().0.status(), 426);
    gateway.reload(&with_echo("/new"));
    kept.send(Request::get("/old").encode());
    assert_eq!(kept.read_response().0.status(), 404);
    kept.send(Request::upgrade("/new").encode());
    assert_eq!(kept.read_head().status(), 101);
    echo(&mut kept);
    drop(kept);
    gateway.finish();
}

/// T080, F40, F42: a file that cannot be served as a whole is not served at all.
#[test]
fn f40_a_bad_file_changes_nothing_and_says_why() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let on_taken = format!("[[listener]]\naddress = '{}'", taken.local_addr().unwrap());
    let gateway = with_echo("/old").start();
    let mut there = gateway.open("/old");
    let good = with_echo("/new");
    for (bad, said) in [
        (good.clone().top("drain = 5\nworker = 1"), ":2:1: error: unknown key \"worker\""),
        (good.clone().route("~(", "echo:", ""), "error: route \"~(\": path \"~(\" is no regular expression"),
        (good.clone().route("/x", "echo:", "origins = ['~[']"), "origins"),
        (
            good.clone().listener("tls = { cert = 'missing.pem', key = 'k.pem' }"),
            "cannot be read: No such file",
        ),
        (good.clone().tables(&on_taken), "cannot listen on 127.0.0.1:"),
        (good.clone().top("access_log = 'file:/nonexistent/a.log'"), "access_log"),
        (good.clone().whole("= ="), ":1:3: error"),
    ] {
        let told = gateway.reload(&bad);
        assert!(told.contains(said) && told.contains("not reloaded"), "{said}: {told}");
        assert_eq!(status(&gateway, "/new"), 404, "{said}");
        assert_eq!(status(&gateway, "/old"), 101, "{said}");
    }
    echo(&mut there);
    let told = gateway.reload(&good);
    assert!(told.contains("reloaded: generation 2"), "{told}");
    drop(there);
    gateway.finish();
}

/// F47: whoever moves the log away and sends SIGHUP finds later lines in a new file.
#[test]
fn f47_the_access_log_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let [log, rotated] = ["access.log", "access.log.1"].map(|name| folder.path().join(name));
    let builder = with_echo("/echo").top(&format!("access_log = 'file:{}'", log.display()));
    let gateway = builder.start();
    let lines = |file: &std::path::Path| fs::read_to_string(file).unwrap_or_default().lines().count();
    let ask_and_wait_for = |file: &std::path::Path, count: usize| {
        let mut client = gateway.connect();
        client.send(Request::get("/nothing").encode());
        assert_eq!(client.read_response().0.status(), 404);
        tidegate_testkit::eventually("the line is written", || (lines(file) == count).then_some(()));
    };
    ask_and_wait_for(&log, 1);
    fs::rename(&log, &rotated).unwrap();
    ask_and_wait_for(&rotated, 2);
    gateway.reload(&builder);
    ask_and_wait_for(&log, 1);
    // The same where the file of the configuration is no good: the log is not at fault.
    fs::rename(&log, &rotated).unwrap();
    let told = gateway.reload(&builder.top("nonsense = 1"));
    assert!(told.contains("not reloaded"), "{told}");
    ask_and_wait_for(&log, 1);
    assert_eq!(lines(&rotated), 1);
    gateway.settle();
}

#[test]
fn limits_change_for_whoever_comes() {
    let limited = |lines: &str| with_echo("/echo").top(lines);
    let gateway = limited("max_connections_per_client = 1").start();
    let mut there = gateway.open("/echo");
    assert_eq!(status(&gateway, "/echo"), 503);
    gateway.reload(&limited("max_connections_per_client = 2"));
    echo(&mut gateway.open("/echo"));
    gateway.reload(&limited("max_connections = 1\nmax_handshakes = 1\nworkers = 7"));
    gateway.diagnosis("workers = 7: it stays at");
    // There is a place for one, and it is taken: whoever comes waits until there are more.
    let mut waiting = gateway.connect();
    waiting.send(Request::upgrade("/echo").encode());
    gateway.reload(&limited(""));
    assert_eq!(waiting.read_head().status(), 101);
    echo(&mut waiting);
    echo(&mut there);
    drop((waiting, there));
    gateway.finish();
}

/// F41: signals in a storm are one or a few reloads, and the last file is in force.
#[test]
fn f41_a_storm_of_signals() {
    let gateway = with_echo("/first").start();
    let mut there = gateway.open("/first");
    for _ in 0..500 {
        gateway.hang_up();
    }
    gateway.rewrite(&with_echo("/last"));
    for _ in 0..500 {
        gateway.hang_up();
    }
    tidegate_testkit::eventually("the last file is in force", || {
        (status(&gateway, "/last") == 101).then_some(())
    });
    echo(&mut there);
    drop(there);
    gateway.finish();
}

/// F41: whoever is told to stop stops, whatever it was about to do.
#[test]
fn f41_a_stop_during_a_reload() {
    let many = (0..500).fold(gateway(), |builder, n| builder.route(&format!("~/r{n}/[a-z]+"), "echo:", ""));
    let mut gateway = many.start();
    let mut there = gateway.open("/r0/a");
    gateway.hang_up();
    gateway.terminate();
    there.expect_close_then_answer(1001);
    assert_eq!(gateway.wait().code(), Some(0));
}

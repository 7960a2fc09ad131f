//! `--traffic`: a symbol for each thing that passes.

use std::path::Path;
use std::process::Command;
use std::thread;

use tidegate_testkit::{Backend, Frame, Gateway, eventually};

use crate::rig::{ANY_PORT, Place, open, talk, upgrade};

const LEGEND_END: &str = "part of it\n";

/// Starts it with its standard output in a file.
fn start(place: &Place, backend: &Backend) -> Gateway {
    let line = format!("exec ./websockify --traffic {ANY_PORT} {} > symbols", backend.address());
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).current_dir(place.path());
    Gateway::run(shell)
}

/// What is printed behind the legend, once it is as wanted.
#[track_caller]
fn printed(place: &Path, what: &str, is_wanted: impl Fn(&str) -> bool) {
    eventually(what, || {
        let text = std::fs::read_to_string(place.join("symbols")).unwrap();
        let symbols = text.rsplit_once(LEGEND_END)?.1;
        is_wanted(symbols).then_some(())
    });
}

#[test]
fn a_symbol_for_each_read_and_write() {
    let (place, backend) = (Place::new(), Backend::bind());
    let gateway = start(&place, &backend);
    let (mut client, mut far) = open(gateway.connect(), &upgrade("/"), &backend);
    talk(&mut client, &mut far);
    printed(place.path(), "there and back", |symbols| symbols == "}>{<");
    let frame = Frame::binary("in two parts").masked().encode();
    let (first, rest) = frame.split_at(frame.len() - 5);
    client.send(first);
    far.read_exact(7);
    client.send(rest);
    far.read_exact(5);
    printed(place.path(), "a message in parts", |symbols| symbols == "}>{<}.>}>");
    gateway.terminate();
    client.expect_close(1001);
}

#[test]
fn what_a_socket_does_not_take_is_a_part_and_nobody_waits_for_the_terminal() {
    let (place, backend) = (Place::new(), Backend::bind());
    let gateway = start(&place, &backend);
    let (mut client, mut far) = open(gateway.connect(), &upgrade("/"), &backend);
    let payload = vec![7; 24 << 20];
    let frame = Frame::binary(&payload).masked().encode();
    let mut sending = client.handle();
    let sender = thread::spawn(move || sending.send(frame));
    printed(place.path(), "a part to the target", |symbols| symbols.contains(".>"));
    assert!(far.read_exact(payload.len()) == payload, "not what was sent");
    sender.join().unwrap();
    printed(place.path(), "the rest", |symbols| symbols.ends_with('>') && !symbols.ends_with(".>"));

    let mut sending = far.handle();
    let sender = thread::spawn(move || sending.send(vec![9; 24 << 20]));
    printed(place.path(), "a part to the client", |symbols| symbols.contains("<."));
    assert!(client.read_payload(24 << 20).iter().all(|byte| *byte == 9), "not what was sent");
    sender.join().unwrap();
    printed(place.path(), "the rest", |symbols| symbols.ends_with('<'));
}

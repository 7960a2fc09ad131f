//! A pipe in the place of a file that is read while the gateway serves: nobody may ever write into it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use rustix::fs::{CWD, Mode, mkfifoat};
use tidegate_testkit::{Authority, Gateway};

use super::{echo, gateway, with_echo};
use crate::rig::binary;

/// Puts a FIFO in the place of this file, at once.
fn become_pipe(file: &Path) {
    let fifo = file.with_extension("fifo");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    fs::rename(fifo, file).unwrap();
}

const CONFIG: &str = "[[listener]]\naddress = '127.0.0.1:0'\n[[route]]\npath = '/'\nbackend = 'echo:'\n";

/// SIGHUP is obeyed or refused, and the next one is heard.
#[test]
fn a_configuration_that_has_become_a_pipe_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidegate.toml");
    fs::write(&file, CONFIG).unwrap();
    let mut command = Command::new(binary());
    command.args(["serve", "--config"]).arg(&file);
    let gateway = Gateway::run(command);
    let mut there = gateway.open("/");
    become_pipe(&file);
    gateway.hang_up();
    echo(&mut there);
    let said = gateway.diagnosis("not reloaded");
    assert!(said.contains(&format!("cannot read {}: it is no file but a pipe", file.display())), "{said}");
    assert!(said.contains("name a file"), "{said}");
    echo(&mut there);

    gateway.hang_up();
    // Whoever writes in time is heard.
    let writing = thread::spawn(move || fs::write(file, CONFIG).unwrap());
    gateway.diagnosis("reloaded: generation 2");
    writing.join().unwrap();
    echo(&mut there);
    drop(there);
    gateway.finish();
}

/// Nor does whoever looks after certificates wait for ever: they go on to be served, and the gateway can be stopped.
#[test]
fn a_certificate_that_has_become_a_pipe_is_given_up() {
    let authority = Authority::new();
    let identity = authority.issue("127.0.0.1");
    let from_anywhere = "origins = ['http://gw.test']";
    let mut gateway = gateway().secure(&authority, &identity).route("/", "echo:", from_anywhere).start();
    become_pipe(identity.cert());
    let said = gateway.diagnosis("the one before stays in use");
    assert!(said.contains(&format!("{}", identity.cert().display())), "{said}");
    assert!(said.contains("it is no file but a pipe"), "{said}");
    echo(&mut gateway.open("/"));
    gateway.terminate();
    assert!(gateway.wait().success());
}

/// It is refused at once where it is named: nothing has to be waited for.
#[test]
fn a_configuration_that_names_a_pipe_is_refused() {
    let authority = Authority::new();
    let identity = authority.issue("127.0.0.1");
    become_pipe(identity.key());
    let running = with_echo("/").start();
    let said = running.reload(&gateway().secure(&authority, &identity).route("/", "echo:", ""));
    assert!(said.contains("not reloaded"), "{said}");
    assert!(running.diagnosis("is not a file").contains("name a PEM file"), "what to do is said");
    echo(&mut running.open("/"));
    running.finish();
}

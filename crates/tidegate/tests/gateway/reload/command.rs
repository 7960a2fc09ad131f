//! `tidegate reload`.

use std::fs;
use std::process::{Command, Output, Stdio};

use super::{status, with_echo};

fn reload(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidegate")).arg("reload").args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn it_reloads_the_gateway_of_that_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidegate.pid");
    let gateway = with_echo("/first").start();
    let pid = gateway.pid().to_string();
    gateway.rewrite(&with_echo("/second"));
    let output = reload(&["--pid", &pid]);
    assert!(output.status.success(), "{}", said(&output));
    gateway.diagnosis("reloaded: generation 2");
    assert_eq!(status(&gateway, "/second"), 101);
    fs::write(&file, format!("{pid}\n")).unwrap();
    let output = reload(&["--pid-file", &file.display().to_string()]);
    assert!(output.status.success(), "{}", said(&output));
    gateway.diagnosis("reloaded: generation 3");
    gateway.finish();
}

/// The number may be that of another process by now, which the signal would end.
#[test]
fn a_process_that_would_be_ended_is_left_alone() {
    let mut innocent = Command::new("sleep").arg("60").spawn().unwrap();
    let output = reload(&["--pid", &innocent.id().to_string()]);
    let alive = innocent.try_wait().unwrap().is_none();
    innocent.kill().unwrap();
    innocent.wait().unwrap();
    assert!(alive && output.status.code() == Some(1), "{}", said(&output));
    assert!(said(&output).contains("and not a gateway"), "{}", said(&output));
}

/// A shell catches the signal as well, and so does this program when it does something else.
#[test]
fn neither_a_shell_nor_another_command_of_ours_is_told() {
    // A shell cannot catch what was ignored when it began, as under `nohup`.
    let mut shell = Command::new("env");
    shell.args(["--default-signal=HUP", "sh", "-c", "trap : HUP; read -r line"]);
    let mut connect = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    connect.args(["connect", "tcp://127.0.0.1:0", "ws://127.0.0.1:9/"]);
    for (mut command, words) in
        [(shell, "and not a gateway"), (connect, "with the command \"connect\", which does not serve")]
    {
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut other = command.spawn().unwrap();
        let file = format!("/proc/{}/status", other.id());
        let catches = |status: String| {
            let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")?.trim().to_owned().into());
            u64::from_str_radix(&mask?, 16).ok().filter(|mask| mask & 1 == 1)
        };
        tidegate_testkit::eventually("it catches SIGHUP", || catches(fs::read_to_string(&file).ok()?));
        let output = reload(&["--pid", &other.id().to_string()]);
        let alive = other.try_wait().unwrap().is_none();
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(alive && output.status.code() == Some(1), "{}", said(&output));
        assert!(said(&output).contains(words), "{}", said(&output));
    }
}

#[test]
fn what_names_no_process_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidegate.pid");
    fs::write(&file, "none").unwrap();
    let file = file.display().to_string();
    for (arguments, status, words) in [
        (&["--pid", "2147483647"][..], 1, "there is no process 2147483647"),
        (&["--pid", "0"], 2, "not in 1"),
        (&[], 2, "--pid"),
        (&["--pid-file", &file], 1, "and not the number of a process"),
        (&["--pid-file", "/nonexistent"], 1, "cannot read /nonexistent"),
    ] {
        let output = reload(arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(words), "{arguments:?}: {}", said(&output));
    }
}

//! The command line itself: help, manual pages, and what commands say when they fail.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

fn tidegate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(arguments).env_remove("TIDEGATE_LOG");
    command
}

fn run(arguments: &[&str]) -> Output {
    tidegate(arguments).output().unwrap()
}

#[track_caller]
fn stdout(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Every command with its help.
const COMMANDS: [&[&str]; 15] = [
    &[],
    &["serve"],
    &["reload"],
    &["upgrade"],
    &["check"],
    &["connect"],
    &["import"],
    &["import", "lighttpd"],
    &["import", "websockify"],
    &["status"],
    &["drain"],
    &["close"],
    &["replay"],
    &["completions"],
    &["man"],
];

/// What clap wraps is as wide as the terminal; what stands below it is written by hand.
#[test]
fn what_help_adds_fits_into_eighty_columns() {
    for command in COMMANDS {
        let help = stdout(&[command, &["--help"]].concat());
        let below = help.split_once("\nExamples:\n").map_or("", |(_, below)| below);
        for line in below.lines() {
            assert!(line.chars().count() <= 80, "{command:?}: {line}");
        }
    }
}

/// A command that is added needs a place in the list above.
#[test]
fn every_command_is_known_here() {
    let help = stdout(&["--help"]);
    let commands = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let listed: BTreeSet<_> = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let known: BTreeSet<_> = COMMANDS.iter().filter_map(|command| command.first().copied()).collect();
    assert_eq!(listed, known.into_iter().chain(["help", "websockify"]).collect());
}

#[test]
fn each_command_has_a_manual_page_with_its_flags() {
    let folder = tempfile::tempdir().unwrap();
    stdout(&["man", "--dir", folder.path().to_str().unwrap()]);
    for command in COMMANDS {
        let page = stdout(&[&["man"], command].concat());
        let name = [&["tidegate"], command].concat().join("-");
        let file = folder.path().join(format!("{name}.1"));
        assert_eq!(fs::read_to_string(file).unwrap(), page, "{name}");
        assert!(page.contains(".SH OPTIONS") && page.contains(".SH SYNOPSIS"), "{name}");
        let plain = page.replace("\\-", "-");
        let help = stdout(&[command, &["--help"]].concat());
        let flags = help
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .filter(|word| word.starts_with("--"));
        for flag in flags.filter(|flag| flag.len() > 2) {
            assert!(plain.contains(flag), "{name} says nothing of {flag}");
        }
        for referred in page.split_whitespace().filter_map(|word| word.strip_suffix("(1)")) {
            let referred = referred.trim_start_matches("\\fB").replace("\\-", "-");
            assert!(folder.path().join(format!("{referred}.1")).is_file(), "{name} refers to {referred}(1)");
        }
    }
    let connect = stdout(&["man", "connect"]);
    let synopsis = connect.split_once(".SH SYNOPSIS\n.nf\n").unwrap().1.lines().next().unwrap();
    assert_eq!(synopsis, "\\fBtidegate connect\\fR [OPTIONS] <LISTEN> [URL]");
    let serve = stdout(&["man", "serve"]);
    for section in ["EXAMPLES", "EXIT STATUS", "SIGNALS", "ENVIRONMENT", "FILES"] {
        let heading = [format!(".SH {section}\n.nf\n"), format!(".SH \"{section}\"\n.nf\n")];
        assert!(heading.iter().any(|heading| serve.contains(heading)), "{section}: {serve}");
    }
    let output = run(&["man", "serv"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("error: tidegate has no command \"serv\"; there are: serve, "));
}

/// Each key with its meaning, as the reference has it; the reference is held against the list of keys elsewhere.
#[test]
fn the_configuration_has_a_manual_page() {
    let root = tempfile::tempdir().unwrap();
    let commands = root.path().join("man/man1");
    fs::create_dir_all(&commands).unwrap();
    stdout(&["man", "--dir", commands.to_str().unwrap()]);
    let page = fs::read_to_string(root.path().join("man/man5/tidegate.toml.5")).unwrap();
    assert_eq!(page, stdout(&["man", "tidegate.toml"]));
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let reference = fs::read_to_string(reference).unwrap();
    let rows = reference.lines().filter(|line| line.starts_with("| `") && line.matches(" | ").count() == 3);
    let mut keys = 0;
    for name in rows.map(|row| row[3..].split('`').next().unwrap()) {
        assert!(page.contains(&format!(".TP\n\\fB{name}\\fR\n")), "nothing of {name}");
        keys += 1;
    }
    assert!(keys > 80, "{keys} rows");
    assert!(
        page.contains(".SH \"KEYS OF [[ROUTE]] AUTH\"") && !page.contains("](") && !page.contains('`'),
        "{page}"
    );
    let flat = tempfile::tempdir().unwrap();
    stdout(&["man", "--dir", flat.path().to_str().unwrap()]);
    assert_eq!(fs::read_to_string(flat.path().join("tidegate.toml.5")).unwrap(), page);
}

/// As `man` shows them, where it is installed.
#[test]
fn manual_pages_are_set_without_a_warning() {
    if Command::new("groff").arg("--version").output().is_err() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    stdout(&["man", "--dir", folder.path().to_str().unwrap()]);
    let mut pages = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let page = entry.unwrap().path();
        let output = Command::new("groff")
            .args(["-man", "-Kutf8", "-Tutf8", "-ww", "-z"])
            .arg(&page)
            .output()
            .unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{}: {output:?}", page.display());
        pages += 1;
    }
    assert_eq!(pages, COMMANDS.len() + 2, "websockify has one, and the configuration");
}

/// Sourced by the shells that are here; bash is everywhere.
#[test]
fn completions_are_for_what_people_write() {
    let folder = tempfile::tempdir().unwrap();
    let mut sourced = Vec::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&["completions", shell]);
        assert!(script.contains("tls-cert") && script.contains("pid-file"), "{shell}");
        assert!(!script.contains("take-over"), "{shell} offers what is between two gateways");
        let file = folder.path().join(shell);
        fs::write(&file, script).unwrap();
        let setup = if shell == "zsh" { "autoload -U compinit && compinit -u -d /dev/null && " } else { "" };
        let line = format!("{setup}source '{}'", file.display());
        match Command::new(shell).args(["-c", &line]).output() {
            Ok(output) if ["bash", "zsh", "fish"].contains(&shell) => {
                assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
                sourced.push(shell);
            }
            Ok(_) | Err(_) => {}
        }
    }
    assert!(sourced.contains(&"bash"), "{sourced:?}");
    let words = "COMP_WORDS=(tidegate serve --); COMP_CWORD=2; _tidegate tidegate -- serve";
    let line =
        format!("source '{}'; {words}; echo \"${{COMPREPLY[*]}}\"", folder.path().join("bash").display());
    let output = Command::new("bash").args(["-c", &line]).output().unwrap();
    let offered = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        offered.split_whitespace().filter(|flag| flag.starts_with("--")).collect::<Vec<_>>(),
        ["--config", "--listen", "--route", "--tls-cert", "--tls-key", "--workers", "--admin", "--help"]
    );
}

#[test]
fn a_flag_that_is_a_key_is_sent_to_the_file() {
    for (arguments, said) in [
        (["serve", "--origin"], "write origins in a file (a [[route]]) and name that with -c FILE"),
        (["serve", "--server-name=a"], "write server_names in a file (a [[listener]]) and name that"),
        (["serve", "--drain"], "write drain in a file (the top of the file, above"),
        (["serve", "--port"], "give --listen ADDR"),
        (["serve", "--backend"], "give --route 'PATH=BACKEND'"),
        (["serve", "--ssl-cert"], "give --tls-cert FILE --tls-key FILE"),
        (["serve", "--adminn"], "a similar argument exists: '--admin'"),
        (["check", "--max-frame"], "write max_frame in a file (a [[route]])"),
    ] {
        let output = run(&arguments);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(said), "{arguments:?}: {told}");
    }
    for arguments in [["serve", "--frobnicate"], ["status", "--origin"]] {
        assert!(!stderr(&run(&arguments)).contains("in a file"), "{arguments:?}");
    }
}

/// One line without a time: it is read by whoever has just typed the command.
#[test]
fn commands_that_end_say_plainly_what_is_wrong() {
    for arguments in [
        &["status", "--admin", "127.0.0.1:1"][..],
        &["drain", "--admin", "unix:/nonexistent"],
        &["reload", "--pid", "2147483647"],
        &["check", "/nonexistent.toml"],
        &["import", "lighttpd", "/nonexistent.conf"],
        &["man", "--dir", "/nonexistent"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = stderr(&output);
        assert!(said.starts_with("error: ") && said.lines().count() == 1, "{arguments:?}: {said}");
    }
    let output = run(&["status"]);
    let said = stderr(&output);
    assert!(
        output.status.code() == Some(2) && said.contains("--admin") && said.contains("--config"),
        "{said}"
    );
}

/// A slip costs no question to the gateway: nobody listens where these would ask.
#[test]
fn what_the_gateway_would_refuse_is_said_before_it_is_asked() {
    let long = "a".repeat(124);
    for (flags, said) in [
        (
            ["--window", "soon"],
            "invalid value 'soon' for '--window <TIME>': is no duration; write a whole number",
        ),
        (["--window", "25h"], "'--window <TIME>': write at most 24h"),
        (["--idle", "5"], "'--idle <TIME>': has no unit; write \"5s\" for seconds"),
        (
            ["--code", "1006"],
            "'--code <CODE>': write 1000, 1001, 1008, 1011, 1012, 1013 or a number from 3000",
        ),
        (["--code", "5000"], "'--code <CODE>': write 1000"),
        (["--reason", &long], "'--reason <TEXT>': it has 124 bytes; write at most 123"),
        (["--reason", "a\nb"], "'--reason <TEXT>': write nothing unprintable"),
    ] {
        let output = run(&[&["drain", "--admin", "127.0.0.1:1"], &flags[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        assert!(stderr(&output).contains(said), "{flags:?}: {}", stderr(&output));
    }
    let most = "ä".repeat(61);
    for code in ["1000", "1013", "4999"] {
        let flags = ["--window", "24h", "--idle", "0", "--code", code, "--reason", &most];
        let output = run(&[&["drain", "--admin", "127.0.0.1:1"], &flags[..]].concat());
        assert!(output.status.code() == Some(1) && stderr(&output).contains("cannot reach"), "{output:?}");
    }
}

/// What `tidegate status` says about a server that answers so.
fn status_of(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        assert!(socket.read(&mut request).unwrap() > 0);
        socket.write_all(answer.as_bytes()).unwrap();
    });
    let output = run(&["status", "--admin", &format!("localhost:{port}")]);
    server.join().unwrap();
    assert_eq!(output.status.code(), Some(1));
    stderr(&output)
}

#[test]
fn what_answers_in_the_place_of_a_gateway_is_told() {
    assert_eq!(
        status_of("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"),
        "error: what answers there (200 OK) is no admin listener of tidegate\n"
    );
    assert_eq!(
        status_of("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
        "error: what answers there is no admin listener of tidegate\n"
    );
    assert_eq!(
        status_of(
            "HTTP/1.1 404 Not Found\r\nContent-Length: 36\r\n\r\n{\"error\":\"\\u001b[31ma\\u202eb\\u0007\"}"
        ),
        "error: 404 Not Found: [31mab\n",
        "nothing that a terminal obeys"
    );
    let said = status_of("SSH-2.0-OpenSSH_9.6\r\n");
    assert!(
        said.starts_with("error: what listens at localhost:") && said.contains("gives no answer in HTTP"),
        "{said}"
    );
    assert_eq!(
        status_of("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}"),
        "error: the admin listener wants its token: give --admin-token-file FILE, or -c with its configuration\n"
    );
}

/// Whoever asks a gateway that runs need be able neither to read its keys nor to start one with this file.
#[test]
fn only_what_it_takes_to_ask_has_to_be_right_in_the_file() {
    let gateway = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = format!("admin = '{}'\n", gateway.local_addr().unwrap());
    let answers = thread::spawn(move || {
        let (mut socket, _) = gateway.accept().unwrap();
        let mut request = [0; 4096];
        let len = socket.read(&mut request).unwrap();
        socket.write_all(b"HTTP/1.1 422 No\r\nContent-Length: 17\r\n\r\n{\"error\":\"as it\"}").unwrap();
        String::from_utf8_lossy(&request[..len]).into_owned()
    });
    let others =
        "admin_token_file = 'token'\nworkers = 'many'\n[[listener]]\ntls = { cert = '/no', key = '/no' }\n";
    let folder = with_file(&format!("{admin}{others}[[route]]\npath = yes\n"));
    fs::write(folder.path().join("token"), "0123456789abcdef\n").unwrap();
    let ask = || tidegate(&["reload", "-c", "tidegate.toml"]).current_dir(&folder).output().unwrap();
    assert!(stderr(&ask()).contains("422"));
    assert!(answers.join().unwrap().contains("Bearer 0123456789abcdef"));
    fs::remove_file(folder.path().join("token")).unwrap();
    let said = stderr(&ask());
    assert!(said.contains("tidegate.toml:2:20: error: admin_token_file \"token\" cannot be read"), "{said}");
}

/// The log may be off: why nothing is served is no part of it.
#[test]
fn why_it_does_not_start_is_said_in_any_case() {
    for arguments in [
        &["serve", "/nonexistent.toml"][..],
        &["serve", "--listen", "192.0.2.1:8080"],
        &["serve", "tcp://127.0.0.1:5900"],
    ] {
        let output = tidegate(arguments).env("TIDEGATE_LOG", "off").output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = stderr(&output);
        assert!(said.starts_with("error: ") && said.lines().count() == 1, "{arguments:?}: {said}");
    }
}

#[test]
fn an_address_of_another_machine_is_called_one() {
    let output = run(&["serve", "--listen", "192.0.2.1:8080"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("192.0.2.1:8080 (no interface of this machine has this address)"), "{said}");
}

#[test]
fn a_log_level_that_does_not_exist_is_told() {
    for arguments in
        [&["serve", "--listen", "127.0.0.1:0"][..], &["websockify", "127.0.0.1:0", "127.0.0.1:1"]]
    {
        let output = tidegate(arguments).env("TIDEGATE_LOG", "bogus").output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("TIDEGATE_LOG is \"bogus\"; write error, warn, info, debug, trace or off"),
            "{said}"
        );
    }
    assert!(stdout(&["serve", "--help"]).contains("TIDEGATE_LOG"));
}

fn with_file(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tidegate.toml"), text).unwrap();
    folder
}

fn check_in(folder: &Path, arguments: &[&str]) -> Output {
    tidegate(&[&["check"], arguments].concat()).current_dir(folder).output().unwrap()
}

const GOOD: &str = "[[route]]\npath = '/mine'\nbackend = 'echo:'\norigins = []\n";

#[test]
fn a_file_is_checked_if_it_is_named_and_mentioned_if_it_is_not() {
    let folder = with_file(GOOD);
    for arguments in [&["tidegate.toml"][..], &["-c", "tidegate.toml"], &["--config", "tidegate.toml"]] {
        let output = check_in(folder.path(), arguments);
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && shown.contains("/mine"), "{arguments:?}: {shown}");
        assert_eq!(stderr(&output), "", "{arguments:?}");
    }
    let output = check_in(folder.path(), &[]);
    assert!(output.status.success() && !String::from_utf8_lossy(&output.stdout).contains("/mine"));
    assert_eq!(
        stderr(&output),
        "warning: there is a tidegate.toml here, which is not read; name it: -c tidegate.toml\n"
    );
    assert_eq!(check_in(folder.path(), &["-c", "tidegate.toml", "tidegate.toml"]).status.code(), Some(2));
}

#[test]
fn warnings_fail_a_check_that_denies_them() {
    let folder = with_file(&GOOD.replace("[]", "['*']"));
    let file = ["tidegate.toml", "--deny-warnings"];
    assert_eq!(check_in(folder.path(), &file[..1]).status.code(), Some(0));
    let output = check_in(folder.path(), &file);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).ends_with("error: 1 warning, and --deny-warnings\n"), "{}", stderr(&output));
    let clean = with_file(GOOD);
    assert_eq!(check_in(clean.path(), &file).status.code(), Some(0));
}

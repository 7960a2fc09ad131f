//! A new process that misbehaves. It is this very test program, started by a script that the gateway takes for its new
//! binary: [`peer`] is no test of its own, and does nothing where nobody has set [`PART`].

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

/// Which part it plays.
const PART: &str = "TIDEGATE_FAKE_SUCCESSOR";

/// The longest that one lives which nobody ends.
const LIFE: Duration = Duration::from_secs(60);

/// A script in this folder that plays the part.
pub(super) fn binary(folder: &Path, part: &str) -> PathBuf {
    let file = folder.join(format!("fake-{}", part.replace(' ', "-")));
    let program = std::env::current_exe().unwrap();
    let test = "handover::fake::peer";
    let script = format!(
        "#!/bin/sh\n{PART}='{part}' exec '{}' --exact {test} --nocapture >/dev/null 2>&1\n",
        program.display()
    );
    fs::write(&file, script).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file
}

/// The line to the other process.
pub(super) struct Line(pub(super) UnixStream);

impl Line {
    pub(super) fn say(&mut self, message: &Value) {
        let bytes = message.to_string();
        let mut frame = b"TG\0\0".to_vec();
        frame.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
        frame.extend(bytes.as_bytes());
        self.0.write_all(&frame).ok(); // nobody may want to hear it
    }

    /// The next frame: whether it is a session, and what is in it. Descriptors are lost in here.
    pub(super) fn hear(&mut self) -> Option<(bool, Value)> {
        let mut header = [0; 8];
        self.0.read_exact(&mut header).ok()?;
        let length = u32::from_be_bytes(header[4..].try_into().unwrap()) as usize;
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).ok()?;
        Some((header[2] == 1, serde_json::from_slice(&bytes).unwrap()))
    }

    /// Says nothing more, until the other side hangs up.
    fn fall_silent(&mut self) {
        while self.hear().is_some() {}
    }
}

#[test]
fn peer() {
    let Ok(part) = std::env::var(PART) else { return };
    let input = rustix::stdio::stdin().try_clone_to_owned().unwrap();
    let mut line = Line(UnixStream::from(input));
    play(&part, &mut line);
    std::process::exit(7); // and not as a test that has passed
}

/// Plays a part: each act goes on with the next one, unless the part ends in it.
fn play(part: &str, line: &mut Line) {
    if greets(part, line) && is_willing(part, line) {
        takes_over(part, line);
    }
}

/// The first act: it says hello.
fn greets(part: &str, line: &mut Line) -> bool {
    match part {
        "dies at once" => return false,
        "is silent at once" => line.fall_silent(),
        "talks nonsense" => {
            line.0.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            line.fall_silent();
        }
        "reads other formats" => {
            line.say(&json!({ "hello": { "format_min": 99, "version": "99.0.0" } }));
            line.fall_silent();
        }
        // As builds say it that know no more than plain sockets.
        "knows no TLS" => {
            line.say(&json!({ "hello": { "format_min": 1, "version": "0.0.0" } }));
            return true;
        }
        _ => {
            line.say(&json!({ "hello": { "format_min": 1, "knows": ["tls-1.3"], "version": "0.0.0" } }));
            return true;
        }
    }
    false
}

/// The second act: it looks at the configuration.
fn is_willing(part: &str, line: &mut Line) -> bool {
    match part {
        "dies after hello" => return false,
        "is silent after hello" => line.fall_silent(),
        "refuses" => {
            line.say(&json!({ "refused": { "why": "it does not like this machine" } }));
            line.fall_silent();
        }
        "speaks of what it cannot know" => {
            line.say(&json!({ "ready": { "listeners": [] } }));
            line.say(&json!({ "taken": { "conn": 4711 } }));
            line.fall_silent();
        }
        _ => return true,
    }
    false
}

/// The third act: listeners and sessions come.
fn takes_over(part: &str, line: &mut Line) {
    while let Some((is_session, said)) = line.hear() {
        if said == "prepare" {
            line.say(&json!({ "ready": { "listeners": [] } }));
        } else if is_session {
            // Whoever does not know of keys must not overlook them. The test sees that this ends too early.
            let has_keys = !said["relay"]["client"]["leg"]["tls"].is_null();
            assert_eq!(has_keys, said["needs"] == json!(["tls-1.3"]), "what it needs");
            match part {
                "dies with a session" | "knows no TLS" => return,
                "is silent with a session" => return line.fall_silent(),
                _ => line.say(&json!({ "declined": { "conn": said["about"]["conn"], "why": "no" } })),
            }
        } else if said.get("serve").is_some() {
            match part {
                "dies when it is to serve" => return,
                "is silent when it is to serve" => return line.fall_silent(),
                _ => line.say(&json!("serving")),
            }
        } else if said == "done" {
            match part {
                "serves on" => {
                    line.say(&json!({ "taken": { "conn": 4711 } }));
                    line.fall_silent();
                    return std::thread::sleep(LIFE);
                }
                "dies when it is done" | "knows no TLS" => return,
                _ => return line.fall_silent(),
            }
        }
    }
}

//! Starting it, by either name.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tidegate_testkit::{Backend, Frame, Gateway, Head, PATIENCE, Request, Wire, within};

/// A folder with a link named websockify to the built binary; the working directory of what is started.
#[derive(Debug)]
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        symlink(env!("CARGO_BIN_EXE_tidegate"), folder.path().join("websockify")).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a file there.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// `websockify` with these arguments, which stand with blanks between them.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        self.with_words(arguments.split_whitespace())
    }

    pub(crate) fn with_words<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(self.path().join("websockify"));
        command.args(words).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// Starts it and waits until it listens.
    #[track_caller]
    pub(crate) fn start(&self, arguments: &str) -> Gateway {
        Gateway::run(self.command(arguments))
    }

    /// Runs what is to end by itself: its status and what it said.
    #[track_caller]
    pub(crate) fn ended(&self, arguments: &str) -> (i32, String) {
        self.ended_of(arguments.split_whitespace())
    }

    /// As [`ended`](Self::ended), of arguments that may have blanks in them.
    #[track_caller]
    pub(crate) fn ended_of<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> (i32, String) {
        let mut child = self.with_words(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        if within(PATIENCE, || child.try_wait().unwrap()).is_none() {
            drop(child.kill()); // it serves, which the status below says
        }
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let said = String::from_utf8(stderr).unwrap() + &String::from_utf8(stdout).unwrap();
        (status.code().unwrap_or_else(|| panic!("it did not end by itself: {said}")), said)
    }
}

/// A process that ends with its test, whatever becomes of that.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill()); // it may have ended already
        drop(self.0.wait());
    }
}

/// A loopback address without its port, for what is to listen on a free one.
pub(crate) const ANY_PORT: &str = "127.0.0.1:0";

/// An upgrade as noVNC asks for it.
pub(crate) fn upgrade(target: &str) -> Request {
    Request::upgrade(target).with("Sec-WebSocket-Protocol", "binary").set("Origin", "https://elsewhere.test")
}

/// What a plain request is answered with: its head and its body.
#[track_caller]
pub(crate) fn ask(gateway: &Gateway, request: &Request) -> (Head, String) {
    let mut client = gateway.connect();
    client.send(request.clone().with("Connection", "close").encode());
    client.read_response()
}

/// Opens a WebSocket over this connection: the client's end and the backend's.
#[track_caller]
pub(crate) fn open(mut client: Wire, request: &Request, backend: &Backend) -> (Wire, Wire) {
    client.send(request.encode());
    let far = backend.accept();
    let head = client.read_head();
    assert_eq!((head.status(), head.field("Sec-WebSocket-Protocol")), (101, Some("binary")));
    (client, far)
}

/// The process is there, and no zombie.
pub(crate) fn is_running(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// That bytes go both ways.
#[track_caller]
pub(crate) fn talk(client: &mut Wire, far: &mut Wire) {
    client.send_frame(&Frame::binary("RFB 003.008\n").masked());
    assert_eq!(far.read_exact(12), b"RFB 003.008\n");
    far.send("\x01\x02");
    assert_eq!(client.read_frame(), Frame::binary([1, 2]));
}

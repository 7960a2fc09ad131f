//! The client in the hands of a test: its local side, and the server that it reaches.

use tidegate_testkit::{Backend, Connecting, Connector, Gateway, Head, Wire};

/// `tidegate connect LISTEN`.
pub(crate) fn listen(at: &str) -> Connector {
    Connector::new(env!("CARGO_BIN_EXE_tidegate"), at)
}

/// `tidegate connect LISTEN URL`.
pub(crate) fn connect(at: &str, url: &str) -> Connector {
    listen(at).arg(url)
}

/// `tidegate connect stdio: URL`.
pub(crate) fn stdio(url: &str) -> Connector {
    connect("stdio:", url)
}

/// `tidegate connect tcp://127.0.0.1:0 URL`.
pub(crate) fn tcp(url: &str) -> Connector {
    connect("tcp://127.0.0.1:0", url)
}

/// A gateway with an `echo:` route at `/echo`, and the URL of that.
pub(crate) fn echo() -> (Gateway, String) {
    let gateway = Gateway::builder(env!("CARGO_BIN_EXE_tidegate")).route("/echo", "echo:", "").start();
    let url = format!("ws://{}/echo", gateway.address());
    (gateway, url)
}

/// A server of the test, with the client that goes to it and one open connection.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) client: Connecting,
    /// The local end of the connection.
    pub(crate) local: Wire,
    /// The server's end.
    pub(crate) server: Wire,
    /// What the client asked for.
    pub(crate) request: Head,
}

impl Pair {
    /// With these flags.
    #[track_caller]
    pub(crate) fn open(flags: &[&str]) -> Self {
        let server = Backend::bind();
        let client = flags.iter().fold(tcp(&format!("{}/chat", server.ws())), Connector::arg).start();
        let local = client.connect();
        let (server, request) = server.accept_websocket();
        Self { client, local, server, request }
    }
}

/// A server, and `tidegate connect stdio:` that has asked it with these flags and waits for its answer.
#[track_caller]
pub(crate) fn asked(flags: &[&str]) -> (Connecting, Wire, Head) {
    let server = Backend::bind();
    let client = flags.iter().fold(stdio(&format!("{}/chat", server.ws())), Connector::arg).start();
    let mut wire = server.accept();
    let head = wire.read_head();
    (client, wire, head)
}

/// Bytes that tell their place, so that a gap, a repetition or a swap is seen.
pub(crate) fn numbered(len: usize) -> Vec<u8> {
    (0_u32..).flat_map(u32::to_be_bytes).take(len).collect()
}

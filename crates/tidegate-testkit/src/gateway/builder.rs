//! Starting a gateway.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Gateway, Lines, process};

/// A gateway to be started: its configuration in pieces.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    binary: String,
    top: String,
    listener: String,
    routes: String,
}

impl Gateway {
    /// A gateway with one listener on a free port of loopback and no route.
    pub fn builder(binary: &str) -> Builder {
        Builder { binary: binary.to_owned(), ..Builder::default() }
    }
}

impl Builder {
    /// With these lines at the top of its file.
    #[must_use]
    pub fn top(mut self, lines: &str) -> Self {
        writeln!(self.top, "{lines}").expect("a string can be written to");
        self
    }

    /// With these lines in its listener.
    #[must_use]
    pub fn listener(mut self, lines: &str) -> Self {
        writeln!(self.listener, "{lines}").expect("a string can be written to");
        self
    }

    /// With one more route, and these lines in it.
    #[must_use]
    pub fn route(mut self, path: &str, backend: &str, lines: &str) -> Self {
        writeln!(self.routes, "[[route]]\npath = '{path}'\nbackend = '{backend}'\n{lines}")
            .expect("a string can be written to");
        self
    }

    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// It does not come to that; its diagnosis is shown.
    #[track_caller]
    pub fn start(&self) -> Gateway {
        let mut config = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        config.write_all(self.config().as_bytes()).expect("a temporary file can be written");
        let mut child = self.command(config.path()).spawn().expect("the gateway can be started");
        let log = Lines::collect(child.stdout.take().expect("its output is a pipe"));
        let diagnosis = Lines::collect(child.stderr.take().expect("its diagnosis is a pipe"));
        let address = diagnosis.wait_for("the address", address_in);
        let sockets = process::sockets(child.id()).expect("the gateway is running");
        Gateway { child, address, log, diagnosis, sockets, _config: config }
    }

    fn config(&self) -> String {
        let Self { top, listener, routes, .. } = self;
        format!("{top}\n[[listener]]\naddress = \"127.0.0.1:0\"\n{listener}\n{routes}")
    }

    fn command(&self, config: &Path) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg("-c").arg(config);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// The address in `listening on http://127.0.0.1:40123`.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on ")?;
    let (_, address) = rest.split_once("://")?;
    address.trim().parse().ok()
}

//! What a gateway says itself that it has open: the invariant I6.
//!
//! For that the kit adds an admin listener behind a Unix socket to the configurations of the tests. Some gateways are
//! left out: those with an admin listener of the test's own, which the test asks itself; those with faults injected,
//! which would strike the admin listener as well, and whose descriptors are counted to the last; and those whose file
//! the test writes whole, or whose first line is a table, so that nothing can stand in front of it.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use super::Gateway;
use crate::PATIENCE;

/// Where the admin listener of one gateway is.
#[derive(Debug)]
pub(super) struct AdminSocket(tempfile::TempDir);

/// What is 0 while nobody is connected, neither to the gateway nor by it.
const GAUGES: [&str; 6] = [
    "tidegate_connections_open",
    "tidegate_connections_waiting",
    "tidegate_handshakes_open",
    "tidegate_websockets_open",
    "tidegate_buffered_bytes",
    "tidegate_backend_connections_open",
];

impl AdminSocket {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder can be made"))
    }

    pub(super) fn path(&self) -> PathBuf {
        self.0.path().join("admin")
    }

    /// For the top of the file.
    pub(super) fn line(&self) -> String {
        format!("admin = 'unix:{}'", self.path().display())
    }

    /// All metrics, as they are written.
    fn metrics(&self) -> io::Result<String> {
        let mut socket = UnixStream::connect(self.path())?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        // One without labels is there always: it tells that these are metrics, and all of them.
        if samples(&answer, GAUGES[0]).next().is_none() || !answer.ends_with("# EOF\n") {
            return Err(io::Error::new(io::ErrorKind::InvalidData, answer));
        }
        Ok(answer)
    }

    /// The gauges that are not 0, as they stand in the text.
    fn above_zero(&self) -> io::Result<Vec<String>> {
        let metrics = self.metrics()?;
        let all = GAUGES.into_iter().flat_map(|name| samples(&metrics, name));
        Ok(all.filter(|line| !line.ends_with(" 0")).map(str::to_owned).collect())
    }

    /// How many access lines there have to be: one for each WebSocket that has ended, and for each request that did not
    /// become one. `None`: it says itself that some are lost, or was reloaded, and has forgotten routes that are gone.
    pub(super) fn lines_due(&self) -> io::Result<Option<usize>> {
        let metrics = self.metrics()?;
        let sum = |name: &str, but: &str| -> usize {
            let counted = samples(&metrics, name).filter(|line| but.is_empty() || !line.contains(but));
            counted.filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok()).sum()
        };
        let due =
            sum("tidegate_requests_total", "status=\"101\"") + sum("tidegate_websockets_closed_total", "");
        let is_whole =
            sum("tidegate_access_log_lines_lost_total", "") == 0 && sum("tidegate_reloads_total", "") == 0;
        Ok(is_whole.then_some(due))
    }
}

/// The samples of one metric.
fn samples<'m>(metrics: &'m str, name: &str) -> impl Iterator<Item = &'m str> {
    metrics.lines().filter(move |line| line.split(['{', ' ']).next() == Some(name))
}

impl Gateway {
    /// I6: by its own account nothing is open any more.
    pub(super) fn counts_some_open(&self) -> Option<String> {
        match self.admin.as_ref()?.above_zero() {
            Ok(open) => (!open.is_empty()).then(|| format!("I6: {open:#?}")),
            Err(error) => Some(format!("I6: the admin listener cannot be asked: {error}")),
        }
    }
}

//! `admin = …`: where operators and Prometheus look into the gateway.

use std::fmt;
use std::path::PathBuf;

use super::Listener;

/// The admin listener.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Where it listens, and its TLS. A Unix socket has mode 0600; a client certificate that is asked for is required.
    pub listener: Listener,
    /// What every request must show as `Authorization: Bearer`. `None`, the default: whoever reaches it may use it.
    pub token: Option<AdminToken>,
    /// Host values served beside `localhost` and IP addresses, lower-case, without a port. Default: none.
    pub names: Vec<String>,
}

/// A token, and the file that it stands in.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminToken {
    /// The file.
    pub file: PathBuf,
    /// Printable ASCII, 16 to 1024 bytes.
    pub secret: String,
}

/// Where it stands, and nothing of it.
impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminToken").field("file", &self.file).finish_non_exhaustive()
    }
}

//! `admin = …`: where operators and Prometheus look into the gateway.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{ListenAddress, Listener};
use crate::named_file;

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

/// What whoever asks the admin listener has to know of it.
#[derive(Debug)]
pub(crate) struct AdminPlace {
    /// Where it listens.
    pub(crate) address: ListenAddress,
    /// What it wants to be shown.
    pub(crate) token: Option<AdminToken>,
    /// Whether it speaks TLS.
    pub(crate) is_tls: bool,
}

/// A token, and the file that it stands in.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminToken {
    /// The file.
    pub file: PathBuf,
    /// Printable ASCII, 16 to 1024 bytes.
    pub secret: String,
}

impl AdminToken {
    /// Shorter ones can be guessed.
    pub(crate) const BYTES_MIN: usize = 16;
    pub(crate) const BYTES_MAX: usize = 1024;

    /// Reads one. `None`: what is in the file is no token, or cannot be read.
    pub(crate) fn read(file: &Path) -> Option<Self> {
        // A token and a line break, and one byte to see that there is more.
        const FILE_BYTES_MAX: u64 = AdminToken::BYTES_MAX as u64 + 3;
        let mut content = String::new();
        named_file::open(file)
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut content))
            .ok()?;
        let secret = content.trim_end_matches(['\r', '\n']);
        let is_token = (Self::BYTES_MIN..=Self::BYTES_MAX).contains(&secret.len())
            && secret.bytes().all(|byte| byte.is_ascii_graphic());
        is_token.then(|| Self { secret: secret.to_owned(), file: file.to_owned() })
    }
}

/// Where it stands, and nothing of it.
impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminToken").field("file", &self.file).finish_non_exhaustive()
    }
}

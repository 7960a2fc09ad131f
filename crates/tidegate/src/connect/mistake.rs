//! What can be wrong with a command line, or with the environment that it is read in. The operator's fault, each of it.

use std::io;
use std::path::PathBuf;

use tidegate_proto::UriError;
use tidegate_proto::handshake::{NotAToken, SubprotocolsError};

use super::desc::DescError;
use super::place::Place;
use super::secret::SecretError;
use super::tls::TlsError;

/// Why a command line cannot be carried out. The operator's fault.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
    /// URL is none.
    #[error("{0}")]
    Url(#[from] UriError),
    /// URL has a name or password in it.
    #[error("{USER_INFO}")]
    UserInfo,
    /// The description cannot be used.
    #[error("--desc {}: it {error}", path.display())]
    Desc {
        /// The file.
        path: PathBuf,
        /// Why.
        error: DescError,
    },
    /// A subprotocol is no token.
    #[error("--subprotocol {0:?}: {1}")]
    Subprotocol(String, NotAToken),
    /// The subprotocols are no list.
    #[error("--subprotocol: {0}")]
    Subprotocols(#[from] SubprotocolsError),
    /// An origin that no field can carry.
    #[error("--origin {0:?}: it is no value for a header field")]
    Origin(String),
    /// It is no header field.
    #[error("--header: a field is 'NAME: VALUE' ({0})")]
    Header(String),
    /// The file of fields cannot be read.
    #[error("--header @{}: {error}", path.display())]
    HeaderFile {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A field that is ours to send.
    #[error("--header: {0} is a part of the handshake and is sent by itself")]
    HeaderOurs(String),
    /// A secret that everybody who sees the list of processes could read.
    #[error(
        "--header: {0} would show in the list of processes; give --user, --bearer-file or --header @FILE"
    )]
    HeaderSecret(String),
    /// A password or token cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// `--user` alone.
    #[error("--{flag} needs a password: --{flag_file} FILE, or {variable} in the environment")]
    NoPassword {
        /// `user` or `proxy-user`.
        flag: &'static str,
        /// The flag that names the file.
        flag_file: &'static str,
        /// The environment variable.
        variable: &'static str,
    },
    /// A name for `Basic` has no colon (RFC 7617 §2).
    #[error("--{0}: a name has no colon")]
    UserColon(&'static str),
    /// It is no host and port.
    #[error("--connect-to {0:?}: it must be HOST:PORT")]
    ConnectTo(String),
    /// The proxy cannot be used.
    #[error("{0}")]
    Proxy(#[from] ProxyError),
    /// The environment names a proxy that cannot be used.
    #[error("the environment names a proxy that cannot be used: {0}; mend it, or give --no-proxy")]
    ProxyOfEnvironment(ProxyError),
    /// What belongs to TLS, where there is none. Whoever gives it believes that nobody on the way can read along.
    #[error("--{flag} is for wss://, and {place} is not encrypted; write wss://, or leave --{flag} out")]
    WithoutTls {
        /// `ca`, `insecure` or `cert`.
        flag: &'static str,
        /// The server.
        place: Box<Place>,
    },
    /// TLS cannot work.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Sizes that do not fit each other.
    #[error("--chunk must be from 16 bytes to --max-frame, and --max-frame at most 1GiB")]
    Sizes,
    /// Delays that do not fit each other.
    #[error("--reconnect-first and --reconnect-max must be at most 1h")]
    Delays,
}

/// Why a proxy cannot be used. The operator's fault.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyError {
    /// It is no URL.
    #[error("a proxy is http://HOST:PORT or socks5://HOST:PORT")]
    Malformed,
    /// Another protocol.
    #[error("{0:?} is no kind of proxy that is known here: use http:// or socks5://")]
    Scheme(String),
    /// There is a name or password in it, which everybody who sees the list of processes could read.
    #[error(
        "a proxy's name and password are given with --proxy-user and --proxy-password-file, not in its URL"
    )]
    UserInfo,
}

const USER_INFO: &str = "the URL has a name or password before an @, which everybody who sees the list of processes \
    could read; give --user NAME with --password-file FILE, or --bearer-file FILE";

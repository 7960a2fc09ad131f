//! `auth = { … }` of a route: who may use what it serves.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;

use crate::certificate::NamesIn;

/// Guards everything that a route serves: WebSockets and plain requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// How clients show who they are.
    pub kind: AuthKind,
    /// What a browser shows when it asks for a password. Default `tidegate`.
    pub realm: String,
    /// Time for one decision, before 503 or 504. Default 5 s.
    pub timeout: Duration,
}

/// How clients show who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthKind {
    /// `basic`: a name and a password (RFC 7617), of these users.
    Basic(Vec<User>),
    /// `client-cert`: a certificate that the listener has verified.
    ClientCert(CertificateAuth),
    /// `jwt`: a signed token.
    Jwt(JwtAuth),
    /// `forward`: another server decides, at this `http://` or `https://` URL.
    Forward(Uri),
}

/// A user of `basic`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name; has no colon.
    pub name: String,
    /// The password, or what is kept of it.
    pub secret: Secret,
}

/// What is kept of a password.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The password itself; cannot be written in a file, only be given on the command line of `websockify`.
    Plain(String),
    /// `$2y$…`.
    Bcrypt(String),
    /// `$argon2id$…`.
    Argon2(String),
    /// `$6$…`.
    Sha512Crypt(String),
}

/// Whose a certificate has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateAuth {
    /// One of these; an empty list is anybody whom the listener has verified.
    pub names: Vec<String>,
    /// Where the name stands. Default: anywhere.
    pub names_in: NamesIn,
}

/// What a signed token has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtAuth {
    /// The key that it is signed with: a public key in PEM, or the base64url form of a shared one.
    pub key: PathBuf,
    /// Where it stands in the request. Default: the Authorization field.
    pub from: TokenFrom,
    /// What `iss` must be.
    pub issuer: Option<String>,
    /// What `aud` must contain.
    pub audience: Option<String>,
    /// WebSockets end with the token that opened them. Default: they go on.
    pub ends_sessions: bool,
}

/// Where in a request a signed token stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenFrom {
    /// `bearer`: the Authorization field (RFC 6750 §2.1).
    Bearer,
    /// `query:NAME`.
    Query(String),
    /// `cookie:NAME`.
    Cookie(String),
}

/// `client_ca` and `client_cert` of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificates {
    /// The authorities, PEM; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// A client without a certificate is refused by TLS itself.
    pub required: bool,
}

impl Auth {
    /// With every other setting at its default.
    pub fn new(kind: AuthKind) -> Self {
        Self { kind, realm: "tidegate".to_owned(), timeout: Duration::from_secs(5) }
    }
}

/// Nothing of it.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

//! TLS on the way in: certificates are read once, handshakes have their own deadline.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::{self, CryptoProvider};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use webpki::EndEntityCert;

use crate::config::{CertificateFiles, Listener, ListenerTls};
use crate::io::Socket;
use crate::listener::Accepted;

/// The evidence that a connection is as secure as its listener demands. Only [`accept`] makes one.
#[derive(Debug)]
pub(crate) struct Secured {
    /// What it was made of, without the socket.
    pub(crate) accepted: Accepted,
    /// The socket.
    pub(crate) socket: Socket,
}

/// Why TLS cannot be served with these files. The operator's fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    /// A file cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is not PEM, or only a part of it.
    #[error("{}: not a complete PEM file: {error}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        error: rustls::pki_types::pem::Error,
    },
    /// A file has no certificate.
    #[error("{}: there is no certificate in it; it must hold the chain, the server's own certificate first", .0.display())]
    NoCertificate(PathBuf),
    /// Certificate and key do not go together, or are of a kind that is not supported.
    #[error("{} and {}: {error}", cert.display(), key.display())]
    Unusable {
        /// The certificate file.
        cert: PathBuf,
        /// The key file.
        key: PathBuf,
        /// Why.
        error: rustls::Error,
    },
}

/// What a listener needs for TLS, or `None` where it serves plain connections.
///
/// # Errors
/// What is wrong with the files of its certificate.
pub(crate) fn acceptor(listener: &Listener) -> Result<Option<TlsAcceptor>, CertificateError> {
    let files = match &listener.tls {
        ListenerTls::Off => return Ok(None),
        ListenerTls::Required(files) | ListenerTls::Auto(files) => files,
    };
    Ok(Some(TlsAcceptor::from(Arc::new(server_config(files)?))))
}

/// Takes the TLS handshake, within the listener's time. Plain connections pass through.
pub(crate) async fn accept(mut accepted: Accepted) -> io::Result<Secured> {
    let socket = accepted.take_socket()?;
    let Some(acceptor) = accepted.acceptor() else {
        return Ok(Secured { accepted, socket: Socket::Plain(socket) });
    };
    let may_be_plain = matches!(accepted.listener().tls, ListenerTls::Auto(_));
    let handshake = async {
        if may_be_plain && !begins_with_tls(&socket).await? {
            return Ok(Socket::Plain(socket));
        }
        let stream = acceptor.accept(socket).await?;
        io::Result::Ok(Socket::Tls(Box::new(stream.into())))
    };
    let socket = timeout(accepted.listener().tls_timeout, handshake).await.map_err(io::Error::from)??;
    Ok(Secured { accepted, socket })
}

/// Whether the first byte is that of a TLS handshake record (RFC 8446 §5.1), which no HTTP request begins with.
async fn begins_with_tls(socket: &TcpStream) -> io::Result<bool> {
    const HANDSHAKE_RECORD: u8 = 22;
    let mut first = [0];
    Ok(socket.peek(&mut first).await? == 1 && first == [HANDSHAKE_RECORD])
}

fn server_config(files: &[CertificateFiles]) -> Result<ServerConfig, CertificateError> {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let certificates =
        files.iter().map(|files| certified_key(files, &provider)).collect::<Result<Vec<_>, _>>()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("the provider's cipher suites serve TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Certificates(certificates)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// A chain with its key, which is known to belong to it.
fn certified_key(
    files: &CertificateFiles,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, CertificateError> {
    let chain = read_chain(&files.cert)?;
    let key = PrivateKeyDer::from_pem_reader(open(&files.key)?)
        .map_err(|error| CertificateError::Malformed { path: files.key.clone(), error })?;
    let unusable =
        |error| CertificateError::Unusable { cert: files.cert.clone(), key: files.key.clone(), error };
    CertifiedKey::from_der(chain, key, provider).map(Arc::new).map_err(unusable)
}

/// The certificates of a listener, in the order of the file; never empty.
#[derive(Debug)]
struct Certificates(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for Certificates {
    /// The first one that is valid for the name that the client asks for, else the first of all: the client can judge
    /// it better than an alert.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let fitting =
            asked.and_then(|name| self.0.iter().find(|certificate| is_valid_for(certificate, &name)));
        fitting.or(self.0.first()).cloned()
    }
}

fn is_valid_for(certificate: &CertifiedKey, name: &ServerName<'_>) -> bool {
    certificate
        .end_entity_cert()
        .ok()
        .and_then(|der| EndEntityCert::try_from(der).ok())
        .is_some_and(|certificate| certificate.verify_is_valid_for_subject_name(name).is_ok())
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let chain = CertificateDer::pem_reader_iter(open(path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| CertificateError::Malformed { path: path.to_owned(), error })?;
    if chain.is_empty() {
        return Err(CertificateError::NoCertificate(path.to_owned()));
    }
    Ok(chain)
}

fn open(path: &Path) -> Result<BufReader<File>, CertificateError> {
    File::open(path)
        .map(BufReader::new)
        .map_err(|error| CertificateError::Unreadable { path: path.to_owned(), error })
}

//! TLS on the way in: certificates are read once, handshakes have their own deadline.

use std::io;
use std::sync::Arc;

use rustix::net::{RecvFlags, recv};
use rustls::ServerConfig;
use rustls::crypto;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::Interest;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::certificate::{Certificate, Unusable};
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

/// What a listener needs for TLS, or `None` where it serves plain connections.
///
/// # Errors
/// What is wrong with the files of its certificate.
pub(crate) fn acceptor(listener: &Listener) -> Result<Option<TlsAcceptor>, Unusable> {
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
        return Ok(Secured { accepted, socket });
    };
    let may_be_plain = matches!(accepted.listener().tls, ListenerTls::Auto(_));
    let handshake = async {
        if may_be_plain && !begins_with_tls(&socket).await? {
            return Ok(socket);
        }
        io::Result::Ok(match socket {
            Socket::Plain(socket) => Socket::Tls(Box::new(acceptor.accept(socket).await?.into())),
            Socket::Unix(socket) => Socket::TlsUnix(Box::new(acceptor.accept(socket).await?.into())),
            Socket::Tls(_) | Socket::TlsUnix(_) => unreachable!("a listener accepts bare sockets"),
        })
    };
    let socket = timeout(accepted.listener().tls_timeout, handshake).await.map_err(io::Error::from)??;
    Ok(Secured { accepted, socket })
}

/// Whether the first byte is that of a TLS handshake record (RFC 8446 §5.1), which no HTTP request begins with.
async fn begins_with_tls(socket: &Socket) -> io::Result<bool> {
    const HANDSHAKE_RECORD: u8 = 22;
    let mut first = [0];
    let length = match socket {
        Socket::Plain(socket) => socket.peek(&mut first).await?,
        Socket::Unix(socket) => {
            socket.async_io(Interest::READABLE, || Ok(recv(socket, &mut first, RecvFlags::PEEK)?.0)).await?
        }
        Socket::Tls(_) | Socket::TlsUnix(_) => unreachable!("a listener accepts bare sockets"),
    };
    Ok(length == 1 && first == [HANDSHAKE_RECORD])
}

fn server_config(files: &[CertificateFiles]) -> Result<ServerConfig, Unusable> {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let load = |files: &CertificateFiles| Certificate::load(&files.cert, &files.key, &provider);
    let certificates = files.iter().map(load).collect::<Result<Vec<_>, _>>()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("the provider's cipher suites serve TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Certificates(certificates)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The certificates of a listener, in the order of the file; never empty.
#[derive(Debug)]
struct Certificates(Vec<Certificate>);

impl ResolvesServerCert for Certificates {
    /// The first one that is valid for the name that the client asks for, else the first of all: the client can judge
    /// it better than an alert.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let fitting =
            asked.and_then(|name| self.0.iter().find(|certificate| certificate.is_valid_for(&name)));
        fitting.or(self.0.first()).map(|certificate| Arc::clone(&certificate.certified))
    }
}

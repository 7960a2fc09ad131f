//! TLS on the way in: certificates are read once, handshakes have their own deadline.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{CommonState, ProtocolVersion, RootCertStore, ServerConfig};

use crate::certificate::{Certificate, Fault, Names, Unusable, authorities, common_name};
use crate::clock::timeout;
use crate::config::{
    CertificateAuth, CertificateFiles, ClientCertificates, Listener, ListenerTls, TlsVersion,
};
use crate::io::{Arrival, ClientTls, Socket};
use crate::listener::{Accepted, Acceptor};
use crate::proxied::Announced;
use crate::tls_socket::{self, TlsSocket};

/// The evidence that a connection is as secure as its listener demands. Only [`accept`] makes one.
#[derive(Debug)]
pub(crate) struct Secured {
    /// What it was made of, without the socket.
    pub(crate) accepted: Accepted,
    /// The socket.
    pub(crate) socket: Socket,
}

/// The names in a certificate that a client has shown and the listener has verified.
#[derive(Debug)]
pub(crate) struct ClientNames(Names);

/// Why a listener cannot speak TLS as configured. The operator's fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error(transparent)]
    Certificate(#[from] Unusable),
    #[error("client_ca {}: {fault}", path.display())]
    ClientCa { path: PathBuf, fault: Fault },
    #[error("client_cert: the system has no root certificates; name client_ca = \"FILE\"")]
    NoRoots,
}

impl Secured {
    /// How it came in, as far as is known by now.
    pub(crate) fn arrival(&self) -> Arrival {
        let arrival = self.accepted.arrival();
        let tls = self.client_tls().map(Arc::new);
        Arrival { secure: arrival.secure || tls.is_some(), tls, ..arrival }
    }

    /// Who the client is by its certificate; `None` where it has shown none.
    pub(crate) fn client_names(&self) -> Option<ClientNames> {
        let own = self.connection()?.peer_certificates()?.first()?;
        Some(ClientNames(Names::of(own)))
    }

    fn client_tls(&self) -> Option<ClientTls> {
        let connection = self.connection()?;
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        };
        let own = connection.peer_certificates().and_then(<[_]>::first);
        Some(ClientTls { version, certified: own.is_some(), common_name: own.and_then(common_name) })
    }

    fn connection(&self) -> Option<&CommonState> {
        match &self.socket {
            Socket::Plain(_) | Socket::Unix(_) | Socket::Tls(_) => None,
            Socket::Served(socket) => socket.connection(),
            Socket::ServedUnix(socket) => socket.connection(),
            #[cfg(any(test, fuzzing))]
            Socket::Simulated(_) => None,
        }
    }
}

impl ClientNames {
    /// Whether they are of somebody who may come in.
    pub(crate) fn are_of(&self, who: &CertificateAuth) -> bool {
        who.names.is_empty() || who.names.iter().any(|name| self.0.contain(name, who.names_in))
    }
}

/// What a listener needs for TLS, or `None` where it serves plain connections.
///
/// # Errors
/// What is wrong with the files of its certificate.
pub(crate) fn acceptor(listener: &Listener) -> Result<Option<Acceptor>, TlsError> {
    let files = match &listener.tls {
        ListenerTls::Off => return Ok(None),
        ListenerTls::Required(files) | ListenerTls::Auto(files) => files,
    };
    Ok(Some(server_config(listener, files)?))
}

/// Takes the TLS handshake, within the listener's time. Plain connections pass through.
pub(crate) async fn accept(announced: Announced) -> io::Result<Secured> {
    let Announced { accepted, socket } = announced;
    let Some(acceptor) = accepted.acceptor() else {
        return Ok(Secured { accepted, socket });
    };
    let may_be_plain = matches!(accepted.listener().tls, ListenerTls::Auto(_));
    let handshake = async {
        if may_be_plain && !begins_with_tls(&socket).await? {
            return Ok(socket);
        }
        io::Result::Ok(match socket {
            Socket::Plain(socket) => Socket::Served(Box::new(TlsSocket::accept(socket, acceptor).await?)),
            Socket::Unix(socket) => Socket::ServedUnix(Box::new(TlsSocket::accept(socket, acceptor).await?)),
            Socket::Tls(_) | Socket::Served(_) | Socket::ServedUnix(_) => {
                unreachable!("a listener accepts bare sockets")
            }
            #[cfg(any(test, fuzzing))]
            Socket::Simulated(_) => unreachable!("a listener accepts sockets"),
        })
    };
    let socket = timeout(accepted.listener().tls_timeout, handshake).await.map_err(io::Error::from)??;
    Ok(Secured { accepted, socket })
}

/// Whether the first byte is that of a TLS handshake record (RFC 8446 §5.1), which no HTTP request begins with.
async fn begins_with_tls(socket: &Socket) -> io::Result<bool> {
    const HANDSHAKE_RECORD: u8 = 22;
    let mut first = [0];
    Ok(socket.peek(&mut first).await? == 1 && first == [HANDSHAKE_RECORD])
}

fn server_config(listener: &Listener, files: &[CertificateFiles]) -> Result<Acceptor, TlsError> {
    let mut provider = aws_lc_rs::default_provider();
    if listener.tls_hand_over {
        provider.cipher_suites.sort_by_key(|suite| !tls_socket::can_move(*suite)); // else in the order of old
    }
    let provider = Arc::new(provider);
    let load = |files: &CertificateFiles| {
        Certificate::load(&files.cert, &files.key, files.key_password.as_ref(), &provider)
    };
    let certificates = files.iter().map(load).collect::<Result<Vec<_>, _>>()?;
    let end = |(files, certificate): (&CertificateFiles, &Certificate)| {
        certificate.not_after().map(|end| (files.cert.clone(), end))
    };
    let ends = files.iter().zip(&certificates).filter_map(end).collect();
    let verifier = match &listener.client_certificates {
        Some(clients) => client_verifier(clients, &provider)?,
        None => WebPkiClientVerifier::no_client_auth(),
    };
    let versions: &[_] = match listener.tls_version_min {
        TlsVersion::V1_2 => rustls::ALL_VERSIONS,
        TlsVersion::V1_3 => &[&rustls::version::TLS13],
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("the provider's cipher suites serve TLS 1.2 and 1.3")
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(Certificates(certificates)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.enable_secret_extraction = listener.tls_hand_over;
    config.ignore_client_order = listener.tls_hand_over; // or most would choose a suite that stays
    Ok(Acceptor { config: Arc::new(config), ends })
}

/// Believes certificates of the authorities that are named, or else of the system's.
fn client_verifier(
    clients: &ClientCertificates,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let roots = if let Some(path) = &clients.ca {
        authorities(path).map_err(|fault| TlsError::ClientCa { path: path.clone(), fault })?
    } else {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    };
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if clients.required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|_| TlsError::NoRoots)
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

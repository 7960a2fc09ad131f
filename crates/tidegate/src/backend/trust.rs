//! Whom TLS to the backends of a route believes.

use std::collections::HashMap;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use crate::config::{Backend, BackendTls, Route};
use crate::named_file;

/// What is known of the backends of all routes that speak TLS to theirs.
#[derive(Default)]
pub struct Trust {
    routes: HashMap<String, Trusted>,
}

/// What TLS to the backend of one route needs.
pub(crate) struct Trusted {
    pub(crate) connector: TlsConnector,
    /// The name that the certificate must have, where it is not the backend's host.
    pub(crate) server_name: Option<String>,
}

/// Why TLS to a backend cannot work as configured. The operator's fault.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The `ca` file cannot be used.
    #[error("route {route:?}: backend_tls: {}: {error}", path.display())]
    Ca {
        /// The route.
        route: String,
        /// The file.
        path: PathBuf,
        /// Why.
        error: rustls::pki_types::pem::Error,
    },
    /// There is nothing to verify a backend with.
    #[error("route {route:?}: backend_tls: there is no certificate in {}", path.display())]
    NoCertificate { route: String, path: PathBuf },
    #[error(
        "route {0:?}: the system has no root certificates; install ca-certificates, or name backend_tls = {{ ca = \"FILE\" }}"
    )]
    NoRoots(String),
    /// The TLS library has no use for it.
    #[error("route {route:?}: backend_tls: {error}")]
    Tls {
        /// The route.
        route: String,
        /// Why.
        error: rustls::Error,
    },
}

impl Trust {
    /// Reads what the routes with TLS backends name.
    ///
    /// # Errors
    /// The first file or setting that cannot be used.
    pub fn load(routes: &[Route]) -> Result<Self, TrustError> {
        let with_tls = routes.iter().filter(|route| route.backends.iter().any(Backend::is_tls));
        let trusted =
            with_tls.map(|route| Ok((route.name.clone(), trusted(route)?))).collect::<Result<_, _>>()?;
        Ok(Self { routes: trusted })
    }

    /// What TLS to the backend of this route needs.
    pub(crate) fn of(&self, route: &Route) -> &Trusted {
        self.routes.get(&route.name).expect("every route with a TLS backend was loaded")
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust").field("routes", &self.routes.len()).finish()
    }
}

fn trusted(route: &Route) -> Result<Trusted, TrustError> {
    let BackendTls { ca, verify, server_name } = &route.backend_tls;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| TrustError::Tls { route: route.name.clone(), error })?;
    let mut config = if *verify {
        let roots = match ca {
            Some(path) => roots_of(route, path)?,
            None => system_roots(route)?,
        };
        builder.with_root_certificates(roots).with_no_client_auth()
    } else {
        // The check of the configuration has warned of it.
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody::new(provider)))
            .with_no_client_auth()
    };
    let speaks_http = matches!(route.backends.first(), Some(Backend::WebSocket(_) | Backend::Http(_)));
    config.alpn_protocols = if speaks_http { vec![b"http/1.1".to_vec()] } else { Vec::new() };
    Ok(Trusted { connector: TlsConnector::from(Arc::new(config)), server_name: server_name.clone() })
}

fn roots_of(route: &Route, path: &Path) -> Result<RootCertStore, TrustError> {
    let failed = |error| TrustError::Ca { route: route.name.clone(), path: path.to_owned(), error };
    let file = named_file::open(path).map_err(|error| failed(rustls::pki_types::pem::Error::Io(error)))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_reader_iter(BufReader::new(file)) {
        roots
            .add(certificate.map_err(failed)?)
            .map_err(|error| TrustError::Tls { route: route.name.clone(), error })?;
    }
    if roots.is_empty() {
        Err(TrustError::NoCertificate { route: route.name.clone(), path: path.to_owned() })
    } else {
        Ok(roots)
    }
}

fn system_roots(route: &Route) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(TrustError::NoRoots(route.name.clone())) } else { Ok(roots) }
}

/// No verification: whoever holds the key of the certificate that is shown, whatever it says.
#[derive(Debug)]
pub(crate) struct Anybody(Arc<CryptoProvider>);

impl Anybody {
    /// Signatures are checked with what `provider` knows.
    pub(crate) const fn new(provider: Arc<CryptoProvider>) -> Self {
        Self(provider)
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

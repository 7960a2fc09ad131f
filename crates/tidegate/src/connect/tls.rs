//! TLS with the server: whom to believe, and who we are.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::backend::trust::Anybody;
use crate::certificate::{Certificate, Unusable};
use crate::named_file;

/// Whom to believe.
#[derive(Debug, Clone, Default)]
pub(crate) enum Believed {
    /// The authorities that the system believes.
    #[default]
    System,
    /// Those in a PEM file, and no others.
    File(PathBuf),
    /// Whoever is there.
    Anybody,
}

/// Why TLS cannot work as asked for. The operator's fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// The file of authorities cannot be used.
    #[error("--ca {}: {error}", path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// Why.
        error: rustls::pki_types::pem::Error,
    },
    /// No bundle of authorities is so long.
    #[error("--ca {}: it has more than 1 MiB", .0.display())]
    CaTooLong(PathBuf),
    /// It may be a key, say.
    #[error("--ca: there is no certificate in {}", .0.display())]
    CaNone(PathBuf),
    /// A certificate in it cannot be used.
    #[error("--ca {}: {error}", path.display())]
    CaCertificate {
        /// The file.
        path: PathBuf,
        /// Why.
        error: rustls::Error,
    },
    /// There is nobody to believe.
    #[error("the system has no root certificates; install ca-certificates, or give --ca FILE")]
    NoRoots,
    /// Our own certificate cannot be used.
    #[error(transparent)]
    Client(#[from] Unusable),
}

/// What makes TLS connections. `client` is our own certificate and its key.
pub(crate) fn connector(
    believed: &Believed,
    client: Option<(&Path, &Path)>,
) -> Result<TlsConnector, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the provider's cipher suites serve TLS 1.2 and 1.3");
    let builder = match believed {
        Believed::System => builder.with_root_certificates(system_roots()?),
        Believed::File(path) => builder.with_root_certificates(roots_of(path)?),
        Believed::Anybody => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody::new(Arc::clone(&provider)))),
    };
    let mut config = match client {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let certified = Certificate::load(cert, key, None, &provider)?.certified;
            let resolver = SingleCertAndKey::from(Arc::unwrap_or_clone(certified));
            builder.with_client_cert_resolver(Arc::new(resolver))
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots_of(path: &Path) -> Result<RootCertStore, TlsError> {
    let failed = |error| TlsError::Ca { path: path.to_owned(), error };
    let mut text = Vec::new();
    named_file::open(path)
        .and_then(|file| file.take(CA_BYTES_MAX + 1).read_to_end(&mut text))
        .map_err(|error| failed(rustls::pki_types::pem::Error::Io(error)))?;
    if text.len() as u64 > CA_BYTES_MAX {
        return Err(TlsError::CaTooLong(path.to_owned()));
    }
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let added = roots.add(certificate.map_err(failed)?);
        added.map_err(|error| TlsError::CaCertificate { path: path.to_owned(), error })?;
    }
    if roots.is_empty() { Err(TlsError::CaNone(path.to_owned())) } else { Ok(roots) }
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(TlsError::NoRoots) } else { Ok(roots) }
}

/// Whole bundles of authorities have a quarter of this.
const CA_BYTES_MAX: u64 = 1 << 20;

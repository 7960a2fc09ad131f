//! Certificates for tests, made when they are needed and gone with the test.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    SanType, date_time_ymd,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

use crate::deadline::since_1970;

/// Whom a test believes: it issues certificates, for servers of its own and for the gateway.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: Certificate,
    folder: tempfile::TempDir,
}

/// A certificate with its key, as PEM files and for a server of the test.
#[derive(Debug)]
pub struct Identity {
    cert: PathBuf,
    key: PathBuf,
    server: Arc<ServerConfig>,
}

impl Authority {
    /// One that nobody knew before.
    pub fn new() -> Self {
        let key = key();
        let mut params = CertificateParams::new([]).expect("no name is a legal name");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).expect("a key can sign");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fs::write(folder.path().join("ca.pem"), root.pem()).expect("a temporary file can be written");
        Self { issuer: Issuer::new(params, key), root, folder }
    }

    /// Its own certificate, as a PEM file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for this name, valid for years.
    pub fn issue(&self, name: &str) -> Identity {
        self.issue_as(params(name))
    }

    /// A certificate for a client of this common name; an address is an alternative name as well.
    pub fn issue_to(&self, name: &str) -> Identity {
        let mut params = params("client.test");
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        if name.contains('@') {
            let address = name.try_into().expect("an address in ASCII");
            params.subject_alt_names.push(SanType::Rfc822Name(address));
        }
        self.issue_as(params)
    }

    /// A certificate for a client of these common names, one or two, and this host name for an alternative one.
    pub fn issue_to_all(&self, common: &[&str], alternative: &str) -> Identity {
        let mut params = params(alternative);
        params.distinguished_name = DistinguishedName::new();
        // The second is written as what it is on the wire, since a list of kinds has each kind once.
        let kinds = [DnType::CommonName, DnType::CustomDnType(vec![2, 5, 4, 3])];
        for (kind, name) in kinds.into_iter().zip(common) {
            params.distinguished_name.push(kind, *name);
        }
        self.issue_as(params)
    }

    /// A certificate for this name that was valid for a day, long ago.
    pub fn issue_expired(&self, name: &str) -> Identity {
        let mut params = params(name);
        params.not_after = date_time_ymd(2000, 1, 2);
        self.issue_as(params)
    }

    /// A certificate for this name that is valid for so long from now, to the second.
    pub fn issue_for(&self, name: &str, time: Duration) -> Identity {
        let mut params = params(name);
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970() + time;
        self.issue_as(params)
    }

    /// A certificate for this name that only its own key has signed, and not this authority.
    pub fn without_issuer(&self, name: &str) -> Identity {
        let key = key();
        let certificate = params(name).self_signed(&key).expect("a key can sign");
        Identity::new(self.folder.path(), &certificate, &key)
    }

    /// What a client believes that knows this authority and no other.
    pub fn client(&self) -> Arc<ClientConfig> {
        self.client_speaking(rustls::ALL_VERSIONS)
    }

    /// The same, for a client that speaks these versions of TLS only.
    pub fn client_speaking(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.der().clone()).expect("what was made here is a certificate");
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .expect("the provider serves TLS 1.2 and 1.3");
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    }

    /// The same, for a client that shows this certificate when it is asked.
    pub fn client_as(&self, identity: &Identity) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.der().clone()).expect("what was made here is a certificate");
        let chain = CertificateDer::pem_file_iter(&identity.cert).expect("it was written here");
        let chain = chain.collect::<Result<Vec<_>, _>>().expect("it was written here");
        let key = PrivateKeyDer::from_pem_file(&identity.key).expect("it was written here");
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider serves TLS 1.2 and 1.3");
        let config = builder.with_root_certificates(roots).with_client_auth_cert(chain, key);
        Arc::new(config.expect("certificate and key were made together"))
    }

    fn issue_as(&self, params: CertificateParams) -> Identity {
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).expect("the authority can sign");
        Identity::new(self.folder.path(), &certificate, &key)
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Identity {
    /// The certificate, as a PEM file.
    pub fn cert(&self) -> &Path {
        &self.cert
    }

    /// Its key, as a PEM file.
    pub fn key(&self) -> &Path {
        &self.key
    }

    /// The same for a server that demands a certificate of its clients which `authority` has issued.
    #[must_use]
    pub fn demanding(self, authority: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.root.der().clone()).expect("what was made here is a certificate");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let pem = |path| fs::read(path).expect("a file that was just written can be read");
        let chain = CertificateDer::pem_slice_iter(&pem(&self.cert)).collect::<Result<_, _>>();
        let key = PrivateKeyDer::from_pem_slice(&pem(&self.key));
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider serves TLS 1.2 and 1.3")
            .with_client_cert_verifier(verifier.build().expect("there is an authority"))
            .with_single_cert(chain.expect("it was written as PEM"), key.expect("it was written as PEM"))
            .expect("certificate and key were made together");
        Self { server: Arc::new(server), ..self }
    }

    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    fn new(folder: &Path, certificate: &Certificate, key: &KeyPair) -> Self {
        let file = |kind: &str, text: String| {
            let file = tempfile::Builder::new().prefix(kind).suffix(".pem").tempfile_in(folder);
            let path = file.and_then(|file| Ok(file.keep()?.1)).expect("a temporary file can be made");
            fs::write(&path, text).expect("a temporary file can be written");
            path
        };
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider serves TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(chain, der)
            .expect("certificate and key were made together");
        Self {
            cert: file("cert", certificate.pem()),
            key: file("key", key.serialize_pem()),
            server: Arc::new(server),
        }
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key can be generated")
}

/// Of a server: a host name, whatever characters it has, or an IPv4 address. Valid for years.
fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([]).expect("no name is a legal name");
    let san = match name.parse::<Ipv4Addr>() {
        Ok(address) => SanType::IpAddress(address.into()),
        Err(_) => SanType::DnsName(name.try_into().expect("a name in ASCII")),
    };
    params.subject_alt_names = vec![san];
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2099, 1, 1);
    params
}

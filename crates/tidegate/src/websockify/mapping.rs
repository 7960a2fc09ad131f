//! The gateway's configuration for a command line: listeners, one route that every upgrade takes, and one for files.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{Args, SslVersion};
use super::options::{From, Options, Target};
use super::plugins::{self, Admission};
use crate::config::{
    self, AccessLog, Authority, Backend, CertificateFiles, ClientCertificates, Config, Folder, KeyPassword,
    ListenAddress, Listener, ListenerTls, PathPattern, Record, Route, Subprotocols, TlsVersion,
};
use crate::recording::{Format, Name};

/// Why a command line cannot be served.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unserved {
    /// As websockify, this is wrong usage.
    #[error("--ssl-only needs a certificate, and there is none at {}", .0.display())]
    NoCertificate(PathBuf),
    /// The address to listen on.
    #[error("cannot listen on {host:?}: {error}")]
    Unresolved {
        /// The name.
        host: String,
        /// What the system says.
        error: io::Error,
    },
    /// The value of an option.
    #[error("{option}: {problem}")]
    Wrong {
        /// The option.
        option: &'static str,
        /// What is wrong with its value, and the way out.
        problem: String,
    },
    /// An option that is not supported.
    #[error("{option} is not supported: {instead}")]
    Unsupported {
        /// The option, with its value where that matters.
        option: String,
        /// What to do instead.
        instead: &'static str,
    },
    /// The working directory cannot be found out.
    #[error("a relative path has no beginning: {0}")]
    NoFolder(#[from] io::Error),
}

/// What the gateway is to serve. `wrapped`: the port on which the wrapped command listens.
///
/// # Errors
/// Why it cannot.
pub(super) fn config(options: &Options, wrapped: Option<u16>) -> Result<Config, Unserved> {
    let args = &options.args;
    let basis = config::embedded();
    let tls = tls(args)?;
    let listener = Listener {
        tls_version_min: tls_version_min(args.ssl_version),
        client_certificates: client_certificates(args, &tls)?,
        tls,
        socket_mode: match options.listen {
            From::Unix(_) => args.unix_listen_mode,
            From::Address(_) | From::Inherited => basis.listeners[0].socket_mode,
        },
        ..basis.listeners[0].clone()
    };
    let admission = plugins::admission(args)?;
    let auth = admission.auth.clone();
    let websockets = Route { backends: vec![backend(options, wrapped)?], ..route(&basis, args, admission)? };
    let mut routes = vec![websockets];
    if let Some(folder) = &args.web {
        let folder = Folder { path: std::path::absolute(folder)?, listing: !args.file_only };
        routes.push(Route {
            name: FILES.to_owned(),
            path: everything(),
            backends: vec![Backend::File(folder)],
            auth: auth.filter(|_| args.web_auth),
            ..basis.routes[0].clone()
        });
    }
    let listeners = addresses(options)?.into_iter().map(|address| Listener { address, ..listener.clone() });
    Ok(Config {
        access_log: AccessLog::Diagnosis,
        traffic_symbols: args.traffic,
        listeners: listeners.collect(),
        routes,
        ..basis
    })
}

/// The lowest version, as there. What is below 1.2 is not spoken here.
const fn tls_version_min(version: SslVersion) -> TlsVersion {
    match version {
        SslVersion::Default | SslVersion::Tls11 | SslVersion::Tls12 => TlsVersion::V1_2,
        SslVersion::Tls13 => TlsVersion::V1_3,
    }
}

fn addresses(options: &Options) -> Result<Vec<ListenAddress>, Unserved> {
    Ok(match &options.listen {
        From::Inherited => vec![ListenAddress::Stdin],
        From::Unix(path) => vec![ListenAddress::Unix(std::path::absolute(path)?)],
        From::Address(listen) => {
            let found = listen.resolve(options.args.prefer_ipv6);
            let found = found.map_err(|error| Unserved::Unresolved { host: listen.host.clone(), error })?;
            found.into_iter().map(ListenAddress::Tcp).collect()
        }
    })
}

/// Plain and TLS on one port where there is a certificate; without one there is no TLS, and nothing is said about it.
fn tls(args: &Args) -> Result<ListenerTls, Unserved> {
    let cert = std::path::absolute(&args.cert)?;
    if !cert.exists() {
        return if args.ssl_only { Err(Unserved::NoCertificate(cert)) } else { Ok(ListenerTls::Off) };
    }
    let key = args.key.as_deref().map_or_else(|| Ok(cert.clone()), std::path::absolute)?;
    let key_password = args.key_password.clone().map(KeyPassword::Given);
    let files = vec![CertificateFiles { cert, key, key_password }];
    Ok(if args.ssl_only { ListenerTls::Required(files) } else { ListenerTls::Auto(files) })
}

/// A certificate is demanded of clients that speak TLS, as there: it is `--ssl-only` that keeps the others out.
fn client_certificates(args: &Args, tls: &ListenerTls) -> Result<Option<ClientCertificates>, Unserved> {
    let unsupported = |instead| Unserved::Unsupported { option: "--verify-client".to_owned(), instead };
    match tls {
        _ if !args.verify_client => Ok(None),
        ListenerTls::Off => Err(unsupported("without TLS; name a certificate with --cert")),
        ListenerTls::Auto(_) | ListenerTls::Required(_) => {
            let ca = args.cafile.as_deref().map(std::path::absolute).transpose()?;
            Ok(Some(ClientCertificates { ca, required: true }))
        }
    }
}

fn backend(options: &Options, wrapped: Option<u16>) -> Result<Backend, Unserved> {
    Ok(match &options.target {
        Target::Tcp(authority) if options.args.ssl_target => Backend::Tls(authority.clone()),
        Target::Tcp(authority) => Backend::Tcp(authority.clone()),
        Target::Unix(path) => Backend::Unix(std::path::absolute(path)?),
        Target::Command(_) => {
            let port = wrapped.expect("a command is wrapped with a port");
            Backend::Tcp(Authority { host: LOOPBACK.to_owned(), port })
        }
        Target::Lookup(asked) => Backend::Lookup(Box::new(plugins::lookup(asked, &options.args)?)),
    })
}

/// Without its backend: every path, and none of the limits that websockify does not have.
fn route(basis: &Config, args: &Args, admission: Admission) -> Result<Route, Unserved> {
    let heartbeat = Duration::from_secs(args.heartbeat.into());
    Ok(Route {
        name: WEBSOCKETS.to_owned(),
        path: everything(),
        auth: admission.auth,
        origins: admission.origins,
        allow_missing_origin: admission.allow_missing_origin,
        subprotocols: Subprotocols::List { names: vec!["binary".to_owned()], required: false },
        binary_only: true,
        ping_interval: (!heartbeat.is_zero()).then_some(heartbeat),
        ping_timeout: None,
        frame_bytes_max: FRAME_BYTES_MAX,
        record: args.record.as_deref().map(record).transpose()?,
        pages_not_allowed: true,
        ..basis.routes[0].clone()
    })
}

/// In the format there, too.
fn record(file: &Path) -> Result<Record, Unserved> {
    let wrong = |problem: String| Unserved::Wrong { option: "--record", problem };
    let path = recording(file)?;
    let name = Name::parse(&path).map_err(|fault| wrong(format!("{} {fault}", path.display())))?;
    if !name.folder().is_dir() {
        return Err(wrong(format!("there is no folder {}", name.folder().display())));
    }
    Ok(Record { name, format: Format::Websockify, bytes_max: RECORD_BYTES_MAX, required: false })
}

/// `FILE.1`, `FILE.2` and so on, as names of recordings are written.
pub(super) fn recording(file: &Path) -> io::Result<PathBuf> {
    let file = std::path::absolute(file)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().replace('%', "%%");
    Ok(file.with_file_name(format!("{name}.%n")))
}

fn everything() -> PathPattern {
    PathPattern::Prefix(String::new())
}

/// The names of the routes, as the access log has them.
pub(super) const WEBSOCKETS: &str = "websockify";
pub(super) const FILES: &str = "web";
pub(super) const LOOPBACK: &str = "127.0.0.1";
/// As good as none: 1 TiB. Nothing is held back until a frame is complete.
const FRAME_BYTES_MAX: u64 = 1 << 40;
/// As good as none, too: a recording there ends where the disk does.
const RECORD_BYTES_MAX: u64 = 1 << 40;

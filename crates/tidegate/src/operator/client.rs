//! One question to the admin listener.

use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, HeaderValue};
use http::uri::Authority;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::args::{PlaceArgs, TlsArgs};
use super::shown;
use crate::config::{self, AdminPlace, ListenAddress};
use crate::connect::tls::{self, Believed};

/// For one question with its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of an answer: a thousand connections, or thousands of routes.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Asks a gateway.
pub(super) struct Client {
    place: Place,
    /// Over TLS, and the name that it must have.
    tls: Option<(TlsConnector, ServerName<'static>)>,
    patience: Duration,
    token: Option<HeaderValue>,
}

enum Place {
    /// Host and port.
    Tcp(Authority),
    Unix(PathBuf),
}

impl Client {
    pub(super) fn new(args: &PlaceArgs) -> anyhow::Result<Self> {
        let (place, is_tls, secret) = match &args.config {
            Some(file) => from_file(file)?,
            None => from_flags(args)?,
        };
        let TlsArgs { ca, server_name, client_cert, .. } = &args.tls;
        ensure!(
            is_tls || (ca.is_none() && server_name.is_none() && client_cert.is_none()),
            "--ca, --server-name and --client-cert are for https: write --admin https://HOST:PORT"
        );
        let tls = if is_tls { Some(tls(&args.tls, &place)?) } else { None };
        let token = secret.as_deref().map(bearer).transpose()?;
        Ok(Self { place, tls, patience: PATIENCE, token })
    }

    /// The same, which waits for an answer as long as this.
    pub(super) fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Asks, and reads the whole answer.
    ///
    /// # Errors
    /// There is no answer, or it is no.
    pub(super) fn ask(&self, method: &Method, target: &str) -> anyhow::Result<Value> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let asking = async {
            let unreachable = || format!("cannot reach {}", self.place);
            match &self.place {
                Place::Tcp(address) => {
                    let socket = TcpStream::connect(address.as_str()).await;
                    self.secured(socket.with_context(unreachable)?, method, target).await
                }
                Place::Unix(path) => {
                    let socket = UnixStream::connect(path).await;
                    self.secured(socket.with_context(unreachable)?, method, target).await
                }
            }
        };
        let answer = runtime.block_on(async { crate::clock::timeout(self.patience, asking).await });
        answer.context("the gateway did not answer in time")?
    }

    async fn secured<S>(&self, socket: S, method: &Method, target: &str) -> anyhow::Result<Value>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some((connector, name)) = &self.tls else { return self.exchange(socket, method, target).await };
        let socket = connector.connect(name.clone(), socket).await;
        let socket = socket.with_context(|| format!("no TLS with {}", self.place))?;
        self.exchange(socket, method, target).await
    }

    async fn exchange<S>(&self, socket: S, method: &Method, target: &str) -> anyhow::Result<Value>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(target).header(HOST, "localhost");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        if *method != Method::GET {
            request = request.header("x-tidegate", "1");
        }
        let answer = sender.send_request(request.body(Empty::<Bytes>::new())?).await;
        let answer =
            answer.with_context(|| format!("what listens at {} gives no answer in HTTP", self.place))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|_| anyhow!("the answer breaks off, or is too long"))?.to_bytes();
        let Ok(answer) = serde_json::from_slice::<Value>(&body) else {
            bail!("what answers there ({}) is no admin listener of tidegate", head.status)
        };
        if head.status == StatusCode::UNAUTHORIZED {
            ensure!(
                self.token.is_none(),
                "the admin listener wants another token than the one that it was shown"
            );
            bail!(
                "the admin listener wants its token: give --admin-token-file FILE, or -c with its configuration"
            );
        }
        if !head.status.is_success() {
            bail!(
                "{}: {}",
                head.status,
                answer["error"].as_str().map_or_else(|| "refused".to_owned(), shown)
            );
        }
        Ok(answer)
    }
}

/// Place, whether it speaks TLS, and token, as the flags have them.
fn from_flags(args: &PlaceArgs) -> anyhow::Result<(Place, bool, Option<String>)> {
    let text = args.admin.as_deref().context("give --admin ADDR, or -c FILE")?;
    let (place, is_tls) = match text.strip_prefix("unix:") {
        Some(path) => (Place::Unix(path.into()), false),
        None => {
            let bare = text.strip_prefix("https://");
            let address = bare.map_or(text, |address| address.trim_end_matches('/')).parse();
            let address = address.ok().filter(has_port).with_context(|| {
                format!(
                    "--admin {text:?} is no address; write one such as 127.0.0.1:9090, unix:PATH or https://HOST:PORT"
                )
            })?;
            (Place::Tcp(address), bare.is_some())
        }
    };
    let read =
        |file: &PathBuf| fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()));
    Ok((place, is_tls, args.admin_token_file.as_ref().map(read).transpose()?))
}

/// The same, as the configuration has them.
fn from_file(file: &Path) -> anyhow::Result<(Place, bool, Option<String>)> {
    let text = config::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let admin = config::admin_place(&text, file).map_err(|found| {
        let mistakes: String = found.iter().map(|found| format!("\n{found}")).collect();
        anyhow!("{} has mistakes:{mistakes}", file.display())
    })?;
    let AdminPlace { address, token, is_tls } =
        admin.with_context(|| format!("{} sets no admin", file.display()))?;
    let place = match address {
        ListenAddress::Tcp(address) => Place::Tcp(reachable(address).to_string().parse()?),
        ListenAddress::Unix(path) => Place::Unix(path),
        address @ (ListenAddress::Abstract(_) | ListenAddress::Systemd(_) | ListenAddress::Stdin) => {
            bail!("this command cannot ask at {address}")
        }
    };
    Ok((place, is_tls, token.map(|token| token.secret)))
}

/// What makes TLS of a connection, and the name that is asked for and has to be found.
fn tls(args: &TlsArgs, place: &Place) -> anyhow::Result<(TlsConnector, ServerName<'static>)> {
    let believed = args.ca.clone().map_or(Believed::System, Believed::File);
    let client = args.client_cert.as_deref().zip(args.client_key.as_deref());
    let name = match (&args.server_name, place) {
        (Some(name), _) => name.clone(),
        // An IPv6 address without its brackets.
        (None, Place::Tcp(address)) => address.host().trim_matches(['[', ']']).to_owned(),
        (None, Place::Unix(_)) => "localhost".to_owned(),
    };
    let name = ServerName::try_from(name.clone()).with_context(|| format!("{name:?} is no host name"))?;
    Ok((tls::connector(&believed, client)?, name))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn has_port(place: &Authority) -> bool {
    place.port_u16().is_some() && !place.as_str().contains('@')
}

/// A gateway that listens everywhere is asked here.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn bearer(secret: &str) -> anyhow::Result<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", secret.trim_end()))
        .map_err(|_| anyhow!("the file of the token has more than a token in it"))?;
    value.set_sensitive(true);
    Ok(value)
}

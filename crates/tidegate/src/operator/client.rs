//! One question to the admin listener.

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
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::args::PlaceArgs;
use crate::config::{self, ListenAddress, ListenerTls, Overrides};

/// For one question with its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of an answer: a thousand connections, or thousands of routes.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Asks a gateway.
pub(super) struct Client {
    place: Place,
    token: Option<HeaderValue>,
}

enum Place {
    /// Host and port.
    Tcp(Authority),
    Unix(PathBuf),
}

impl Client {
    pub(super) fn new(args: &PlaceArgs) -> anyhow::Result<Self> {
        if let Some(file) = &args.config {
            return Self::from_file(file);
        }
        let text = args.admin.as_deref().context("give --admin ADDR, or -c FILE")?;
        let place = match text.strip_prefix("unix:") {
            Some(path) => Place::Unix(path.into()),
            None => Place::Tcp(text.parse().ok().filter(has_port).with_context(|| {
                format!("--admin {text:?} is no address; write one such as 127.0.0.1:9090, or unix:PATH")
            })?),
        };
        let read = |file: &PathBuf| {
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
        };
        let secret = args.admin_token_file.as_ref().map(read).transpose()?;
        Ok(Self { place, token: secret.as_deref().map(bearer).transpose()? })
    }

    /// What the configuration says about its admin listener.
    fn from_file(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let checked = config::parse(&text, file, &Overrides::default());
        let mistakes = || checked.diagnostics.iter().map(|found| format!("\n{found}")).collect::<String>();
        let config = checked
            .config
            .as_ref()
            .ok_or_else(|| anyhow!("{} has mistakes:{}", file.display(), mistakes()))?;
        let admin = config.admin.as_ref().with_context(|| format!("{} sets no admin", file.display()))?;
        ensure!(
            admin.listener.tls == ListenerTls::Off,
            "the admin listener of {} speaks TLS, which this command does not",
            file.display()
        );
        let place = match &admin.listener.address {
            ListenAddress::Tcp(address) => Place::Tcp(reachable(*address).to_string().parse()?),
            ListenAddress::Unix(path) => Place::Unix(path.clone()),
            address @ (ListenAddress::Abstract(_) | ListenAddress::Systemd(_) | ListenAddress::Stdin) => {
                bail!("this command cannot ask at {address}")
            }
        };
        Ok(Self { place, token: admin.token.as_ref().map(|token| bearer(&token.secret)).transpose()? })
    }

    /// Asks, and reads the whole answer.
    ///
    /// # Errors
    /// There is no answer, or it is no.
    pub(super) fn ask(&self, method: &Method, target: &str) -> anyhow::Result<Value> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let asking = async {
            match &self.place {
                Place::Tcp(address) => {
                    let socket = TcpStream::connect(address.as_str()).await;
                    self.exchange(socket.with_context(|| format!("cannot reach {address}"))?, method, target)
                        .await
                }
                Place::Unix(path) => {
                    let socket = UnixStream::connect(path).await;
                    let socket = socket.with_context(|| format!("cannot reach unix:{}", path.display()))?;
                    self.exchange(socket, method, target).await
                }
            }
        };
        let answer = runtime.block_on(async { tokio::time::timeout(PATIENCE, asking).await });
        answer.context("the gateway did not answer in time")?
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
        let (head, body) = sender.send_request(request.body(Empty::<Bytes>::new())?).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|_| anyhow!("the answer breaks off, or is too long"))?.to_bytes();
        let Ok(answer) = serde_json::from_slice::<Value>(&body) else {
            bail!("what answers there ({}) is no admin listener of tidegate", head.status)
        };
        if head.status == StatusCode::UNAUTHORIZED {
            bail!(
                "the admin listener wants its token: give --admin-token-file FILE, or -c with its configuration"
            );
        }
        if !head.status.is_success() {
            bail!("{}: {}", head.status, answer["error"].as_str().unwrap_or("refused"));
        }
        Ok(answer)
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

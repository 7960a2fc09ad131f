//! From flags to what is done: everything that can be wrong is found before anything is opened.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use hyper_util::client::proxy::matcher::Matcher;
use tidegate_proto::handshake::{NotAToken, Subprotocols, SubprotocolsError};
use tidegate_proto::{MessageType, UriError};

use super::args::{ConnectArgs, FrameArgs, RequestArgs, TlsArgs, WayArgs};
use super::desc::{self, DescError};
use super::handshake::Asking;
use super::line::{Backoff, Line};
use super::listen::ListenAt;
use super::open::{Limits, Opener};
use super::place::Place;
use super::proxy::{Login, Proxies, Proxy, ProxyError};
use super::secret::{Secret, SecretError};
use super::session::Shape;
use super::tls::{self, Believed, TlsError};

/// What is to be done.
pub(super) struct Plan {
    pub(super) listen: ListenAt,
    pub(super) line: Line,
    pub(super) shape: Shape,
    pub(super) connections_max: usize,
}

/// Why a command line cannot be carried out. The operator's fault.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
    /// URL is none.
    #[error("{0}")]
    Url(#[from] UriError),
    /// URL has a name or password in it.
    #[error("{USER_INFO}")]
    UserInfo,
    /// The description cannot be used.
    #[error("--desc {}: it {error}", path.display())]
    Desc {
        /// The file.
        path: PathBuf,
        /// Why.
        error: DescError,
    },
    /// A subprotocol is no token.
    #[error("--subprotocol {0:?}: {1}")]
    Subprotocol(String, NotAToken),
    /// The subprotocols are no list.
    #[error("--subprotocol: {0}")]
    Subprotocols(#[from] SubprotocolsError),
    /// An origin that no field can carry.
    #[error("--origin {0:?}: it is no value for a header field")]
    Origin(String),
    /// It is no header field.
    #[error("--header: a field is 'NAME: VALUE' ({0})")]
    Header(String),
    /// The file of fields cannot be read.
    #[error("--header @{}: {error}", path.display())]
    HeaderFile {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A field that is ours to send.
    #[error("--header: {0} is a part of the handshake and is sent by itself")]
    HeaderOurs(String),
    /// A secret that everybody who sees the list of processes could read.
    #[error(
        "--header: {0} would show in the list of processes; give --user, --bearer-file or --header @FILE"
    )]
    HeaderSecret(String),
    /// A password or token cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// `--user` alone.
    #[error("--{flag} needs a password: --{flag_file} FILE, or {variable} in the environment")]
    NoPassword {
        /// `user` or `proxy-user`.
        flag: &'static str,
        /// The flag that names the file.
        flag_file: &'static str,
        /// The environment variable.
        variable: &'static str,
    },
    /// A name for `Basic` has no colon (RFC 7617 §2).
    #[error("--user: a name has no colon")]
    UserColon,
    /// It is no host and port.
    #[error("--connect-to {0:?}: it must be HOST:PORT")]
    ConnectTo(String),
    /// The proxy cannot be used.
    #[error("{0}")]
    Proxy(#[from] ProxyError),
    /// The environment names a proxy that cannot be used.
    #[error("the environment names a proxy that cannot be used: {0}; mend it, or give --no-proxy")]
    ProxyOfEnvironment(ProxyError),
    /// TLS cannot work.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Sizes that do not fit each other.
    #[error("--chunk must be from 16 bytes to --max-frame, and --max-frame at most 1GiB")]
    Sizes,
    /// Delays that do not fit each other.
    #[error("--reconnect-first and --reconnect-max must be at most 1h")]
    Delays,
}

impl ConnectArgs {
    /// Reads and checks everything that the flags name.
    pub(super) fn plan(self) -> Result<Plan, PlanError> {
        let (place, connect_to, reconnect, subprotocol) = match (&self.desc, &self.url) {
            (Some(path), _) => {
                let described = desc::read(path, self.object.as_deref())
                    .map_err(|error| PlanError::Desc { path: path.clone(), error })?;
                let object = described.object.as_deref().unwrap_or("the object");
                tracing::info!("{object} of {} is at {}", path.display(), described.place);
                (described.place, described.connect_to, described.reconnect, Some("chat"))
            }
            (None, url) => {
                let url = url.as_deref().expect("there is a URL where there is no description");
                (read_url(url)?, None, false, None)
            }
        };
        let asking = asking(&self.request, subprotocol)?;
        let proxies = proxies(&self.way)?;
        // What is wrong with the environment is said now, and not when somebody waits.
        proxies.of(&place).map_err(PlanError::ProxyOfEnvironment)?;
        let connect_to = match &self.way.connect_to {
            Some(text) => Some(host_and_port(text)?),
            None => connect_to,
        };
        let opener = Opener {
            connector: connector(&self.tls, &place, self.request.follow)?,
            place,
            connect_to,
            asking,
            proxies,
            shows_certificate: self.tls.cert.is_some(),
            follow: self.request.follow,
            limits: Limits {
                dial: self.times.dial_timeout,
                proxy: self.times.proxy_timeout,
                handshake: self.times.handshake_timeout,
            },
        };
        let backoff = backoff(&self.way, reconnect)?;
        Ok(Plan {
            line: Line::new(opener, backoff, self.times.connect_timeout),
            shape: self.shape()?,
            connections_max: self.max_connections as usize,
            listen: self.listen,
        })
    }

    fn shape(&self) -> Result<Shape, PlanError> {
        let FrameArgs { text, chunk, max_frame, no_close, ping_interval } = self.frames;
        let chunk = chunk.unwrap_or(CHUNK_DEFAULT.min(max_frame));
        if !(CHUNK_MIN..=max_frame).contains(&chunk) || max_frame > FRAME_MAX {
            return Err(PlanError::Sizes);
        }
        Ok(Shape {
            message: if text { MessageType::Text } else { MessageType::Binary },
            chunk: usize::try_from(chunk).map_err(|_too_large| PlanError::Sizes)?,
            frame_bytes_max: max_frame,
            says_close: !no_close,
            ping_interval,
            ping_timeout: self.times.ping_timeout,
            idle_timeout: self.times.idle_timeout,
            close_timeout: self.times.close_timeout,
            stall_timeout: self.times.stall_timeout,
        })
    }
}

fn read_url(url: &str) -> Result<Place, PlanError> {
    Place::parse(url).map_err(|error| {
        if error == UriError::UserInfo { PlanError::UserInfo } else { PlanError::Url(error) }
    })
}

fn asking(args: &RequestArgs, subprotocol: Option<&str>) -> Result<Asking, PlanError> {
    let mut subprotocols = Subprotocols::default();
    let default = subprotocol.filter(|_| args.subprotocol.is_empty());
    for name in args.subprotocol.iter().map(String::as_str).chain(default) {
        let subprotocol = name.parse().map_err(|error| PlanError::Subprotocol(name.to_owned(), error))?;
        subprotocols.push(subprotocol)?;
    }
    let origin = args.origin.clone();
    if let Some(origin) = origin.as_ref().filter(|origin| HeaderValue::from_str(origin).is_err()) {
        return Err(PlanError::Origin(origin.clone()));
    }
    Ok(Asking { subprotocols, origin, fields: fields(&args.header)?, credentials: credentials(args)? })
}

fn fields(headers: &[String]) -> Result<Vec<(String, Secret)>, PlanError> {
    let mut fields = Vec::new();
    for header in headers {
        match header.strip_prefix('@') {
            None => fields.push(field(header, false)?),
            Some(path) => {
                let failed = |error| PlanError::HeaderFile { path: path.into(), error };
                let mut text = String::new();
                let file = File::open(path).map_err(failed)?;
                file.take(HEADER_FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
                for line in text.lines().filter(|line| !line.trim().is_empty()) {
                    fields.push(field(line, true)?);
                }
            }
        }
    }
    Ok(fields)
}

/// Reads `NAME: VALUE`. In the error there is no value: it may be secret.
fn field(text: &str, from_file: bool) -> Result<(String, Secret), PlanError> {
    let malformed = |why: &str| PlanError::Header(why.to_owned());
    let (name, value) = text.split_once(':').ok_or_else(|| malformed("there is no colon in it"))?;
    let parsed = HeaderName::try_from(name).map_err(|_| malformed("its name is no name"))?;
    let value = value.trim();
    HeaderValue::from_str(value).map_err(|_| malformed("its value has a character that none may have"))?;
    if OURS.contains(&parsed.as_str()) || parsed.as_str().starts_with("sec-websocket-") {
        return Err(PlanError::HeaderOurs(name.to_owned()));
    }
    if !from_file && SECRET.contains(&parsed.as_str()) {
        return Err(PlanError::HeaderSecret(name.to_owned()));
    }
    Ok((name.to_owned(), Secret::of_field(value)))
}

fn credentials(args: &RequestArgs) -> Result<Option<Secret>, PlanError> {
    if let Some(user) = &args.user {
        if user.contains(':') {
            return Err(PlanError::UserColon);
        }
        let missing =
            PlanError::NoPassword { flag: "user", flag_file: "password-file", variable: "TIDEGATE_PASSWORD" };
        let password = password(args.password_file.as_ref(), "TIDEGATE_PASSWORD")?.ok_or(missing)?;
        return Ok(Some(Secret::basic(user, &password)));
    }
    let token = password(args.bearer_file.as_ref(), "TIDEGATE_BEARER")?;
    Ok(token.as_ref().map(Secret::bearer))
}

/// From a file, else from the environment.
fn password(file: Option<&PathBuf>, variable: &str) -> Result<Option<Secret>, SecretError> {
    match file {
        Some(file) => Secret::read(file).map(Some),
        None => Secret::from_env(variable),
    }
}

fn proxies(args: &WayArgs) -> Result<Proxies, PlanError> {
    let Some(url) = &args.proxy else {
        return Ok(if args.no_proxy {
            Proxies::None
        } else {
            Proxies::Environment(Box::new(Matcher::from_env()))
        });
    };
    let login = match &args.proxy_user {
        None => None,
        Some(user) => {
            let variable = "TIDEGATE_PROXY_PASSWORD";
            let missing =
                PlanError::NoPassword { flag: "proxy-user", flag_file: "proxy-password-file", variable };
            let password = password(args.proxy_password_file.as_ref(), variable)?.ok_or(missing)?;
            Some(Login { user: user.clone(), password })
        }
    };
    Ok(Proxies::Always(Proxy::parse(url, login)?))
}

fn host_and_port(text: &str) -> Result<(String, u16), PlanError> {
    let wrong = || PlanError::ConnectTo(text.to_owned());
    // The grammar of a URL's host and port is that of this flag.
    let place = Place::parse(&format!("ws://{text}")).map_err(|_| wrong())?;
    let names_port = text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if names_port && place.resource == "/" && !text.contains('/') {
        Ok((place.host, place.port))
    } else {
        Err(wrong())
    }
}

/// What TLS needs is read only where there may be TLS: a system without roots can still speak `ws://`.
fn connector(
    args: &TlsArgs,
    place: &Place,
    follow: bool,
) -> Result<Option<tokio_rustls::TlsConnector>, PlanError> {
    if !place.secure && !follow {
        return Ok(None);
    }
    let believed = match &args.ca {
        Some(path) => Believed::File(path.clone()),
        None if args.insecure => Believed::Anybody,
        None => Believed::System,
    };
    if args.insecure {
        tracing::warn!("--insecure: whoever is on the way to {place} can read and change everything");
    }
    let client = args.cert.as_deref().zip(args.key.as_deref());
    Ok(Some(tls::connector(&believed, client)?))
}

fn backoff(args: &WayArgs, reconnect: bool) -> Result<Option<Backoff>, PlanError> {
    let backoff = Backoff { first: args.reconnect_first, max: args.reconnect_max };
    if backoff.first.max(backoff.max) > DELAY_MAX {
        return Err(PlanError::Delays);
    }
    Ok((args.reconnect || reconnect).then_some(backoff))
}

/// As in the streams of rpc-frmwrk.
const CHUNK_DEFAULT: u64 = 63 << 10;

/// A code point must have room.
const CHUNK_MIN: u64 = 16;
const FRAME_MAX: u64 = 1 << 30;
const DELAY_MAX: Duration = Duration::from_secs(60 * 60);
const HEADER_FILE_BYTES_MAX: u64 = 64 << 10;

/// Fields that the handshake and HTTP itself are made of.
const OURS: [&str; 6] = ["connection", "content-length", "host", "origin", "transfer-encoding", "upgrade"];

/// Fields that are a secret.
const SECRET: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

const USER_INFO: &str = "the URL has a name or password before an @, which everybody who sees the list of processes \
    could read; give --user NAME with --password-file FILE, or --bearer-file FILE";

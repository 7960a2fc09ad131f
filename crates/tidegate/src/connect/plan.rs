//! From flags to what is done: everything that can be wrong is found before anything is opened.

use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use tidegate_proto::{MessageType, UriError};

use super::args::{ConnectArgs, FrameArgs, TlsArgs, WayArgs};
use super::asking::{asking, password};
use super::desc;
use super::line::{Backoff, Line};
use super::listen::ListenAt;
use super::mistake::PlanError;
use super::open::{Limits, Opener};
use super::place::Place;
use super::proxy::{Login, Proxies, Proxy};
use super::session::Settings;
use super::tls::{self, Believed};

/// What is to be done.
pub(super) struct Plan {
    pub(super) listen: ListenAt,
    pub(super) line: Line,
    pub(super) settings: Settings,
    pub(super) connections_max: usize,
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
        if asking.credentials.is_some() && !place.secure && !place.is_loopback() {
            tracing::warn!("{place} is not wss://: whoever is on the way can read the credentials");
        }
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
            settings: self.settings()?,
            connections_max: self.max_connections as usize,
            listen: self.listen,
        })
    }

    fn settings(&self) -> Result<Settings, PlanError> {
        let FrameArgs { text, chunk, max_frame, no_close, ping_interval } = self.frames;
        let chunk = chunk.unwrap_or(CHUNK_DEFAULT.min(max_frame));
        if !(CHUNK_MIN..=max_frame).contains(&chunk) || max_frame > FRAME_MAX {
            return Err(PlanError::Sizes);
        }
        Ok(Settings {
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
        Some(user) if user.contains(':') => return Err(PlanError::UserColon("proxy-user")),
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
        let flags = [("ca", args.ca.is_some()), ("insecure", args.insecure), ("cert", args.cert.is_some())];
        return match flags.into_iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(PlanError::WithoutTls { flag, place: Box::new(place.clone()) }),
            None => Ok(None),
        };
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

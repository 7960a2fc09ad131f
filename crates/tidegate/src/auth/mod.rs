//! Who may use what a route serves. It stands between policy and look-up: nobody is asked about a client that no page of
//! its origin may connect, and nothing is looked up for a client that has not shown who it is.

mod basic;
mod delegate;

use std::cell::LazyCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;

use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, HeaderValue};
use http::{Response, StatusCode, Uri};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use self::basic::{Busy, Users};
use crate::ask::{AskError, Asker, Questions, TooManyPending};
use crate::clock::timeout;
use crate::config::{Auth, AuthKind, CertificateAuth, JwtAuth, Route, TokenFrom};
use crate::jwt::{self, KeyError, Rejected, Verifier};
use crate::policy::Permit;
use crate::request::{Request, query_parameters};
use crate::route::Selected;
use crate::tls::ClientNames;

/// The evidence that whoever made a request may use the route. Only `Guards::admit` makes one.
#[derive(Debug)]
pub struct Admitted<T> {
    what: T,
    until: Option<Instant>,
}

/// A proof that a request belongs to a route.
pub trait HasRoute {
    /// The route.
    fn route(&self) -> &Arc<Route>;
}

/// Who guards which route.
#[derive(Debug)]
pub struct Guards {
    routes: HashMap<String, Guard>,
}

#[derive(Debug)]
enum Guard {
    Basic(Box<Users>),
    ClientCert(CertificateAuth),
    Jwt(Box<Tokens>),
    Forward(Box<Delegate>),
}

/// Who is asked by `forward`.
#[derive(Debug)]
struct Delegate {
    asker: Asker,
    url: Uri,
    questions: Questions,
}

/// What `jwt` takes.
#[derive(Debug)]
struct Tokens {
    verifier: Verifier,
    from: TokenFrom,
    end_sessions: bool,
}

/// Why a request is not let in. No text of it has anything that the client showed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Denial {
    /// There are no credentials, or wrong ones: 401.
    #[error(transparent)]
    Credentials(#[from] Challenged),
    /// The connection has no certificate, or one of somebody else: 403.
    #[error("the client has shown no certificate that may come in here")]
    Certificate,
    /// The server that was asked says no, in its own words: 401 or 403.
    #[error("the server that was asked refuses")]
    Answered(Box<Response<Bytes>>),
    /// It says neither yes nor no: 502.
    #[error("the server that was asked answers with {0}")]
    Undecided(u16),
    /// It cannot be asked: 502.
    #[error(transparent)]
    Unasked(#[from] AskError),
    /// It does not answer in time: 504.
    #[error("the server that was asked did not answer in time")]
    Timeout,
    /// Too many passwords are being compared: 503.
    #[error("too many passwords are being compared")]
    Busy,
    /// Too many wait for the server that is asked: 503.
    #[error(transparent)]
    TooManyPending(#[from] TooManyPending),
}

/// A refusal that says how to come in (RFC 9110 §11.6.1).
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(crate) struct Challenged {
    why: Credentials,
    pub(crate) challenge: HeaderValue,
}

/// What is wrong with credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Credentials {
    #[error("the request has no credentials")]
    Missing,
    #[error("the credentials are wrong")]
    Wrong,
    #[error(transparent)]
    Token(#[from] Rejected),
}

/// Why a route cannot be guarded as configured. The operator's fault.
#[derive(Debug, thiserror::Error)]
#[error("route {route:?}: auth: {}: the file {error}", path.display())]
pub(crate) struct LoadError {
    route: String,
    path: PathBuf,
    error: KeyError,
}

impl<T> Admitted<T> {
    /// What was admitted.
    pub fn into_inner(self) -> T {
        self.what
    }

    /// Until when a session may last that begins with this request, where the route has them end with their token.
    pub const fn until(&self) -> Option<Instant> {
        self.until
    }
}

impl HasRoute for Permit {
    fn route(&self) -> &Arc<Route> {
        Self::route(self)
    }
}

impl HasRoute for Selected {
    fn route(&self) -> &Arc<Route> {
        Self::route(self)
    }
}

impl Guards {
    /// Makes ready what the routes ask for.
    pub(crate) fn load(routes: &[Route]) -> Result<Self, LoadError> {
        let places =
            Arc::new(Semaphore::new(basic::at_once_max(available_parallelism().map_or(1, Into::into))));
        let mut guards = HashMap::new();
        let asker: LazyCell<Asker> = LazyCell::new(Asker::new);
        for route in routes {
            if let Some(auth) = &route.auth {
                let guard = Guard::load(&auth.kind, route.pending_max, &places, &asker);
                let guard =
                    guard.map_err(|(path, error)| LoadError { route: route.name.clone(), path, error })?;
                guards.insert(route.name.clone(), guard);
            }
        }
        Ok(Self { routes: guards })
    }

    /// Decides about one request. A route without `auth` is everybody's.
    pub(crate) async fn admit<T: HasRoute>(
        &self,
        what: T,
        request: &Request,
        names: Option<&ClientNames>,
    ) -> Result<Admitted<T>, Denial> {
        let route = what.route();
        let mut until = None;
        if let Some(auth) = &route.auth {
            let guard = self.routes.get(&route.name).expect("every route with auth was loaded");
            until = guard.check(auth, request, names).await?;
        }
        Ok(Admitted { what, until })
    }
}

impl Guard {
    fn load(
        kind: &AuthKind,
        pending_max: usize,
        places: &Arc<Semaphore>,
        asker: &LazyCell<Asker>,
    ) -> Result<Self, (PathBuf, KeyError)> {
        Ok(match kind {
            AuthKind::Basic(users) => {
                Self::Basic(Box::new(Users::new(users, Arc::clone(places), pending_max)))
            }
            AuthKind::ClientCert(who) => Self::ClientCert(who.clone()),
            AuthKind::Jwt(JwtAuth { key, from, issuer, audience, ends_sessions }) => {
                let mut verifier = Verifier::load(key).map_err(|error| (key.clone(), error))?;
                verifier.demand(issuer.as_deref(), audience.as_deref());
                Self::Jwt(Box::new(Tokens { verifier, from: from.clone(), end_sessions: *ends_sessions }))
            }
            AuthKind::Forward(url) => Self::Forward(Box::new(Delegate {
                asker: Asker::clone(asker),
                url: url.clone(),
                questions: Questions::new(pending_max),
            })),
        })
    }

    /// Lets the request in, and tells until when.
    async fn check(
        &self,
        auth: &Auth,
        request: &Request,
        names: Option<&ClientNames>,
    ) -> Result<Option<Instant>, Denial> {
        match self {
            Self::Basic(users) => {
                let checked = timeout(auth.timeout, users.check(&request.fields)).await;
                let checked = checked.unwrap_or(Err(Busy)).map_err(|Busy| Denial::Busy)?;
                checked.map_err(|why| challenged(why, auth, "Basic", ", charset=\"UTF-8\""))?;
            }
            Self::ClientCert(who) => {
                let is_allowed = names.is_some_and(|names| names.are_of(who));
                is_allowed.then_some(()).ok_or(Denial::Certificate)?;
            }
            Self::Jwt(tokens) => {
                let token = token(request, &tokens.from).ok_or(Credentials::Missing);
                let checked = token.and_then(|token| Ok(tokens.verifier.claims(&token)?));
                let detail = |why| if why == Credentials::Missing { "" } else { ", error=\"invalid_token\"" };
                let claims = checked.map_err(|why| challenged(why, auth, "Bearer", detail(why)))?;
                return Ok(jwt::expiry(&claims).filter(|_| tokens.end_sessions));
            }
            Self::Forward(delegate) => {
                let Delegate { asker, url, questions } = &**delegate;
                let _asking = questions.begin()?;
                let asked = timeout(auth.timeout, delegate::check(asker, url, request)).await;
                asked.map_err(|_elapsed| Denial::Timeout)??;
            }
        }
        Ok(None)
    }
}

impl Denial {
    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Credentials(_) => StatusCode::UNAUTHORIZED,
            Self::Certificate => StatusCode::FORBIDDEN,
            Self::Answered(answer) => answer.status(),
            Self::Undecided(_) | Self::Unasked(_) => StatusCode::BAD_GATEWAY,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Busy | Self::TooManyPending(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

fn challenged(why: Credentials, auth: &Auth, scheme: &str, detail: &str) -> Challenged {
    let challenge = HeaderValue::try_from(format!("{scheme} realm=\"{}\"{detail}", auth.realm));
    let challenge = challenge.expect("the realm of a checked configuration is printable");
    Challenged { why, challenge }
}

/// The signed token that a request shows, if it shows one and no second: a backend may believe the other one.
fn token(request: &Request, from: &TokenFrom) -> Option<String> {
    match from {
        TokenFrom::Bearer => {
            let value = only(request.fields.get_all(AUTHORIZATION).iter())?;
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        }
        TokenFrom::Query(name) => only(query_parameters(request.query.as_deref()?, name))?,
        TokenFrom::Cookie(name) => {
            // As bytes: other cookies are none of our business, and often no ASCII.
            let lines = request.fields.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
            let pairs = lines.flat_map(|line| line.split(|byte| *byte == b';')).filter_map(|pair| {
                let at = pair.iter().position(|byte| *byte == b'=')?;
                Some((pair[..at].trim_ascii(), pair[at + 1..].trim_ascii()))
            });
            let value = only(pairs.filter(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value))?;
            Some(str::from_utf8(value).ok()?.trim_matches('"').to_owned())
        }
    }
}

/// The one, where there are no more.
fn only<T>(mut of: impl Iterator<Item = T>) -> Option<T> {
    let first = of.next()?;
    of.next().is_none().then_some(first)
}

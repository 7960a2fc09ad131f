//! Where a client is connected on a route with a look-up: its token decides, among what the source knows.
//!
//! The client chooses an entry, never an address: whatever goes wrong, nothing is connected.

pub(crate) mod file;
pub(crate) mod kept;
mod redis;
mod signed;
pub(crate) mod target;
mod token;
mod web;

use std::cell::LazyCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use self::file::BadLine;
use self::kept::Tokens;
use self::target::Target;
use crate::ask::{AskError, Asker, Questions, TooManyPending};
use crate::auth::Admitted;
use crate::clock::timeout;
use crate::config::{Backend, Lookup, LookupSource, RedisSource, Route, TargetPattern, UrlTemplate};
use crate::jwt::{KeyError, Rejected, Verifier};
use crate::policy::Permit;
use crate::request::Request;

/// Look-ups in files at once; more wait, within their time. Disks that hang hold no more threads than this.
const AT_ONCE_MAX: usize = 64;

/// Those of one route: the disk that hangs need not be that of the others.
const AT_ONCE_OF_ROUTE_MAX: usize = 16;

/// The evidence of where a client with a permit is to be connected. Only `Lookups::resolve` makes one.
#[derive(Debug)]
pub struct Destination {
    permit: Permit,
    /// What was looked up; `None`: the route names its backend.
    found: Option<Backend>,
}

/// The sources of all routes that have one.
#[derive(Debug)]
pub struct Lookups {
    routes: HashMap<String, RouteLookup>,
}

/// The look-up of one route.
#[derive(Debug)]
struct RouteLookup {
    source: Source,
    /// Those that are not answered yet.
    questions: Questions,
    places: Places,
}

/// Where the disk may be waited for: as many at once as all routes may, and as one of them may.
#[derive(Debug)]
struct Places {
    all: Arc<Semaphore>,
    own: Arc<Semaphore>,
}

/// A source as it is asked.
#[derive(Debug)]
enum Source {
    File {
        tokens: Arc<Tokens>,
        /// The last look-up saw a bad line, and said so.
        complained: AtomicBool,
    },
    InMemory(HashMap<String, String>),
    Directory(PathBuf),
    UnixDirectory(PathBuf),
    Http(Asker, UrlTemplate),
    Json(Asker, UrlTemplate),
    Jwt(Verifier),
    Redis(RedisSource),
}

/// Why a look-up leads nowhere. No text of it has the token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    /// There is none, or nothing that could be one: 403, and the client is told the same as for a wrong one.
    #[error("the request has no token that could be looked up")]
    NoToken,
    /// The source does not know it: 403.
    #[error("the token is unknown")]
    Unknown,
    /// It is a signed one, and not believed: 403.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// It leads to a Unix socket that `targets` does not list: 403.
    #[error("the token leads to a target that is not allowed")]
    NotAllowed,
    /// The source knows it, but what it says is no place: 502.
    #[error("the look-up answers with something that is no target")]
    NoTarget,
    /// The source cannot be asked: 502.
    #[error("the look-up failed: {0}")]
    Failed(#[from] io::Error),
    /// The server that was asked says neither yes nor no: 502.
    #[error("the server that was asked answers with {0}")]
    Answered(u16),
    /// The server that was asked names another one, which is not asked: 502.
    #[error("the server that was asked redirects to another server, which is not followed")]
    LedAway,
    /// It leads on and on: 502.
    #[error("the server that was asked redirects more than {0} times")]
    RedirectedTooOften(usize),
    /// The server cannot be asked: 502.
    #[error(transparent)]
    Unasked(#[from] AskError),
    /// Too many wait for what is asked: 503.
    #[error(transparent)]
    TooManyPending(#[from] TooManyPending),
    /// No answer within `timeout`: 504.
    #[error("the look-up took too long")]
    Timeout,
}

/// Why the sources of a route cannot be used. The operator's fault.
#[derive(Debug, thiserror::Error)]
#[error("route {route:?}: lookup: {}: {error}", path.display())]
pub(crate) struct LoadError {
    route: String,
    path: PathBuf,
    error: Unusable,
}

#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("{0}")]
    Tokens(#[from] io::Error),
    #[error("the file {0}")]
    Key(#[from] KeyError),
}

impl LookupError {
    /// The status of the answer.
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::NoToken | Self::Unknown | Self::Rejected(_) | Self::NotAllowed => StatusCode::FORBIDDEN,
            Self::NoTarget
            | Self::Failed(_)
            | Self::Answered(_)
            | Self::LedAway
            | Self::RedirectedTooOften(_)
            | Self::Unasked(_) => StatusCode::BAD_GATEWAY,
            Self::TooManyPending(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

impl Destination {
    /// The permit.
    pub const fn permit(&self) -> &Permit {
        &self.permit
    }

    /// What to connect, where it was looked up; otherwise it is a backend of the route.
    pub fn found(&self) -> Option<&Backend> {
        self.found.as_ref()
    }

    /// Whether this address of a backend that was looked up may be connected.
    pub(crate) fn allows(&self, address: SocketAddr) -> bool {
        allowed(&self.permit).is_none_or(|patterns| target::address_is_allowed(patterns, address))
    }

    /// Gives the permit on.
    pub fn into_permit(self) -> Permit {
        self.permit
    }
}

impl Lookups {
    /// Reads what has to be read once.
    ///
    /// # Errors
    /// The first source that cannot be used.
    pub(crate) fn load(routes: &[Route]) -> Result<Self, LoadError> {
        let mut sources = HashMap::new();
        let asker: LazyCell<Asker> = LazyCell::new(Asker::new);
        let all = Arc::new(Semaphore::new(AT_ONCE_MAX));
        for route in routes {
            if let Some(Backend::Lookup(lookup)) = route.backends.first() {
                let source = Source::load(route, &lookup.source, &asker)?;
                let questions = Questions::new(route.pending_max);
                let places = Places::of_route(Arc::clone(&all));
                sources.insert(route.name.clone(), RouteLookup { source, questions, places });
            }
        }
        Ok(Self { routes: sources })
    }

    /// Looks up where a client is to be connected; on a route without look-up that is its backend.
    ///
    /// # Errors
    /// Why that is nowhere.
    pub(crate) async fn resolve(
        &self,
        admitted: Admitted<Permit>,
        request: &Request,
    ) -> Result<Destination, LookupError> {
        let permit = admitted.into_inner();
        let Backend::Lookup(lookup) = permit.selected().backend() else {
            return Ok(Destination { permit, found: None });
        };
        let token = token::of(request, &lookup.key)?;
        let known = self.routes.get(&permit.route().name).expect("every route with a look-up was loaded");
        let _asking = if known.source.is_waited_for() { Some(known.questions.begin()?) } else { None };
        let look = async {
            let target = known.ask(token).await?.ok_or(LookupError::Unknown)?;
            known.checked(lookup, target).await
        };
        let target = timeout(lookup.timeout, look).await.map_err(|_elapsed| LookupError::Timeout)??;
        tracing::debug!(route = %permit.route().name, ?target, "looked up");
        let found = Some(target.into_backend(lookup.tls));
        Ok(Destination { permit, found })
    }
}

impl RouteLookup {
    async fn ask(&self, token: String) -> Result<Option<Target>, LookupError> {
        let text = match &self.source {
            Source::File { tokens, complained } => {
                let tokens = Arc::clone(tokens);
                let (found, bad) = self.places.blocking(move || tokens.find(&token)).await?;
                complain(bad, complained);
                found
            }
            Source::InMemory(tokens) => tokens.get(&token).cloned(),
            Source::Directory(folder) => {
                let folder = folder.clone();
                self.places.blocking(move || file::file_name(&folder, &token)).await?
            }
            Source::Http(asker, url) => return web::look(asker, url, &token, web::plain).await,
            Source::Json(asker, url) => return web::look(asker, url, &token, web::json).await,
            Source::Jwt(verifier) => return signed::target(verifier, &token).map(Some),
            Source::Redis(redis) => {
                let value = redis::get(redis, &token).await?;
                return value.map(|value| redis::target(&value).ok_or(LookupError::NoTarget)).transpose();
            }
            Source::UnixDirectory(folder) => {
                let folder = folder.clone();
                return Ok(self.places.blocking(move || file::socket(&folder, &token)).await?);
            }
        };
        text.map(|text| Target::parse(&text).ok_or(LookupError::NoTarget)).transpose()
    }

    /// Checks a Unix socket against `targets`, where links in its path end. An address is checked when its name is resolved.
    async fn checked(&self, lookup: &Lookup, target: Target) -> Result<Target, LookupError> {
        let (Target::Unix(path), Some(patterns)) = (&target, &lookup.targets) else { return Ok(target) };
        let (path, patterns) = (path.clone(), patterns.clone());
        let real = self.places.blocking(move || {
            let real = path.canonicalize()?;
            Ok(target::unix_is_allowed(&patterns, &real).then_some(real))
        });
        real.await?.map(Target::Unix).ok_or(LookupError::NotAllowed)
    }
}

impl Places {
    fn of_route(all: Arc<Semaphore>) -> Self {
        Self { all, own: Arc::new(Semaphore::new(AT_ONCE_OF_ROUTE_MAX)) }
    }

    /// Does what blocks on a thread where it may. Its place is kept until it is done, even if nobody waits any more.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        const NEVER_CLOSED: &str = "the places are never closed";
        let own = Arc::clone(&self.own).acquire_owned().await.expect(NEVER_CLOSED);
        let place = Arc::clone(&self.all).acquire_owned().await.expect(NEVER_CLOSED);
        let done = spawn_blocking(move || {
            let done = work();
            drop((own, place));
            done
        });
        done.await?
    }
}

impl Source {
    /// Whether another server has to answer, or the disk.
    const fn is_waited_for(&self) -> bool {
        match self {
            Self::Http(..) | Self::Json(..) | Self::Redis(_) => true,
            Self::File { .. } | Self::Directory(_) | Self::UnixDirectory(_) => true,
            Self::InMemory(_) | Self::Jwt(_) => false,
        }
    }

    fn load(route: &Route, source: &LookupSource, asker: &LazyCell<Asker>) -> Result<Self, LoadError> {
        let failed =
            |path: &PathBuf, error| LoadError { route: route.name.clone(), path: path.clone(), error };
        Ok(match source {
            LookupSource::File(path) => {
                let tokens = Arc::new(Tokens::of(path.clone()));
                Self::File { tokens, complained: AtomicBool::new(false) }
            }
            LookupSource::ReadOnlyFile(path) => {
                let (tokens, bad) = file::read_all(path).map_err(|error| failed(path, error.into()))?;
                complain(bad, &AtomicBool::new(false));
                Self::InMemory(tokens)
            }
            LookupSource::Directory(path) => Self::Directory(path.clone()),
            LookupSource::UnixDirectory(path) => Self::UnixDirectory(path.clone()),
            LookupSource::Http(url) => Self::Http(Asker::clone(asker), url.clone()),
            LookupSource::Json(url) => Self::Json(Asker::clone(asker), url.clone()),
            LookupSource::Jwt(path) => {
                Self::Jwt(Verifier::load_opening(path).map_err(|error| failed(path, Unusable::Key(error)))?)
            }
            LookupSource::Redis(redis) => Self::Redis(redis.clone()),
        })
    }
}

fn allowed(permit: &Permit) -> Option<&[TargetPattern]> {
    let Backend::Lookup(lookup) = permit.selected().backend() else { return None };
    lookup.targets.as_deref()
}

/// Says once that a file has a bad line, and again only after it was good in between: clients decide how often it is
/// read.
fn complain(bad: Option<BadLine>, complained: &AtomicBool) {
    let is_new = !complained.swap(bad.is_some(), Ordering::Relaxed);
    if let Some(BadLine { path, number }) = bad.filter(|_| is_new) {
        tracing::warn!("{}:{number}: is not TOKEN: HOST:PORT, and is passed over", path.display());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// The disk of one route hangs, and nobody waits any more for what was read from it.
    #[tokio::test]
    async fn t061_a_disk_that_hangs_holds_few_of_the_places_of_all() {
        let all = Arc::new(Semaphore::new(AT_ONCE_MAX));
        let [hung, other] = [(); 2].map(|()| Places::of_route(Arc::clone(&all)));
        let (release, released) = mpsc::channel::<()>();
        let released = Arc::new(std::sync::Mutex::new(released));
        let mut left = Vec::new();
        for _ in 0..AT_ONCE_MAX {
            let released = Arc::clone(&released);
            let mut look = Box::pin(hung.blocking(move || {
                released.lock().unwrap().recv().unwrap_err();
                Ok(())
            }));
            assert!(so_far(&mut look).await.is_none());
            left.push(look);
        }
        assert_eq!(all.available_permits(), AT_ONCE_MAX - AT_ONCE_OF_ROUTE_MAX);
        assert_eq!(other.blocking(|| Ok(7)).await.unwrap(), 7);
        drop(left);
        drop(release);
    }

    /// What a look-up has come to by now.
    async fn so_far<F: Future + Unpin>(look: &mut F) -> Option<F::Output> {
        tokio::select! {
            biased;
            done = look => Some(done),
            () = std::future::ready(()) => None,
        }
    }
}

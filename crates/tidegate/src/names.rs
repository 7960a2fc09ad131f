//! The addresses of names, as the system knows them.
//!
//! The system takes a thread for each question, and where a server of names hangs it keeps it for half a minute and more,
//! long after whoever asked has given up. So those who want the same name share a question, and the questions that are
//! under way at once are bounded: files, passwords and other names need threads too.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::clock;

/// Questions under way at once. Each takes one of the 512 threads that a worker has for what blocks.
const AT_ONCE_MAX: usize = 128;

/// And for one name.
const OF_NAME_MAX: usize = 8;

/// How long those who come share the question before: one that was lost on its way must not make all of them wait until it
/// is repeated.
const SHARED_FOR: Duration = Duration::from_secs(1);

/// What the system is asked for just now.
static ASKED: LazyLock<Names> = LazyLock::new(Names::default);

/// Names that are asked for.
#[derive(Debug, Default)]
struct Names(Mutex<HashMap<String, Name>>);

/// One of them.
#[derive(Debug, Default)]
struct Name {
    /// Where the first answer will be told, and when the last question for it began.
    wanted: Option<(watch::Sender<Option<Answer>>, Instant)>,
    under_way: usize,
}

/// Without a port: that is the asker's.
type Answer = Result<Vec<SocketAddr>, Failure>;

/// An error that can be told to several.
#[derive(Debug, Clone)]
struct Failure {
    of_the_system: Option<i32>,
    text: String,
}

/// A question that is under way, until this is dropped.
struct Question {
    names: &'static Names,
    host: String,
    tell: watch::Sender<Option<Answer>>,
}

/// The addresses of a host with this port, in the order that the system prefers.
///
/// # Errors
/// It has none, or nobody can tell; [`io::ErrorKind::ResourceBusy`] where too many questions are under way.
pub(crate) async fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let mut answer = ASKED.ask(host)?;
    let answer = answer.wait_for(Option::is_some).await.map(|answer| answer.clone());
    // An answer that never comes: whoever asked the system has died with its worker.
    let found = answer.ok().flatten().ok_or(io::ErrorKind::Interrupted)?;
    let mut found = found.map_err(Failure::into_error)?;
    found.iter_mut().for_each(|address| address.set_port(port));
    Ok(found)
}

fn resolve(host: &str) -> Answer {
    let found = (host, 0).to_socket_addrs();
    let found =
        found.map_err(|error| Failure { of_the_system: error.raw_os_error(), text: error.to_string() });
    found.map(Iterator::collect)
}

impl Names {
    /// Where the answer will stand, to a question that is under way or begins now.
    fn ask(&'static self, host: &str) -> io::Result<watch::Receiver<Option<Answer>>> {
        let now = clock::now();
        let mut all = self.locked();
        let under_way: usize = all.values().map(|name| name.under_way).sum();
        let of_name = all.get(host).map_or(0, |name| name.under_way);
        let may_ask = under_way < AT_ONCE_MAX && of_name < OF_NAME_MAX;
        let wanted = all.get(host).and_then(|name| name.wanted.as_ref());
        match wanted {
            Some((tell, since)) if !may_ask || now < *since + SHARED_FOR => return Ok(tell.subscribe()),
            None if !may_ask => {
                let text = "too many names are being resolved, or this one too often";
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
            }
            Some(_) | None => {}
        }
        let name = all.entry(host.to_owned()).or_default();
        let (tell, since) = name.wanted.get_or_insert_with(|| (watch::channel(None).0, now));
        *since = now;
        name.under_way += 1;
        let question = Question { names: self, host: host.to_owned(), tell: tell.clone() };
        drop(all);
        let answer = question.tell.subscribe();
        spawn_blocking(move || question.answer(resolve(&question.host)));
        Ok(answer)
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, Name>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Question {
    /// Tells all who wait; whoever comes then asks anew.
    fn answer(&self, answer: Answer) {
        if let Some(name) = self.names.locked().get_mut(&self.host) {
            name.wanted.take_if(|(tell, _)| tell.same_channel(&self.tell));
        }
        self.tell.send_replace(Some(answer));
    }
}

impl Failure {
    fn into_error(self) -> io::Error {
        self.of_the_system.map_or_else(|| io::Error::other(self.text), io::Error::from_raw_os_error)
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        let mut all = self.names.locked();
        let Some(name) = all.get_mut(&self.host) else { return };
        name.under_way -= 1;
        if name.under_way == 0 {
            all.remove(&self.host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_is_no_question_and_a_name_is_asked_for_anew() {
        for _ in 0..3 {
            let found = addresses("localhost", 80).await.unwrap();
            assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 80));
        }
        assert_eq!(addresses("::1", 80).await.unwrap(), ["[::1]:80".parse().unwrap()]);
    }

    #[test]
    fn t061_questions_are_bounded_for_one_name_and_for_all() {
        let names: &'static Names = Box::leak(Box::default());
        let under_way = |host: &str, count| {
            names.locked().insert(host.to_owned(), Name { wanted: None, under_way: count });
        };
        let is_busy =
            |host: &str| names.ask(host).is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy);
        under_way("one.test", OF_NAME_MAX);
        assert!(is_busy("one.test"));
        under_way("many.test", AT_ONCE_MAX);
        assert!(is_busy("other.test"));
    }
}

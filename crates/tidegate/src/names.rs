//! The addresses of names, as the system knows them.
//!
//! The system takes a thread for each question, and where a server of names hangs it keeps it for half a minute and more,
//! long after whoever asked has given up. So a name is asked for once at a time, for all who want it, and the names that
//! are asked for at once are bounded: files, passwords and other names need threads too.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::spawn_blocking;

/// Names that are asked for at once. Each takes one of the 512 threads that a worker has for what blocks.
const AT_ONCE_MAX: usize = 128;

/// What the system is asked for just now.
static ASKED: LazyLock<Mutex<HashMap<String, watch::Receiver<Option<Answer>>>>> =
    LazyLock::new(Mutex::default);

/// Without a port: that is the asker's.
type Answer = Result<Vec<SocketAddr>, Failure>;

/// An error that can be told to several.
#[derive(Debug, Clone)]
struct Failure {
    of_the_system: Option<i32>,
    text: String,
}

/// A name is being asked for, until this is dropped: whoever comes then asks anew.
struct Asking(String);

/// The addresses of a host with this port, in the order that the system prefers.
///
/// # Errors
/// It has none, or nobody can tell; [`io::ErrorKind::ResourceBusy`] where too many other names are being asked for.
pub(crate) async fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let mut answer = asked(host)?;
    let answer = answer.wait_for(Option::is_some).await.map(|answer| answer.clone());
    // An answer that never comes: whoever asked the system has died with its worker.
    let found = answer.ok().flatten().ok_or(io::ErrorKind::Interrupted)?;
    let mut found = found.map_err(Failure::into_error)?;
    found.iter_mut().for_each(|address| address.set_port(port));
    Ok(found)
}

/// Where the answer will stand, to a question that is under way or begins now.
fn asked(host: &str) -> io::Result<watch::Receiver<Option<Answer>>> {
    let mut all = locked();
    if let Some(answer) = all.get(host) {
        return Ok(answer.clone());
    }
    if all.len() >= AT_ONCE_MAX {
        let text = format!("{AT_ONCE_MAX} other names are being resolved");
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
    }
    let (tell, answer) = watch::channel(None);
    all.insert(host.to_owned(), answer.clone());
    drop(all);
    let asking = Asking(host.to_owned());
    spawn_blocking(move || {
        let found = resolve(&asking.0);
        drop(asking);
        tell.send_replace(Some(found));
    });
    Ok(answer)
}

fn resolve(host: &str) -> Answer {
    let found = (host, 0).to_socket_addrs();
    let found =
        found.map_err(|error| Failure { of_the_system: error.raw_os_error(), text: error.to_string() });
    found.map(Iterator::collect)
}

fn locked() -> MutexGuard<'static, HashMap<String, watch::Receiver<Option<Answer>>>> {
    ASKED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Failure {
    fn into_error(self) -> io::Error {
        self.of_the_system.map_or_else(|| io::Error::other(self.text), io::Error::from_raw_os_error)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        locked().remove(&self.0);
    }
}

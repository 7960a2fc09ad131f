//! Sockets that the process was started with: by a `.socket` unit of systemd, or by whatever else speaks its protocol
//! (`LISTEN_FDS`, `LISTEN_PID`, `LISTEN_FDNAMES`), or by the process of the gateway that it takes the place of.

use std::env;
use std::io;
use std::os::fd::OwnedFd;

use listenfd::ListenFd;
use socket2::{SockAddr, Socket};

use super::handed::{self, Handed};
use crate::config::ListenAddress;
use crate::handover::message;

/// All of them that no listener has taken yet.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    given: Vec<Given>,
    handed: Vec<Handed>,
    /// Which of those that were handed over are taken.
    taken: Vec<usize>,
}

/// A socket that a listener has taken.
#[derive(Debug)]
pub(super) struct InheritedSocket {
    pub(super) socket: Socket,
    /// A gateway has bound it: it has our options, and its file is ours.
    pub(super) own: bool,
}

/// A socket of a service manager's.
#[derive(Debug)]
struct Given {
    /// `FileDescriptorName=` of its unit.
    name: String,
    /// Where it listens.
    address: ListenAddress,
    socket: Socket,
}

impl Inherited {
    /// All that there are. Asked a second time there are none: what the environment said is removed from it, so that no
    /// process that is started here takes itself for the one that is meant.
    ///
    /// # Errors
    /// One of them is no socket that listens for connections.
    pub(crate) fn take_from_environment() -> io::Result<Self> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut descriptors = ListenFd::from_env();
        let count = descriptors.len();
        let given = |index| Given::new(names.next().unwrap_or(""), adopt(&mut descriptors, index)?);
        let given = (0..count).map(given).collect::<io::Result<_>>()?;
        Ok(Self { given, ..Self::default() })
    }

    /// Adds one that another process of the gateway has handed over.
    ///
    /// # Errors
    /// It is no socket that listens for connections.
    pub(crate) fn hand(&mut self, about: message::Listener, descriptor: OwnedFd) -> io::Result<()> {
        let index = self.handed.len();
        self.handed.push(Handed::new(index, about, descriptor)?);
        Ok(())
    }

    /// Which of those that were handed over were taken.
    pub(crate) fn taken(&self) -> &[usize] {
        &self.taken
    }

    /// That of the admin listener at this address.
    pub(super) fn take_admin(&mut self, address: &ListenAddress) -> Option<InheritedSocket> {
        handed::take(&mut self.handed, address, true, &mut self.taken).pop()
    }

    /// Those that a listener with this address is to have: of that name, or at that address.
    pub(super) fn take(&mut self, address: &ListenAddress) -> Vec<InheritedSocket> {
        let handed = handed::take(&mut self.handed, address, false, &mut self.taken);
        if !handed.is_empty() {
            return handed;
        }
        let fits = |given: &mut Given| match address {
            ListenAddress::Systemd(name) => given.name == *name,
            ListenAddress::Tcp(_) | ListenAddress::Unix(_) | ListenAddress::Abstract(_) => {
                given.address == *address
            }
            ListenAddress::Stdin => false,
        };
        let given = self.given.extract_if(.., fits);
        given.map(|given| InheritedSocket { socket: given.socket, own: false }).collect()
    }

    /// Names, for a sentence.
    pub(super) fn names(&self) -> String {
        let names: Vec<_> = self.given.iter().map(|given| format!("{:?}", given.name)).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }

    /// Says which were taken by nobody.
    pub(crate) fn warn_of_unused(&self) {
        for Given { name, address, .. } in &self.given {
            tracing::warn!(
                "the socket {name:?} at {address} was given to this process, but no [[listener]] has it; \
                 write address = \"systemd:{name}\" or \"{address}\""
            );
        }
    }
}

impl Given {
    fn new(name: &str, socket: Socket) -> io::Result<Self> {
        let refused = |why: &str| io::Error::other(format!("the socket {name:?} {why}"));
        let address = address(&socket.local_addr()?).ok_or_else(|| refused("has no address"))?;
        if !socket.is_listener()? {
            return Err(refused("does not listen; set Accept=no in its unit"));
        }
        socket.set_nonblocking(true)?;
        Ok(Self { name: name.to_owned(), address, socket })
    }
}

/// Of IP or Unix, whichever it is.
fn adopt(descriptors: &mut ListenFd, index: usize) -> io::Result<Socket> {
    let adopted = match descriptors.take_tcp_listener(index) {
        Ok(listener) => listener.map(OwnedFd::from),
        Err(_) => descriptors.take_unix_listener(index)?.map(OwnedFd::from),
    };
    adopted.map(Socket::from).ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn address(address: &SockAddr) -> Option<ListenAddress> {
    if let Some(tcp) = address.as_socket() {
        return Some(ListenAddress::Tcp(tcp));
    }
    if let Some(name) = address.as_abstract_namespace() {
        return Some(ListenAddress::Abstract(String::from_utf8_lossy(name).into_owned()));
    }
    address.as_pathname().map(|path| ListenAddress::Unix(path.to_owned()))
}

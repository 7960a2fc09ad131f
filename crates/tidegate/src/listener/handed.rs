//! Listening sockets that another process of the gateway has handed over, together with who had them there.

use std::io;
use std::os::fd::OwnedFd;

use socket2::Socket;

use super::inherited::InheritedSocket;
use super::unix::SocketFile;
use crate::config::ListenAddress;
use crate::handover::message;

/// One of them, which no listener has taken yet.
#[derive(Debug)]
pub(super) struct Handed {
    /// Its place in the list of the other process.
    index: usize,
    about: message::Listener,
    socket: Socket,
}

impl Handed {
    /// # Errors
    /// It does not listen.
    pub(super) fn new(index: usize, about: message::Listener, descriptor: OwnedFd) -> io::Result<Self> {
        let socket = Socket::from(descriptor);
        if !socket.is_listener()? {
            let why = format!("the socket that was handed over for {} does not listen", about.address);
            return Err(io::Error::other(why));
        }
        Ok(Self { index, about, socket })
    }
}

/// Takes those of the first listener that had this address, and notes which they are.
pub(super) fn take(
    handed: &mut Vec<Handed>,
    address: &ListenAddress,
    admin: bool,
    noted: &mut Vec<usize>,
) -> Vec<InheritedSocket> {
    let address = address.to_string();
    let fits = |about: &message::Listener| about.admin == admin && about.address == address;
    let Some(group) = handed.iter().find(|one| fits(&one.about)).map(|one| one.about.group) else {
        return Vec::new();
    };
    let taken = handed.extract_if(.., |one| fits(&one.about) && one.about.group == group);
    taken
        .map(|one| {
            noted.push(one.index);
            InheritedSocket { socket: one.socket, own: one.about.own }
        })
        .collect()
}

/// The file of a socket that a gateway has bound, if it has one. It is not removed before it is said to be ours.
pub(super) fn file(address: &ListenAddress, own: bool) -> Option<SocketFile> {
    match address {
        ListenAddress::Unix(path) if own => SocketFile::adopt(path).ok(),
        ListenAddress::Unix(_)
        | ListenAddress::Tcp(_)
        | ListenAddress::Abstract(_)
        | ListenAddress::Systemd(_)
        | ListenAddress::Stdin => None,
    }
}

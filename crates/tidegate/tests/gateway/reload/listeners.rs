//! Listeners that come, go and stay.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;

use tidegate_testkit::{Backend, Request, Wire, eventually};

use super::{echo, status, with_echo};

fn open(address: SocketAddr) -> Wire {
    let mut client = Wire::connect(address);
    client.send(Request::upgrade("/echo").encode());
    assert_eq!(client.read_head().status(), 101);
    client
}

#[test]
fn f39_listeners_come_and_go_and_their_connections_stay() {
    let address = Backend::refusing();
    let one = with_echo("/echo");
    let two = one.clone().tables(&format!("[[listener]]\naddress = '{address}'"));
    let gateway = one.start();
    let told = gateway.reload(&two);
    assert!(told.contains("listeners: 1 added, 0 removed"), "{told}");
    let mut there = open(address);
    let told = gateway.reload(&one);
    assert!(told.contains("listeners: 0 added, 1 removed"), "{told}");
    eventually("nobody listens there", || TcpStream::connect(address).is_err().then_some(()));
    echo(&mut there);
    echo(&mut gateway.open("/echo"));
    drop(there);
    gateway.finish();
}

/// The socket of an address that stays is never closed; what else the listener says holds for whoever comes.
#[test]
fn f39_a_listener_that_stays_is_served_as_it_is_now() {
    let plain = with_echo("/echo");
    let gateway = plain.start();
    let mut there = gateway.open("/echo");
    gateway.reload(&plain.clone().listener("server_names = ['other.test']"));
    assert_eq!(status(&gateway, "/echo"), 421);
    gateway.reload(&plain);
    assert_eq!(status(&gateway, "/echo"), 101);
    echo(&mut there);
    drop(there);
    gateway.finish();
}

#[test]
fn f39_unix_sockets_too() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("gw.sock");
    let one = with_echo("/echo");
    let with_mode = |mode: &str| {
        let address = format!("[[listener]]\naddress = 'unix:{}'\nsocket_mode = '{mode}'", socket.display());
        one.clone().tables(&address)
    };
    let mode = || socket.metadata().unwrap().permissions().mode() & 0o777;
    let gateway = one.start();
    gateway.reload(&with_mode("0600"));
    assert_eq!(mode(), 0o600);
    gateway.reload(&with_mode("0666"));
    assert_eq!(mode(), 0o666);
    UnixStream::connect(&socket).unwrap();
    gateway.reload(&one);
    eventually("its file is gone", || (!socket.exists()).then_some(()));
    gateway.finish();
}

/// Somebody has cleaned up in `/run`: a reload is how an operator gets it back, without a restart.
#[test]
fn f39_a_unix_socket_whose_file_was_removed_is_back_after_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("gw.sock");
    let one = with_echo("/echo");
    let served = one.clone().tables(&format!("[[listener]]\naddress = 'unix:{}'", socket.display()));
    let gateway = one.start();
    gateway.reload(&served);
    let identity = || socket.metadata().unwrap().ino();
    let before = identity();
    gateway.reload(&served);
    assert_eq!(identity(), before, "what is there stays");
    std::fs::remove_file(&socket).unwrap();
    let told = gateway.reload(&served);
    assert!(told.contains("listeners: 1 added, 1 removed"), "{told}");
    UnixStream::connect(&socket).unwrap();
    gateway.reload(&one);
    eventually("the new one is gone with its listener", || (!socket.exists()).then_some(()));
    gateway.finish();
}

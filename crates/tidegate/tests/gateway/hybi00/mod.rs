//! Clients of hybi-00, the protocol before RFC 6455, on routes with `legacy = "hybi-00"`.

mod endings;
mod hostile;
mod messages;
mod opening;
mod translated;

use tidegate_testkit::{Hybi00, Wire};

use crate::rig::{Far, Rig, Session};

/// Text to and from the backend.
pub(crate) const TEXT: &str = "legacy = 'hybi-00'\nmessage = 'text'";

/// Bytes, which travel as base64.
pub(crate) const BINARY: &str = "legacy = 'hybi-00'";

fn path(far: Far) -> &'static str {
    match far {
        Far::Echo => "/echo",
        Far::Tcp => "/tcp",
        Far::Ws => "/ws",
    }
}

/// An open connection of a hybi-00 client.
#[track_caller]
pub(crate) fn open(rig: &Rig, far: Far) -> Session {
    let mut client = rig.gateway.connect();
    client.send(Hybi00::FIRST.request(path(far)).encode());
    client.send(Hybi00::FIRST.key3);
    let backend = accept(rig, far);
    expect_answer(&mut client);
    match backend {
        None => client.into(),
        Some(backend) => (client, backend).into(),
    }
}

/// What the gateway opens for a client of this route.
#[track_caller]
fn accept(rig: &Rig, far: Far) -> Option<Wire> {
    match far {
        Far::Echo => None,
        Far::Tcp => Some(rig.tcp.accept()),
        Far::Ws => Some(rig.ws.accept_websocket().0),
    }
}

/// The whole answer to [`Hybi00::FIRST`].
#[track_caller]
fn expect_answer(client: &mut Wire) {
    assert_eq!(client.read_head().line, "HTTP/1.1 101 WebSocket Protocol Handshake");
    assert_eq!(client.read_exact(16), Hybi00::FIRST.proof);
}

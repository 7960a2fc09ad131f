//! Look-ups: a token decides where a client is connected, and nothing else does.

mod files;
mod servers;
mod signed;
mod targets;

use tidegate_testkit::{Backend, Gateway, Head, Request, Wire};

/// The first lines of a test's route: `lookup` with these keys.
fn route(lookup: &str) -> String {
    format!("[[route]]\nname = 'vnc'\npath = '/vnc'\nlookup = {{ {lookup} }}\n")
}

/// Asks for a WebSocket at `/vnc` with this query.
fn ask(gateway: &Gateway, query: &str) -> Wire {
    send(gateway, &Request::upgrade(&format!("/vnc?{query}")))
}

fn send(gateway: &Gateway, request: &Request) -> Wire {
    let mut client = gateway.connect();
    client.send(request.encode());
    client
}

/// That this query leads to the backend, whose greeting arrives.
#[track_caller]
fn leads_to(gateway: &Gateway, query: &str, backend: &Backend) {
    let mut client = ask(gateway, query);
    let mut far = backend.accept();
    assert_eq!(client.read_head().status(), 101);
    far.send("RFB 003.008\n");
    assert_eq!(client.read_frame().payload, b"RFB 003.008\n");
}

/// That a client is answered with this status, and its connection ends.
#[track_caller]
fn refused(mut client: Wire, status: u16) -> (Head, String) {
    let (head, body) = client.read_response();
    assert_eq!(head.status(), status, "{body}");
    client.expect_fin();
    (head, body)
}

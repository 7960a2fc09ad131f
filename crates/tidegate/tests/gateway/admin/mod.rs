//! The admin listener of the built gateway: who is let in, and whether what it says is so.

mod access;
mod connections;
mod described;
mod exposition;
mod metrics;
mod reload;

use std::net::SocketAddr;

use serde_json::Value;
use tidegate_testkit::{Gateway, Head, Request, Wire, eventually};

use self::exposition::Exposition;

/// At the top of the file: the admin listener on a free port.
pub(crate) const ADMIN: &str = "admin = '127.0.0.1:0'";

/// Where the admin listener is.
#[track_caller]
pub(crate) fn address(gateway: &Gateway) -> SocketAddr {
    let line = gateway.diagnosis("admin listener on ");
    line.rsplit(' ').next().unwrap().trim().parse().unwrap()
}

/// A request as a well-behaved client of the admin listener makes it.
pub(crate) fn request(method: &str, target: &str) -> Request {
    let request = Request::get(target).line(&format!("{method} {target} HTTP/1.1")).set("Host", "127.0.0.1");
    if method == "GET" { request } else { request.with("X-Tidegate", "1") }
}

/// The answer to a request.
#[track_caller]
pub(crate) fn ask(gateway: &Gateway, request: &Request) -> (Head, String) {
    let mut wire = Wire::connect(address(gateway));
    wire.send(request.clone().with("Connection", "close").encode());
    wire.read_response()
}

/// The status of the answer.
#[track_caller]
pub(crate) fn status(gateway: &Gateway, request: &Request) -> u16 {
    ask(gateway, request).0.status()
}

/// What is at a path.
#[track_caller]
pub(crate) fn get(gateway: &Gateway, target: &str) -> Value {
    let (head, body) = ask(gateway, &request("GET", target));
    assert_eq!(head.status(), 200, "{body}");
    assert_eq!(head.field("Content-Type"), Some("application/json"));
    serde_json::from_str(&body).unwrap()
}

/// The list of the WebSockets that are open, when it has so many: one enters it right behind its 101.
#[track_caller]
pub(crate) fn listed(gateway: &Gateway, count: usize) -> Value {
    eventually("all of them are listed", || {
        Some(get(gateway, "/connections?limit=1000")).filter(|page| page["total"] == count)
    })
}

/// All metrics as they are now.
#[track_caller]
pub(crate) fn scrape(gateway: &Gateway) -> Exposition {
    let (head, body) = ask(gateway, &request("GET", "/metrics"));
    assert_eq!(head.status(), 200);
    assert_eq!(
        head.field("Content-Type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    Exposition::parse(&body)
}

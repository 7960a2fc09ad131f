//! Hosts and ports as `backend` has them.

use super::position::Position;
use super::value::{Item, Value};
use crate::config;
use crate::import::report::Report;

/// The backends of one key, and what goes with connecting to them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Backends {
    pub(super) urls: Vec<String>,
    /// In seconds; the longest of them.
    pub(super) connect_timeout: u64,
    /// In seconds; the longest of them.
    pub(super) disable_time: u64,
}

/// Which module is asked for backends, and in what form it has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `tcp://`, and `unix:` for what is a path.
    Raw,
    /// `http://`, which has no Unix sockets.
    Http,
}

/// The hosts under one key of `wstunnel.server` or `proxy.server`. `None`: none that can be used.
pub(super) fn of_key(
    key: &Item,
    directive: &str,
    kind: Kind,
    report: &mut Report<Position>,
) -> Option<Backends> {
    let what = format!("{directive} {:?}", key.key.as_deref().unwrap_or_default());
    let Some(hosts) = key.value.as_list() else {
        report.without(&key.at, what, "is no list of hosts");
        return None;
    };
    let mut backends = Backends { urls: Vec::new(), connect_timeout: 1, disable_time: 0 };
    // One host without a list around it is written as well, though it is not in the manual.
    let is_bare = hosts.iter().any(|item| matches!(item.key.as_deref(), Some("host" | "port" | "socket")));
    let each: Vec<&Value> =
        if is_bare { vec![&key.value] } else { hosts.iter().map(|host| &host.value).collect() };
    for host in each {
        check_options(host, &what, report);
        match url(host, kind) {
            Ok(url) => backends.urls.push(url),
            Err(why) => report.without(&key.at, &what, why),
        }
        let seconds = |option: &str| host.entry(option).and_then(|item| item.value.as_number());
        let connect_timeout = seconds("connect-timeout").unwrap_or(CONNECT_TIMEOUT);
        backends.connect_timeout = backends.connect_timeout.max(connect_timeout.min(TIME_MAX));
        let disable_time = seconds("disable-time").unwrap_or(DISABLE_TIME);
        backends.disable_time = backends.disable_time.max(disable_time.min(TIME_MAX));
    }
    backends.urls.dedup();
    if backends.urls.is_empty() {
        report.without(&key.at, what, "has no host that can be reached: no route is made of it");
        return None;
    }
    Some(backends)
}

fn url(host: &Value, kind: Kind) -> Result<String, String> {
    let text = |option: &str| host.entry(option).and_then(|item| item.value.as_text());
    let name = text("host").filter(|name| !name.is_empty());
    let path = text("socket").or(name.filter(|name| name.starts_with('/')));
    match (path, kind) {
        (Some(path), Kind::Raw) => {
            let url = format!("unix:{path}");
            return config::check_backend(&url).map(|()| url).map_err(|why| format!("{path:?} {why}"));
        }
        (Some(path), Kind::Http) => {
            return Err(format!("{path} is a Unix socket, and http:// backends are reached over TCP"));
        }
        (None, _) => {}
    }
    let name = match (name, host.entry("bin-path")) {
        (Some(name), _) => name,
        (None, Some(_)) => "127.0.0.1",
        (None, None) => return Err("a host without host and socket".to_owned()),
    };
    let port = match host.entry("port") {
        Some(port) => port_number(&port.value)?,
        None => 80,
    };
    let scheme = if kind == Kind::Raw { "tcp" } else { "http" };
    Ok(format!("{scheme}://{}", authority(name, port)?))
}

/// `host:port`, with brackets where the host has colons.
pub(super) fn authority(host: &str, port: u16) -> Result<String, String> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if bare.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok(format!("[{bare}]:{port}"));
    }
    let authority = format!("{bare}:{port}");
    // By the rule that what comes of it is read with.
    let is_one = config::check_backend(&format!("tcp://{authority}")).is_ok();
    if is_one { Ok(authority) } else { Err(format!("{host:?} is no host")) }
}

/// A number, or a string of digits.
pub(super) fn port_number(value: &Value) -> Result<u16, String> {
    let port = value.as_number().and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0);
    port.ok_or_else(|| "a port that is none: 1 to 65535 are".to_owned())
}

/// What is said about a host besides its address.
fn check_options(host: &Value, what: &str, report: &mut Report<Position>) {
    for item in host.as_list().unwrap_or_default() {
        let Some(option) = item.key.as_deref() else { continue };
        let is_zero = item.value.as_number() == Some(0);
        let why = match option {
            "host" | "port" | "socket" | "connect-timeout" | "disable-time" => continue,
            "check-local" | "upgrade" | "tcp-fin-propagate" => continue,
            "read-timeout" | "write-timeout" if is_zero => continue,
            "read-timeout" | "write-timeout" => "a backend may be silent for as long as it likes",
            "bin-path" => "backends are not started here: have the system start it",
            "bin-environment"
            | "bin-copy-environment"
            | "kill-signal"
            | "listen-backlog"
            | "idle-timeout"
            | "max-procs"
            | "min-procs"
            | "max-load-per-proc" => "backends are not started here",
            _ => "is not known",
        };
        report.without(&item.at, format!("{what} {option}"), why);
    }
}

/// lighttpd's own defaults.
const CONNECT_TIMEOUT: u64 = 8;
const DISABLE_TIME: u64 = 1;
/// What the gateway takes for either: an hour.
const TIME_MAX: u64 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities() {
        for (host, written) in
            [("a", "a:80"), ("::1", "[::1]:80"), ("[::1]", "[::1]:80"), ("10.0.0.1", "10.0.0.1:80")]
        {
            assert_eq!(authority(host, 80).as_deref(), Ok(written));
        }
        for host in ["", "a b", "a/b", "a:1", "ü", "127.0..1", "a.", "a?"] {
            assert!(authority(host, 80).is_err(), "{host}");
        }
    }

    #[test]
    fn ports_are_numbers_or_strings_of_digits() {
        assert_eq!(port_number(&Value::Number(5900)), Ok(5900));
        assert_eq!(port_number(&Value::Text("5900".to_owned())), Ok(5900));
        for value in
            [Value::Number(0), Value::Number(65536), Value::Text("vnc".to_owned()), Value::List(Vec::new())]
        {
            assert!(port_number(&value).is_err(), "{value:?}");
        }
    }
}

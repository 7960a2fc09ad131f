//! Every key of the configuration, as data: where it stands, its default and what it takes.
//!
//! The reader takes bounds and defaults from here, unknown keys are told from known ones here, and the reference in
//! `docs/configuration.md` is compared with this list by a test.

use std::fmt;
use std::time::Duration;

use crate::config::value::{self, show_duration, show_size};

/// One key.
#[derive(Debug)]
pub(in crate::config) struct Key {
    pub(in crate::config) place: Place,
    pub(in crate::config) name: &'static str,
    /// As it would be written for a key that has a value by default, otherwise in words.
    pub(in crate::config) default: &'static str,
    pub(in crate::config) takes: Takes,
}

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Place {
    Top,
    Listener,
    /// Within `tls = { … }`.
    Tls,
    Route,
    /// Within `backend_tls = { … }`.
    BackendTls,
    /// Within `lookup = { … }`.
    Lookup,
    /// Within `record = { … }`.
    Record,
    /// Within `auth = { … }`.
    Auth,
}

/// What a key takes. Bounds are inclusive.
#[derive(Debug)]
pub(in crate::config) enum Takes {
    /// A whole number.
    Count { min: u64, max: u64 },
    /// A duration; with `off`, 0 as well.
    Duration { off: bool, min: Duration, max: Duration },
    /// A number of bytes.
    Size { min: u64, max: u64 },
    /// `true` or `false`.
    Flag,
    /// One string, described here.
    Text(&'static str),
    /// Something of its own, described here.
    Other(&'static str),
}

/// The key of this name at this place, if there is one.
pub(in crate::config) fn find(place: Place, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.place == place && key.name == name)
}

/// All keys of one place, in the order of the reference.
pub(in crate::config) fn of(place: Place) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.place == place)
}

impl Key {
    /// A value that it takes, for an error about a number: its default, or where that is off or in words, another one.
    pub(in crate::config) fn example(&self) -> Option<String> {
        match self.takes {
            Takes::Count { min, max } => {
                let default = self.default.parse().ok().filter(|number| *number > 0);
                let usual = if max > FEW { FEW } else { 4 };
                Some(default.unwrap_or(usual).clamp(min, max).to_string())
            }
            Takes::Duration { min, max, .. } => {
                let default = value::duration(self.default).ok().filter(|time| !time.is_zero());
                let time = default.unwrap_or(Duration::from_secs(600)).clamp(min, max);
                Some(format!("\"{}\"", show_duration(time)))
            }
            Takes::Size { min, max } => {
                let size = value::size(self.default).unwrap_or(64 << 20).clamp(min, max);
                Some(format!("\"{}\"", show_size(size)))
            }
            Takes::Flag | Takes::Text(_) | Takes::Other(_) => None,
        }
    }
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Duration { off, min, max } => {
                let off = if *off { ", or 0 for off" } else { "" };
                write!(f, "a duration from {} to {}{off}", show_duration(*min), show_duration(*max))
            }
            Self::Size { min, max } => write!(f, "a size from {} to {}", show_size(*min), show_size(*max)),
            Self::Flag => f.write_str("true or false"),
            Self::Text(text) | Self::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Top => "the top of the file, above the first [[listener]] or [[route]]",
            Self::Listener => "a [[listener]]",
            Self::Tls => "tls = { … } of a [[listener]]",
            Self::Route => "a [[route]]",
            Self::BackendTls => "backend_tls = { … } of a [[route]]",
            Self::Lookup => "lookup = { … } of a [[route]]",
            Self::Record => "record = { … } of a [[route]]",
            Self::Auth => "auth = { … } of a [[route]]",
        })
    }
}

/// Every key, in the order of the reference.
#[rustfmt::skip]
pub(in crate::config) const KEYS: &[Key] = &[
    top("workers", "0", Takes::Count { min: 0, max: 1024 }),
    top("max_connections", "what the descriptor limit allows", Takes::Count { min: 1, max: CONNECTIONS_MAX }),
    top("max_connections_per_client", "0", Takes::Count { min: 0, max: CONNECTIONS_MAX }),
    top("max_handshakes", "1000", Takes::Count { min: 1, max: CONNECTIONS_MAX }),
    top("max_buffered", "a quarter of the memory", Takes::Size { min: BUFFERED_BYTES_MIN, max: BYTES_MAX }),
    top("admin", "none", Takes::Text(r#"an IP address and a port, such as "127.0.0.1:9090", or "unix:PATH""#)),
    top("admin_token_file", "none", Takes::Text("the name of a file with a token")),
    top("admin_tls", "none", Takes::Other(r#"{ cert = "FILE", key = "FILE" }"#)),
    top("admin_client_ca", "none", Takes::Text("the name of a PEM file")),
    top("admin_names", "[]", Takes::Other(r#"a list of host names, such as ["gateway.example.com"]"#)),
    top("drain", "30s", Takes::Duration { off: true, min: MOMENT, max: HOUR }),
    top("drain_rate", "500", Takes::Count { min: 1, max: 1_000_000 }),
    top("access_log", "stdout", Takes::Text(r#""stdout", "stderr", "off" or "file:PATH""#)),
    top("listener", "one on 127.0.0.1:8080", Takes::Other("tables, each under its own [[listener]]")),
    top("route", "none", Takes::Other("tables, each under its own [[route]]")),

    listener("address", "none", Takes::Text(r#"an IP address and a port, such as "0.0.0.0:8080", "unix:PATH" or "systemd:NAME""#)),
    listener("socket_mode", "0660", Takes::Text(r#"octal permissions, such as "0660""#)),
    listener("tls", "none", Takes::Other(r#"{ cert = "FILE", key = "FILE" }, a list of them, or "auto""#)),
    listener("cert", "none", Takes::Text(r#"the name of a PEM file, beside tls = "auto""#)),
    listener("key", "none", Takes::Text(r#"the name of a PEM file, beside tls = "auto""#)),
    listener("key_password_file", "none", Takes::Text(r#"the name of a file, beside tls = "auto""#)),
    listener("tls_min_version", "1.2", Takes::Text(r#""1.2" or "1.3""#)),
    listener("tls_hand_over", "false", Takes::Flag),
    listener("client_cert", "none", Takes::Text(r#""optional" or "required""#)),
    listener("client_ca", "the system's", Takes::Text("the name of a PEM file")),
    listener("trusted_proxies", "[]", Takes::Other(r#"a list of networks, such as ["10.0.0.0/8", "::1"], or "unix:""#)),
    listener("proxy_protocol", "false", Takes::Flag),
    listener("lenient_key", "false", Takes::Flag),
    listener("server_names", "any", Takes::Other(r#"a list of host names, such as ["example.com"]"#)),
    listener("head_timeout", "10s", Takes::Duration { off: false, min: MOMENT, max: HOUR }),
    listener("tls_timeout", "10s", Takes::Duration { off: false, min: MOMENT, max: HOUR }),

    tls("cert", "none", Takes::Text("the name of a PEM file")),
    tls("key", "none", Takes::Text("the name of a PEM file")),
    tls("key_password_file", "none", Takes::Text("the name of a file with a password")),

    route("name", "its path", Takes::Text("a string of 1 to 64 printable characters")),
    route("host", "any", Takes::Text(r#"a host name, such as "example.com" or "*.example.com""#)),
    route("path", "none", Takes::Text(r#""/exact", "/prefix/*" or "~regex""#)),
    route("backend", "none", Takes::Other(r#"a URL, such as "tcp://127.0.0.1:5900", or a list of URLs"#)),
    route("lookup", "none", Takes::Other("{ kind, source }, in place of backend")),
    route("auth", "none", Takes::Other("{ kind } and what that kind needs")),
    route("backend_tls", "the system's trust", Takes::Other(r#"{ ca = "FILE", verify = true, server_name = "NAME" }"#)),
    route("origins", "same origin", Takes::Other(r#"a list of origins, such as ["https://example.com"]"#)),
    route("allow_missing_origin", "true", Takes::Flag),
    route("subprotocols", "unset", Takes::Other(r#"a list of names, such as ["mqtt"]"#)),
    route("subprotocol_required", "false", Takes::Flag),
    route("message", "binary", Takes::Text(r#""binary", "text" or "by-subprotocol""#)),
    route("accept", "any", Takes::Text(r#""any" or "binary""#)),
    route("legacy", "none", Takes::Text(r#""hybi-00""#)),
    route("ping_interval", "20s", Takes::Duration { off: true, min: MOMENT, max: DAY }),
    route("ping_timeout", "20s", Takes::Duration { off: true, min: MOMENT, max: DAY }),
    route("idle_timeout", "0", Takes::Duration { off: true, min: MOMENT, max: MONTH }),
    route("max_age", "0", Takes::Duration { off: true, min: MOMENT, max: MONTH }),
    route("on_change", "keep", Takes::Text(r#""keep", "close" or "drain TIME", such as "drain 10m""#)),
    route("max_frame", "1MiB", Takes::Size { min: FRAME_BYTES_MIN, max: BYTES_MAX }),
    route("max_message", "1MiB", Takes::Size { min: FRAME_BYTES_MIN, max: BYTES_MAX }),
    route("max_fragments", "1024", Takes::Count { min: 1, max: FRAGMENTS_MAX }),
    route("balance", "least-connections", Takes::Text(r#""least-connections", "round-robin", "hash" or "sticky""#)),
    route("disable_time", "1s", Takes::Duration { off: true, min: MOMENT, max: HOUR }),
    route("connect_timeout", "5s", Takes::Duration { off: false, min: MOMENT, max: HOUR }),
    route("upgrade_timeout", "10s", Takes::Duration { off: false, min: MOMENT, max: HOUR }),
    route("body_timeout", "60s", Takes::Duration { off: false, min: MOMENT, max: HOUR }),
    route("max_pending", "250", Takes::Count { min: 1, max: CONNECTIONS_MAX }),
    route("compression", "off", Takes::Text(r#""off" or "permessage-deflate""#)),
    route("send_proxy", "none", Takes::Text(r#""v1" or "v2""#)),
    route("listing", "false", Takes::Flag),
    route("record", "none", Takes::Other(r#"{ path = "FOLDER/%t-%n" }"#)),

    backend_tls("ca", "the system's", Takes::Text("the name of a PEM file")),
    backend_tls("verify", "true", Takes::Flag),
    backend_tls("server_name", "the host of the backend", Takes::Text("a host name")),

    lookup("kind", "none", Takes::Text(r#""file", "read-only-file", "directory", "http", "json", "jwt", "redis" or "unix-directory""#)),
    lookup("source", "none", Takes::Text("a file, a folder, a URL or an address, depending on kind")),
    lookup("key", "query:token", Takes::Text(r#""query:NAME", "header:NAME" or "host", such as "query:token""#)),
    lookup("timeout", "5s", Takes::Duration { off: false, min: MOMENT, max: HOUR }),
    lookup("targets", "any", Takes::Other(r#"a list, such as ["10.0.0.0/8:5900-5999", "unix:/run/vnc/*"]"#)),
    lookup("tls", "false", Takes::Flag),

    record("path", "none", Takes::Text(r#"a path, such as "/var/log/tidegate/%t-%n""#)),
    record("format", "websockify", Takes::Text(r#""websockify" or "har""#)),
    record("max_bytes", "64MiB", Takes::Size { min: RECORDING_BYTES_MIN, max: BYTES_MAX }),
    record("required", "false", Takes::Flag),

    auth("kind", "none", Takes::Text(r#""basic", "client-cert", "jwt" or "forward""#)),
    auth("realm", "tidegate", Takes::Text(r#"printable ASCII, such as "tidegate""#)),
    auth("timeout", "5s", Takes::Duration { off: false, min: MOMENT, max: HOUR }),
    auth("users", "none", Takes::Other(r#"the name of a file of lines NAME:HASH, or a list of such lines"#)),
    auth("names", "any", Takes::Other(r#"a list of names, such as ["alice"]"#)),
    auth("names_in", "any", Takes::Text(r#""any" or "common-name""#)),
    auth("key", "none", Takes::Text("the name of a file with a key")),
    auth("from", "bearer", Takes::Text(r#""bearer", "query:NAME" or "cookie:NAME""#)),
    auth("issuer", "any", Takes::Text("what the claim iss has to be")),
    auth("audience", "none", Takes::Text("what the claim aud has to contain")),
    auth("on_expiry", "keep", Takes::Text(r#""keep" or "close""#)),
    auth("url", "none", Takes::Text("an http:// or https:// URL")),
];

const fn top(name: &'static str, default: &'static str, takes: Takes) -> Key {
    Key { place: Place::Top, name, default, takes }
}

const fn listener(name: &'static str, default: &'static str, takes: Takes) -> Key {
    Key { place: Place::Listener, name, default, takes }
}

const fn tls(name: &'static str, default: &'static str, takes: Takes) -> Key {
    Key { place: Place::Tls, name, default, takes }
}

const fn route(name: &'static str, default: &'static str, takes: Takes) -> Key {
    Key { place: Place::Route, name, default, takes }
}

const fn backend_tls(name: &'static str, default: &'static str, takes: Takes) -> Key {
    Key { place: Place::BackendTls, name, default, takes }
}

const fn lookup(name: &'static str, default: &'static str, takes: Takes) -> Key {
    Key { place: Place::Lookup, name, default, takes }
}

const fn record(name: &'static str, default: &'static str, takes: Takes) -> Key {
    Key { place: Place::Record, name, default, takes }
}

const fn auth(name: &'static str, default: &'static str, takes: Takes) -> Key {
    Key { place: Place::Auth, name, default, takes }
}

/// Of connections, as an example.
const FEW: u64 = 10_000;
/// More than one process can hold today; it catches slips of the finger, not ambitions.
const CONNECTIONS_MAX: u64 = 100_000_000;
/// A time-out below this ends honest connections on a loaded machine.
const MOMENT: Duration = Duration::from_millis(10);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// What a control frame may carry (RFC 6455 §5.5): a lower limit would make the protocol itself a violation.
const FRAME_BYTES_MIN: u64 = 125;
/// A beginning, an end, and something between them.
const RECORDING_BYTES_MIN: u64 = 64 << 10;
/// Nothing is buffered up to this; it only has to stay far from the end of the type.
const BYTES_MAX: u64 = 1 << 40;
/// A few connections, at the least, may be slow at once.
const BUFFERED_BYTES_MIN: u64 = 1 << 20;
const FRAGMENTS_MAX: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_within_its_own_bounds() {
        for key in KEYS {
            match key.takes {
                Takes::Count { min, max } => {
                    if let Ok(default) = key.default.parse::<u64>() {
                        assert!((min..=max).contains(&default), "{}", key.name);
                    } else {
                        assert_eq!(key.name, "max_connections", "only this one depends on the machine");
                    }
                }
                Takes::Duration { off, min, max } => {
                    let default = value::duration(key.default).unwrap();
                    assert!((off && default.is_zero()) || (min..=max).contains(&default), "{}", key.name);
                }
                Takes::Size { .. } if key.name == "max_buffered" => {} // this one depends on the machine
                Takes::Size { min, max } => {
                    assert!((min..=max).contains(&value::size(key.default).unwrap()), "{}", key.name);
                }
                Takes::Flag => assert!(["true", "false"].contains(&key.default), "{}", key.name),
                Takes::Text(_) | Takes::Other(_) => assert!(!key.default.is_empty(), "{}", key.name),
            }
        }
    }

    #[test]
    fn no_key_is_listed_twice() {
        for key in KEYS {
            assert_eq!(of(key.place).filter(|other| other.name == key.name).count(), 1, "{}", key.name);
        }
    }
}

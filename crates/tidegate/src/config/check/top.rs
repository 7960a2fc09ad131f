//! The keys at the top of the file.

use std::net::SocketAddr;
use std::thread;

use super::admin;
use super::files;
use super::keys::Takes;
use super::report::Spot;
use super::section::Section;
use crate::config::diagnostic::Fault;
use crate::config::{AccessLog, Config};

/// Reads the keys at the top; listeners and routes are left empty.
pub(super) fn read(section: &mut Section<'_, '_>) -> Config {
    let config = Config {
        workers: or_one_per_core(as_usize(section.count_or_default("workers"))),
        connections_max: section.count("max_connections").map(as_usize),
        connections_per_client_max: as_usize(section.count_or_default("max_connections_per_client")),
        handshakes_max: as_usize(section.count_or_default("max_handshakes")),
        admin: admin::read(section),
        drain: section.duration("drain"),
        drain_rate: u32::try_from(section.count_or_default("drain_rate")).unwrap_or(u32::MAX),
        traffic_symbols: false,
        access_log: section.text("access_log", files::access_log).unwrap_or(AccessLog::Stdout),
        listeners: Vec::new(),
        routes: Vec::new(),
    };
    section.finish();
    config
}

/// `--workers`: a number already, so only its bounds are left to check.
pub(super) fn workers(section: &mut Section<'_, '_>, workers: usize) -> usize {
    let takes = &section.key("workers").takes;
    if let Takes::Count { min, max } = takes
        && !(*min..=*max).contains(&(workers as u64))
    {
        let message = format!("workers {workers} is out of bounds");
        section.error(&Spot::Flag(format!("--workers {workers}")), message, format!("write {takes}"));
    }
    or_one_per_core(workers)
}

fn or_one_per_core(workers: usize) -> usize {
    if workers == 0 { thread::available_parallelism().map_or(1, usize::from) } else { workers }
}

/// Reads an IP address and a port.
pub(super) fn tcp_address(text: &str) -> Result<SocketAddr, Fault> {
    text.parse().map_err(|_| {
        let remedy = match text.rsplit_once(':') {
            Some(("*", port)) if is_port(port) => {
                format!("write 0.0.0.0:{port} for all of IPv4, or [::]:{port} for all of IPv6")
            }
            Some(("", port)) if is_port(port) => {
                format!("write 127.0.0.1:{port}, or 0.0.0.0:{port} for all of IPv4")
            }
            Some(("localhost", port)) if is_port(port) => format!("write 127.0.0.1:{port} or [::1]:{port}"),
            None if is_port(text) => format!("write 127.0.0.1:{text}, or 0.0.0.0:{text} for all of IPv4"),
            _ => "write an IP address and a port, such as 127.0.0.1:8080 or [::]:8080".to_owned(),
        };
        Fault::new("is no IP address with a port", remedy)
    })
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

/// Every count is bounded far below this, so the fallback is never taken.
fn as_usize(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_ip_and_a_port() {
        for text in ["127.0.0.1:0", "0.0.0.0:443", "[::]:80"] {
            assert!(tcp_address(text).is_ok(), "{text}");
        }
        for (text, remedy) in [
            (":8080", "write 127.0.0.1:8080, or 0.0.0.0:8080 for all of IPv4"),
            ("8080", "write 127.0.0.1:8080, or 0.0.0.0:8080 for all of IPv4"),
            ("*:8080", "write 0.0.0.0:8080 for all of IPv4, or [::]:8080 for all of IPv6"),
            ("localhost:8080", "write 127.0.0.1:8080 or [::1]:8080"),
            ("127.0.0.1", "write an IP address and a port, such as 127.0.0.1:8080 or [::]:8080"),
            ("127.0.0.1:70000", "write an IP address and a port, such as 127.0.0.1:8080 or [::]:8080"),
            ("http://a", "write an IP address and a port, such as 127.0.0.1:8080 or [::]:8080"),
        ] {
            assert_eq!(tcp_address(text).unwrap_err().remedy, remedy, "{text}");
        }
    }
}

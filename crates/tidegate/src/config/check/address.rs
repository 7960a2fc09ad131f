//! Where a listener listens: an IP address and a port, a Unix socket, or what systemd has given.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use super::backend::{UNIX_PATH_BYTES_MAX, unix_path};
use super::files;
use super::section::Section;
use crate::config::ListenAddress;
use crate::config::diagnostic::{Fault, quoted};

/// Reads any of them; a path counts from `folder`.
pub(super) fn listen_address(text: &str, folder: &Path) -> Result<ListenAddress, Fault> {
    if let Some(name) = text.strip_prefix("systemd:") {
        return socket_name(name).map(ListenAddress::Systemd);
    }
    let Some(path) = text.strip_prefix("unix:") else {
        return tcp_address(text).map(ListenAddress::Tcp);
    };
    match path.strip_prefix('@') {
        Some(name) => abstract_name(name).map(ListenAddress::Abstract),
        None => unix_path(path, folder).map(ListenAddress::Unix),
    }
}

/// Whether a configuration takes this for an address of a listener, on a machine that has its folder; else what is wrong
/// with it.
pub(crate) fn check_address(text: &str) -> Result<(), String> {
    listen_address(text, Path::new("/")).map(drop).map_err(|fault| fault.problem)
}

/// What keeps the socket of this key from being made where it is to be. A folder below `/run` may be one that the service
/// manager makes at the start.
pub(super) fn look_at_place(section: &mut Section<'_, '_>, key: &str, address: Option<&ListenAddress>) {
    let (Some(ListenAddress::Unix(path)), Some(found)) = (address, section.find(key)) else { return };
    let named = format!("{key} {}", quoted(&format!("unix:{}", path.display())));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Err(fault) = files::exists(folder) {
        let message = format!("{named} {}", fault.problem);
        if folder.starts_with("/run") || folder.starts_with("/var/run") {
            let remedy = "create the folder first, or have systemd do so (RuntimeDirectory=)";
            return section.warning(&found.spot, message, remedy);
        }
        return section.error(&found.spot, message, fault.remedy);
    }
    if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
        let message = format!("{named} is there already, and is no socket");
        section.error(&found.spot, message, "move it away, or name another path");
    }
}

/// A name of Linux's abstract namespace, which may be as long as a path.
fn abstract_name(name: &str) -> Result<String, Fault> {
    if name.is_empty() || name.len() > UNIX_PATH_BYTES_MAX || name.chars().any(char::is_control) {
        let remedy = format!("write unix:@ and 1 to {UNIX_PATH_BYTES_MAX} printable bytes");
        return Err(Fault::new("has no usable name", remedy));
    }
    Ok(name.to_owned())
}

/// A name as systemd lets a unit give it, in the same bounds.
fn socket_name(name: &str) -> Result<String, Fault> {
    const BYTES_MAX: usize = 255;
    let is_legal = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b':';
    if name.is_empty() || name.len() > BYTES_MAX || !name.bytes().all(is_legal) {
        let remedy = "write systemd: and what stands in FileDescriptorName= of its unit";
        return Err(Fault::new("has no usable name", remedy));
    }
    Ok(name.to_owned())
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
            Some((_, digits))
                if !digits.is_empty()
                    && digits.bytes().all(|digit| digit.is_ascii_digit())
                    && !is_port(digits) =>
            {
                format!("write a port from 0 to 65535 in the place of {digits}")
            }
            None if is_port(text) => format!("write 127.0.0.1:{text}, or 0.0.0.0:{text} for all of IPv4"),
            _ => "write an IP address and a port, such as 127.0.0.1:8080 or [::]:8080".to_owned(),
        };
        Fault::new("is no IP address with a port", remedy)
    })
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let read =
            |text: &str| listen_address(text, Path::new("/etc/tidegate")).map(|address| address.to_string());
        for (text, shown) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
            ("unix:a.sock", "unix:/etc/tidegate/a.sock"),
            ("unix:@tidegate", "unix:@tidegate"),
            ("systemd:tidegate.socket", "systemd:tidegate.socket"),
        ] {
            assert_eq!(read(text), Ok(shown.to_owned()));
        }
        for text in [
            "unix:",
            "unix://run/a.sock",
            "unix:@",
            "unix:@a\0b",
            "unix",
            "systemd:",
            "systemd:a:b",
            "systemd:ä",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(&format!("unix:@{}", "a".repeat(UNIX_PATH_BYTES_MAX))).is_ok());
        assert!(read(&format!("unix:@{}", "a".repeat(UNIX_PATH_BYTES_MAX + 1))).is_err());
    }

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
            ("127.0.0.1:99999", "write a port from 0 to 65535 in the place of 99999"),
            ("http://a", "write an IP address and a port, such as 127.0.0.1:8080 or [::]:8080"),
        ] {
            assert_eq!(tcp_address(text).unwrap_err().remedy, remedy, "{text}");
        }
    }
}

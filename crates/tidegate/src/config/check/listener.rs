//! One `[[listener]]`.

use std::net::IpAddr;

use ipnet::IpNet;

use super::address::{listen_address, look_at_place};
use super::certificate::{Examined, pair};
use super::files;
use super::found::Found;
use super::keys::Place;
use super::needless;
use super::pattern::plain_host;
use super::proxy;
use super::report::Spot;
use super::section::Section;
use crate::config::diagnostic::Fault;
use crate::config::{
    CertificateFiles, ClientCertificates, ListenAddress, Listener, ListenerTls, TlsVersion, TrustedProxies,
};

/// What became of one `[[listener]]`.
pub(super) struct Draft {
    /// Where its address is.
    pub(super) spot: Spot,
    /// Its certificates, as far as they can be served.
    pub(super) certificates: Vec<Examined>,
    /// `None` if it has no address that can be used.
    pub(super) listener: Option<Listener>,
}

pub(super) fn read(section: &mut Section<'_, '_>) -> Draft {
    let spot = section.find("address").map_or_else(|| section.spot(), |found| found.spot);
    if section.find("address").is_none() {
        section.missing("address", "write address = \"127.0.0.1:8080\"");
    }
    let address = section.text("address", listen_address);
    look_at_place(section, "address", address.as_ref());
    let socket_mode = socket_mode(section, address.as_ref());
    let mut certificates = Vec::new();
    let tls = tls(section, &mut certificates);
    let tls_version_min = tls_version_min(section, &tls);
    let tls_hand_over = section.flag("tls_hand_over");
    stands_with_tls(section, "tls_hand_over", &tls);
    let client_certificates = client_certificates(section, &tls);
    let trusted_proxies = trusted_proxies(section);
    needless::of_networks(section, "trusted_proxies");
    let proxy_protocol = section.flag("proxy_protocol");
    proxy::check_in(section, proxy_protocol, &trusted_proxies);
    let lenient_key = section.flag("lenient_key");
    let server_names = section.texts("server_names", |text, _| plain_host(text));
    let head_timeout = section.duration("head_timeout");
    let tls_timeout = section.duration("tls_timeout");
    needless::of_listener(section, &tls);
    section.finish();
    let listener = address.map(|address| Listener {
        address,
        socket_mode,
        tls,
        tls_version_min,
        tls_hand_over,
        client_certificates,
        trusted_proxies,
        proxy_protocol,
        lenient_key,
        server_names,
        head_timeout,
        tls_timeout,
    });
    Draft { spot, certificates, listener }
}

/// Of the socket's file; an error where there is none that it could be of.
fn socket_mode(section: &mut Section<'_, '_>, address: Option<&ListenAddress>) -> u32 {
    let default = mode(section.key("socket_mode").default).expect("the default is a mode");
    let Some(found) = section.find("socket_mode") else { return default };
    if matches!(address, Some(ListenAddress::Tcp(_) | ListenAddress::Abstract(_) | ListenAddress::Systemd(_)))
    {
        let message = "socket_mode stands beside an address that is no file".to_owned();
        section.error(&found.spot, message, "leave it out, or write address = \"unix:PATH\"");
        return default;
    }
    section.text_of("socket_mode", &found, |text, _| mode(text)).unwrap_or(default)
}

/// Permissions as `chmod` takes them, `"0660"` or `"660"`.
fn mode(text: &str) -> Result<u32, Fault> {
    let is_octal = matches!(text.len(), 3 | 4) && text.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777);
    mode.ok_or_else(|| {
        Fault::new(
            "is no file mode",
            "write octal permissions, such as \"0660\" for owner and group, or \"0666\" for everybody",
        )
    })
}

fn trusted_proxies(section: &mut Section<'_, '_>) -> TrustedProxies {
    let mut trusted = TrustedProxies::default();
    section.texts("trusted_proxies", |text, _| {
        if text == UNIX_PEERS {
            trusted.unix = true;
        } else {
            trusted.networks.push(network(text)?);
        }
        Ok(())
    });
    trusted
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, Fault> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse::<IpNet>()).map(|net| net.trunc()).map_err(|_| {
        Fault::new(
            "is no network",
            "write an address and the length of its prefix, such as 10.0.0.0/8, or unix: for Unix sockets",
        )
    })
}

fn tls<'t>(section: &mut Section<'_, 't>, examined: &mut Vec<Examined>) -> ListenerTls {
    let found = section.find("tls");
    let is_auto = found.as_ref().is_some_and(|found| found.value.as_str() == Some("auto"));
    if is_auto {
        return ListenerTls::Auto(pair(section, examined).into_iter().collect());
    }
    for beside in ["cert", "key", "key_password_file"] {
        if let Some(found) = section.find(beside) {
            let message = format!("{beside} stands without tls = \"auto\"");
            section.error(&found.spot, message, "write tls = { cert = \"FILE\", key = \"FILE\" }");
        }
    }
    let Some(found) = found else {
        return ListenerTls::Off;
    };
    let files = match found.value.as_array() {
        None => nested(section, &found, examined).into_iter().collect(),
        Some(list) if list.is_empty() => {
            let message = "tls is an empty list".to_owned();
            section.error(&found.spot, message, "leave it out for no TLS, or name a certificate");
            Vec::new()
        }
        Some(list) => list.iter().filter_map(|item| nested(section, &found.item(item), examined)).collect(),
    };
    ListenerTls::Required(files)
}

fn tls_version_min(section: &mut Section<'_, '_>, tls: &ListenerTls) -> TlsVersion {
    let version = section.word("tls_min_version", &[("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)]);
    stands_with_tls(section, "tls_min_version", tls);
    version.unwrap_or(TlsVersion::V1_2)
}

/// An error where this key has nothing to say anything about.
fn stands_with_tls(section: &mut Section<'_, '_>, name: &str, tls: &ListenerTls) {
    if let Some(found) = section.find(name).filter(|_| *tls == ListenerTls::Off) {
        let message = format!("{name} stands without tls");
        section.error(&found.spot, message, "write tls = { cert = \"FILE\", key = \"FILE\" } beside it");
    }
}

/// Whether clients are asked who they are, in the handshake of TLS.
fn client_certificates(section: &mut Section<'_, '_>, tls: &ListenerTls) -> Option<ClientCertificates> {
    let ca = section.text("client_ca", files::authorities);
    let required = section.word("client_cert", &[("optional", false), ("required", true)]);
    for (name, beside) in [("client_ca", "client_cert"), ("client_cert", "tls")] {
        let Some(found) = section.find(name) else { continue };
        if section.find(beside).is_none() {
            let remedy = match beside {
                "client_cert" => "write client_cert = \"required\" or \"optional\" beside it",
                _ => {
                    "write tls = { cert = \"FILE\", key = \"FILE\" } beside it: certificates are shown in TLS"
                }
            };
            section.error(&found.spot, format!("{name} stands without {beside}"), remedy);
        }
    }
    let is_tls = !matches!(tls, ListenerTls::Off);
    required.filter(|_| is_tls).map(|required| ClientCertificates { ca, required })
}

fn nested<'t>(
    section: &mut Section<'_, 't>,
    found: &Found<'t>,
    examined: &mut Vec<Examined>,
) -> Option<CertificateFiles> {
    section.nested("tls", Place::Tls, found, |section| pair(section, examined)).flatten()
}

/// In `trusted_proxies`: whoever is let in by a Unix socket.
const UNIX_PEERS: &str = "unix:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        for (text, expected) in [("0660", 0o660), ("666", 0o666), ("0777", 0o777), ("000", 0)] {
            assert_eq!(mode(text), Ok(expected));
        }
        for text in ["", "0", "66", "0o660", "1777", "4755", "0680", "+660", "rw-rw----", "00660"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn networks() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("::1", "::1/128"),
            ("1.2.3.4", "1.2.3.4/32"),
        ] {
            assert_eq!(network(text).map(|net| net.to_string()), Ok(shown.to_owned()));
        }
        for text in ["", "10.0.0.0/33", "example.com", "10.0.0", "*"] {
            assert!(network(text).is_err(), "{text}");
        }
    }
}

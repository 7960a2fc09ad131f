//! One `[[listener]]`.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use super::backend::unix_path;
use super::files;
use super::found::Found;
use super::keys::Place;
use super::pattern::plain_host;
use super::report::Spot;
use super::section::Section;
use super::top::tcp_address;
use crate::config::diagnostic::Fault;
use crate::config::{CertificateFiles, ListenAddress, Listener, ListenerTls};

/// What became of one `[[listener]]`.
pub(super) struct Draft {
    /// Where its address is.
    pub(super) spot: Spot,
    /// `None` if it has no address that can be used.
    pub(super) listener: Option<Listener>,
}

pub(super) fn read(section: &mut Section<'_, '_>) -> Draft {
    let spot = section.find("address").map_or_else(|| section.spot(), |found| found.spot);
    if section.find("address").is_none() {
        section.missing("address", "write address = \"127.0.0.1:8080\"");
    }
    let address = section.text("address", listen_address);
    let tls = tls(section);
    let trusted_proxies = section.texts("trusted_proxies", |text, _| network(text)).unwrap_or_default();
    let proxy_protocol = section.flag("proxy_protocol");
    let lenient_key = section.flag("lenient_key");
    let server_names = section.texts("server_names", |text, _| plain_host(text));
    let head_timeout = section.duration("head_timeout");
    let tls_timeout = section.duration("tls_timeout");
    section.finish();
    let listener = address.map(|address| Listener {
        address,
        tls,
        trusted_proxies,
        proxy_protocol,
        lenient_key,
        server_names,
        head_timeout,
        tls_timeout,
    });
    Draft { spot, listener }
}

fn listen_address(text: &str, folder: &Path) -> Result<ListenAddress, Fault> {
    match text.strip_prefix("unix:") {
        Some(path) => unix_path(path, folder).map(ListenAddress::Unix),
        None => tcp_address(text).map(ListenAddress::Tcp),
    }
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, Fault> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse::<IpNet>()).map(|net| net.trunc()).map_err(|_| {
        Fault::new("is no network", "write an address and the length of its prefix, such as 10.0.0.0/8")
    })
}

fn tls<'t>(section: &mut Section<'_, 't>) -> ListenerTls {
    let found = section.find("tls");
    let is_auto = found.as_ref().is_some_and(|found| found.value.as_str() == Some("auto"));
    if is_auto {
        return auto(section);
    }
    for beside in ["cert", "key"] {
        if let Some(found) = section.find(beside) {
            let message = format!("{beside} stands without tls = \"auto\"");
            section.error(&found.spot, message, "write tls = { cert = \"FILE\", key = \"FILE\" }");
        }
    }
    let Some(found) = found else {
        return ListenerTls::Off;
    };
    let files = match found.value.as_array() {
        None => certificate(section, &found).into_iter().collect(),
        Some(list) if list.is_empty() => {
            let message = "tls is an empty list".to_owned();
            section.error(&found.spot, message, "leave it out for no TLS, or name a certificate");
            Vec::new()
        }
        Some(list) => list.iter().filter_map(|item| certificate(section, &found.item(item))).collect(),
    };
    ListenerTls::Required(files)
}

/// `tls = "auto"`: the files stand beside it.
fn auto(section: &mut Section<'_, '_>) -> ListenerTls {
    ListenerTls::Auto(pair(section).into_iter().collect())
}

fn certificate<'t>(section: &mut Section<'_, 't>, found: &Found<'t>) -> Option<CertificateFiles> {
    section.nested("tls", Place::Tls, found, |section| pair(section)).flatten()
}

/// `cert` and `key` of this table; both are looked at even if the first is wrong.
fn pair(section: &mut Section<'_, '_>) -> Option<CertificateFiles> {
    for name in ["cert", "key"] {
        if section.find(name).is_none() {
            section.missing(name, format!("write {name} = \"FILE\", a PEM file"));
        }
    }
    let cert = section.text("cert", files::readable);
    let key = section.text("key", files::readable);
    Some(CertificateFiles { cert: cert?, key: key? })
}

#[cfg(test)]
mod tests {
    use super::*;

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

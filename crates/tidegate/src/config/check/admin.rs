//! The keys at the top that begin with `admin`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use super::address::{listen_address, look_at_place};
use super::certificate::pair;
use super::files;
use super::keys::Place;
use super::pattern::plain_host;
use super::section::Section;
use crate::config::diagnostic::{Fault, quoted};
use crate::config::{
    Admin, AdminPlace, AdminToken, CertificateFiles, ClientCertificates, ListenAddress, Listener,
    ListenerTls, TlsVersion, TrustedProxies,
};

/// Reads them all; `None` where there is no admin listener.
pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Admin> {
    let address = section.text("admin", admin_address);
    look_at_place(section, "admin", address.as_ref());
    let token = section.text("admin_token_file", token_file);
    let tls = section.find("admin_tls").and_then(|found| {
        section.nested("admin_tls", Place::Tls, &found, |section| pair(section, &mut Vec::new())).flatten()
    });
    let authorities = section.text("admin_client_ca", files::authorities);
    let names = section.texts("admin_names", |text, _| plain_host(text)).unwrap_or_default();
    stands_with(section, "admin", &["admin_token_file", "admin_tls", "admin_client_ca", "admin_names"]);
    stands_with(section, "admin_tls", &["admin_client_ca"]);
    if let Some(token) = &token {
        warn_if_readable(section, token);
        section.guard("admin_token_file", &token.file);
    }
    let address = address?;
    let is_guarded = section.find("admin_token_file").is_some() || section.find("admin_client_ca").is_some();
    if !is_guarded && !is_own_machine(&address) {
        refuse_unguarded(section, &address);
    }
    Some(Admin { listener: listener(address, tls, authorities), token, names })
}

/// Reads what whoever asks it has to know: neither certificates nor keys, which may be for the gateway's eyes only. `None`
/// where there is none, or where what is written is wrong, which is reported.
pub(super) fn place(section: &mut Section<'_, '_>) -> Option<AdminPlace> {
    let address = section.text("admin", admin_address)?;
    let token = match section.find("admin_token_file") {
        Some(_) => Some(section.text("admin_token_file", token_file)?),
        None => None,
    };
    Some(AdminPlace { address, token, is_tls: section.find("admin_tls").is_some() })
}

/// An address of its own, which stands in the file.
fn admin_address(text: &str, folder: &Path) -> Result<ListenAddress, Fault> {
    if text.starts_with("systemd:") {
        return Err(Fault::new("is a socket of systemd", "write an IP address and a port, or unix:PATH"));
    }
    listen_address(text, folder)
}

/// Only what nobody else can reach may be open to whoever reaches it. A Unix socket is guarded by its mode, a name of
/// the abstract namespace by nothing.
fn is_own_machine(address: &ListenAddress) -> bool {
    match address {
        ListenAddress::Tcp(address) => address.ip().to_canonical().is_loopback(),
        ListenAddress::Unix(_) => true,
        ListenAddress::Abstract(_) | ListenAddress::Systemd(_) | ListenAddress::Stdin => false,
    }
}

fn refuse_unguarded(section: &mut Section<'_, '_>, address: &ListenAddress) {
    let Some(found) = section.find("admin") else { return };
    let remedy = "set admin_token_file = \"FILE\", or admin_tls and admin_client_ca; or write 127.0.0.1 or a unix:PATH";
    let message =
        format!("admin {} can be reached by others, and asks for nothing", quoted(&address.to_string()));
    section.error(&found.spot, message, remedy);
}

fn listener(
    address: ListenAddress,
    tls: Option<CertificateFiles>,
    authorities: Option<std::path::PathBuf>,
) -> Listener {
    let is_tls = tls.is_some();
    Listener {
        address,
        socket_mode: SOCKET_MODE,
        tls: tls.map_or(ListenerTls::Off, |files| ListenerTls::Required(vec![files])),
        tls_version_min: TlsVersion::V1_2,
        tls_hand_over: false,
        client_certificates: authorities
            .filter(|_| is_tls)
            .map(|ca| ClientCertificates { ca: Some(ca), required: true }),
        trusted_proxies: TrustedProxies::default(),
        proxy_protocol: false,
        lenient_key: false,
        server_names: None,
        head_timeout: PATIENCE,
        tls_timeout: PATIENCE,
    }
}

/// Keys that say nothing without another one.
fn stands_with(section: &mut Section<'_, '_>, needed: &str, names: &[&str]) {
    if section.find(needed).is_some() {
        return;
    }
    for name in names {
        if let Some(found) = section.find(name) {
            let remedy = format!("set {needed} as well, or leave it out");
            section.error(&found.spot, format!("{name} stands without {needed}"), remedy);
        }
    }
}

fn token_file(text: &str, folder: &Path) -> Result<AdminToken, Fault> {
    let unreadable = |fault: Fault| Fault::new(fault.problem, "name a file that this user may read");
    let file = files::readable(text, folder).map_err(unreadable)?;
    AdminToken::read(&file).ok_or_else(|| {
        let remedy = format!(
            "put one line of {} to {} printable characters without blanks into it, such as `openssl rand -hex 32` writes",
            AdminToken::BYTES_MIN,
            AdminToken::BYTES_MAX
        );
        Fault::new("holds no token", remedy)
    })
}

fn warn_if_readable(section: &mut Section<'_, '_>, token: &AdminToken) {
    let is_open = fs::metadata(&token.file).is_ok_and(|found| found.permissions().mode() & 0o004 != 0);
    let Some(found) = section.find("admin_token_file").filter(|_| is_open) else { return };
    let file = quoted(&token.file.display().to_string());
    let message = format!("admin_token_file {file} can be read by every user of this machine");
    section.warning(&found.spot, message, "take their permission away: chmod o-r");
}

/// The owner's alone: whoever can connect can close every connection.
const SOCKET_MODE: u32 = 0o600;
/// For a request head, and for TLS.
const PATIENCE: Duration = Duration::from_secs(10);

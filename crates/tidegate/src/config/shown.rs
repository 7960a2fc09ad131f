//! The configuration in force, in the words of the file: every key with its value, set or not.
//!
//! Written key by key, so that a new one is left out until somebody has thought about what may be seen of it. Passwords
//! and their hashes, tokens, and what stands behind the host of a URL that is asked are never in it.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::auth::{AuthKind, CertificateAuth, JwtAuth, TokenFrom};
use super::table::{balance, origin};
use super::value::{show_duration, show_size};
use super::{
    AccessLog, Admin, Auth, Backend, BackendTls, CertificateFiles, ClientCertificates, Config, KeyPassword,
    Listener, ListenerTls, Lookup, LookupKey, LookupSource, MessageType, NamesIn, OnChange, OriginPolicy,
    ProxyVersion, Record, Route, Subprotocols, TargetPattern, TlsVersion,
};

/// All of it, as JSON.
pub fn shown(config: &Config) -> Value {
    json!({
        "workers": config.workers,
        "max_connections": config.connections_max,
        "max_connections_per_client": config.connections_per_client_max,
        "max_handshakes": config.handshakes_max,
        "max_buffered": config.buffered_max.map(show_size),
        "drain": duration(config.drain),
        "drain_rate": config.drain_rate,
        "access_log": match &config.access_log {
            AccessLog::Stdout => "stdout".to_owned(),
            AccessLog::Diagnosis => "stderr".to_owned(),
            AccessLog::Off => "off".to_owned(),
            AccessLog::File(file) => format!("file:{}", file.display()),
        },
        "admin": config.admin.as_ref().map(|admin| admin.listener.address.to_string()),
        "admin_token_file": config.admin.as_ref().and_then(|admin| Some(path(&admin.token.as_ref()?.file))),
        "admin_tls": config.admin.as_ref().map_or(Value::Null, |admin| tls(&admin.listener.tls)),
        "admin_client_ca": config.admin.as_ref().and_then(client_ca),
        "admin_names": config.admin.as_ref().map(|admin| &admin.names),
        "listener": config.listeners.iter().map(listener).collect::<Vec<_>>(),
        "route": config.routes.iter().map(route).collect::<Vec<_>>(),
    })
}

fn client_ca(admin: &Admin) -> Option<String> {
    Some(path(admin.listener.client_certificates.as_ref()?.ca.as_deref()?))
}

fn listener(listener: &Listener) -> Value {
    let proxies = &listener.trusted_proxies;
    let networks = proxies.networks.iter().map(ToString::to_string);
    let trusted: Vec<_> = networks.chain(proxies.unix.then(|| "unix:".to_owned())).collect();
    let clients = listener.client_certificates.as_ref();
    let mut shown = json!({
        "address": listener.address.to_string(),
        "socket_mode": format!("{:04o}", listener.socket_mode),
        "tls": tls(&listener.tls),
        "tls_min_version": (listener.tls != ListenerTls::Off).then_some(match listener.tls_version_min {
            TlsVersion::V1_2 => "1.2",
            TlsVersion::V1_3 => "1.3",
        }),
        "tls_hand_over": (listener.tls != ListenerTls::Off).then_some(listener.tls_hand_over),
        "client_cert": clients.map(|clients| if clients.required { "required" } else { "optional" }),
        "client_ca": clients.and_then(|ClientCertificates { ca, .. }| Some(path(ca.as_deref()?))),
        "trusted_proxies": trusted,
        "proxy_protocol": listener.proxy_protocol,
        "lenient_key": listener.lenient_key,
        "server_names": listener.server_names,
        "head_timeout": duration(listener.head_timeout),
        "tls_timeout": duration(listener.tls_timeout),
    });
    if let ListenerTls::Auto(files) = &listener.tls
        && let Some(files) = files.first()
    {
        shown["tls"] = "auto".into();
        shown["cert"] = path(&files.cert).into();
        shown["key"] = path(&files.key).into();
        shown["key_password_file"] = password_file(files).into();
    }
    shown
}

fn tls(tls: &ListenerTls) -> Value {
    let files = |files: &CertificateFiles| {
        let password = password_file(files);
        json!({ "cert": path(&files.cert), "key": path(&files.key), "key_password_file": password })
    };
    match tls {
        ListenerTls::Off => Value::Null,
        ListenerTls::Required(all) | ListenerTls::Auto(all) => all.iter().map(files).collect(),
    }
}

fn password_file(files: &CertificateFiles) -> Option<String> {
    match &files.key_password {
        Some(KeyPassword::File(file)) => Some(path(file)),
        Some(KeyPassword::Given(_)) | None => None,
    }
}

fn on_change(on_change: OnChange) -> String {
    match on_change {
        OnChange::Keep => "keep".to_owned(),
        OnChange::Close => "close".to_owned(),
        OnChange::Drain(window) => format!("drain {}", duration(window)),
    }
}

fn route(route: &Route) -> Value {
    let mut shown = Map::new();
    what_is_served(route, &mut shown);
    limits(route, &mut shown);
    shown.into()
}

fn what_is_served(route: &Route, shown: &mut Map<String, Value>) {
    let mut set = |name: &str, value: Value| drop(shown.insert(name.to_owned(), value));
    set("name", route.name.clone().into());
    set("host", route.host.as_ref().map(ToString::to_string).into());
    set("path", route.path.to_string().into());
    match route.backends.first() {
        Some(Backend::Lookup(one)) => set("lookup", lookup(one)),
        Some(_) | None => set("backend", route.backends.iter().map(ToString::to_string).collect()),
    }
    let lists = |backend: &Backend| matches!(backend, Backend::File(folder) if folder.listing);
    set("listing", route.backends.iter().any(lists).into());
    set("auth", route.auth.as_ref().map(auth).into());
    set("backend_tls", backend_tls(&route.backend_tls));
    set(
        "origins",
        match &route.origins {
            OriginPolicy::SameOrigin => Value::Null,
            OriginPolicy::Any => json!(["*"]),
            OriginPolicy::List(patterns) => patterns.iter().map(origin).collect(),
        },
    );
    set("allow_missing_origin", route.allow_missing_origin.into());
    let (names, required) = match &route.subprotocols {
        Subprotocols::Unset => (None, false),
        Subprotocols::List { names, required } => (Some(names.clone()), *required),
    };
    set("subprotocols", names.into());
    set("subprotocol_required", required.into());
    set(
        "message",
        match route.message {
            MessageType::Text => "text",
            MessageType::Binary => "binary",
            MessageType::BySubprotocol => "by-subprotocol",
        }
        .into(),
    );
    set("accept", if route.binary_only { "binary" } else { "any" }.into());
    set("legacy", route.legacy_hybi00.then_some("hybi-00").into());
    set("compression", if route.compression { "permessage-deflate" } else { "off" }.into());
    set(
        "send_proxy",
        route
            .send_proxy
            .map(|version| match version {
                ProxyVersion::V1 => "v1",
                ProxyVersion::V2 => "v2",
            })
            .into(),
    );
    set("record", route.record.as_ref().map(record).into());
}

fn limits(route: &Route, shown: &mut Map<String, Value>) {
    let mut set = |name: &str, value: Value| drop(shown.insert(name.to_owned(), value));
    let or_off = |time: Option<Duration>| time.map_or_else(|| json!(0), |time| duration(time).into());
    set("ping_interval", or_off(route.ping_interval));
    set("ping_timeout", or_off(route.ping_timeout));
    set("idle_timeout", or_off(route.idle_timeout));
    set("max_age", or_off(route.age_max));
    set("on_change", on_change(route.on_change).into());
    set("max_frame", show_size(route.frame_bytes_max).into());
    set("max_message", route.message_limit().map(show_size).into());
    set("max_fragments", route.fragment_limit().into());
    set("connect_timeout", duration(route.connect_timeout).into());
    set("upgrade_timeout", duration(route.upgrade_timeout).into());
    set("body_timeout", duration(route.body_timeout).into());
    set("max_pending", route.pending_max.into());
    set("balance", balance(route.balance).into());
    set("disable_time", duration(route.disable_time).into());
}

fn backend_tls(tls: &BackendTls) -> Value {
    json!({ "ca": tls.ca.as_deref().map(path), "verify": tls.verify, "server_name": tls.server_name })
}

fn record(record: &Record) -> Value {
    json!({
        "path": record.name.to_string(),
        "format": record.format.to_string(),
        "max_bytes": show_size(record.bytes_max),
        "required": record.required,
    })
}

fn auth(auth: &Auth) -> Value {
    let mut shown = match &auth.kind {
        AuthKind::Basic(users) => {
            let names: Vec<_> = users.iter().map(|user| user.name.as_str()).collect();
            json!({ "kind": "basic", "users": names })
        }
        AuthKind::ClientCert(CertificateAuth { names, names_in }) => {
            let names_in = match names_in {
                NamesIn::Any => "any",
                NamesIn::CommonName => "common-name",
            };
            json!({ "kind": "client-cert", "names": names, "names_in": names_in })
        }
        AuthKind::Jwt(JwtAuth { key, from, issuer, audience, ends_sessions }) => {
            let from = match from {
                TokenFrom::Bearer => "bearer".to_owned(),
                TokenFrom::Query(name) => format!("query:{name}"),
                TokenFrom::Cookie(name) => format!("cookie:{name}"),
            };
            let on_expiry = if *ends_sessions { "close" } else { "keep" };
            json!({
                "kind": "jwt", "key": path(key), "from": from,
                "issuer": issuer, "audience": audience, "on_expiry": on_expiry,
            })
        }
        AuthKind::Forward(url) => {
            let (scheme, host) = (url.scheme_str().unwrap_or("http"), url.host().unwrap_or(""));
            json!({ "kind": "forward", "url": format!("{scheme}://{host}/…") })
        }
    };
    shown["realm"] = auth.realm.as_str().into();
    shown["timeout"] = duration(auth.timeout).into();
    shown
}

fn lookup(lookup: &Lookup) -> Value {
    let target = |pattern: &TargetPattern| match pattern {
        TargetPattern::Tcp { net, ports } => format!("{net}:{}-{}", ports.start(), ports.end()),
        TargetPattern::Unix(socket) => format!("unix:{}", socket.display()),
        TargetPattern::UnixBelow(folder) => format!("unix:{}/*", folder.display()),
    };
    let kind = match &lookup.source {
        LookupSource::File(_) => "file",
        LookupSource::ReadOnlyFile(_) => "read-only-file",
        LookupSource::Directory(_) => "directory",
        LookupSource::Http(_) => "http",
        LookupSource::Json(_) => "json",
        LookupSource::Jwt(_) => "jwt",
        LookupSource::Redis(_) => "redis",
        LookupSource::UnixDirectory(_) => "unix-directory",
    };
    json!({
        "kind": kind,
        "source": lookup.to_string(), // in which there are no credentials
        "key": match &lookup.key {
            LookupKey::Query(name) => format!("query:{name}"),
            LookupKey::Host => "host".to_owned(),
            LookupKey::Header(name) => format!("header:{name}"),
        },
        "timeout": duration(lookup.timeout),
        "targets": lookup.targets.as_ref().map(|targets| targets.iter().map(target).collect::<Vec<_>>()),
        "tls": lookup.tls,
    })
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn duration(duration: Duration) -> String {
    show_duration(duration)
}

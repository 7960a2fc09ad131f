//! One `[[route]]`.

use std::time::Duration;

use super::keys::Place;
use super::report::Spot;
use super::section::Section;
use super::{auth, backend, effect, files, handoff, lookup, needless, origin, pattern, proxy, record};
use crate::config::diagnostic::{Fault, quoted};
use crate::config::messages_max;
use crate::config::value;
use crate::config::{
    Backend, BackendTls, Balance, MessageType, OnChange, OriginPolicy, PathPattern, ProxyVersion, Route,
    Subprotocols,
};
use crate::shown::is_shown;

/// What became of one `[[route]]`.
pub(super) struct Draft {
    /// Where the route begins.
    pub(super) spot: Spot,
    /// The name, if it is set, and where.
    pub(super) name: Option<(String, Spot)>,
    /// Where its backend is named.
    pub(super) backend: Spot,
    /// `None` if it has no path or no backend that can be used.
    pub(super) route: Option<Route>,
}

pub(super) fn read(section: &mut Section<'_, '_>) -> Draft {
    let spot = section.spot();
    let backend = section.find("backend").map_or_else(|| spot.clone(), |found| found.spot);
    let name = name(section);
    let path = path(section);
    let mut backends = match lookup::read(section) {
        Some(looked_up) => looked_up.into_iter().map(|lookup| Backend::Lookup(Box::new(lookup))).collect(),
        None => backends(section),
    };
    listing(section, &mut backends);
    let settings = settings(section);
    effect::warn(section, &backends);
    needless::of_route(section, &settings, &backends);
    unverified(section, &settings, &backends);
    frames_in_messages(section, &settings, &backends);
    messages_by_subprotocol(section, &settings);
    record::warn(section, &settings, &backends);
    handoff::check(section, &backends);
    proxy::check_out(section, &backends);
    section.finish();
    let route = path.filter(|_| !backends.is_empty()).map(|path| {
        let name = name.as_ref().map_or_else(|| path.to_string(), |(name, _)| name.clone());
        Route { name, path, backends, ..settings }
    });
    Draft { spot, name, backend, route }
}

fn name(section: &mut Section<'_, '_>) -> Option<(String, Spot)> {
    let spot = section.find("name")?.spot;
    let name = section.text("name", |text, _| {
        let chars = text.chars().count();
        if (1..=NAME_CHARS_MAX).contains(&chars) && text.chars().all(is_shown) {
            return Ok(text.to_owned());
        }
        Err(Fault::new("is no name", format!("write 1 to {NAME_CHARS_MAX} printable characters")))
    });
    Some((name?, spot))
}

fn path(section: &mut Section<'_, '_>) -> Option<PathPattern> {
    if section.find("path").is_none() {
        section.missing("path", "write path = \"/\" and what follows it, or path = \"/*\" for every path");
    }
    let path = section.text("path", |text, _| pattern::path(text));
    if let Some(PathPattern::Regex(_, text)) = &path
        && let Some(found) = section.find("path")
        && pattern::begins_without_slash(text)
    {
        let message = format!("path {} matches no path: each begins with /", quoted(text));
        let rest = text.trim_start_matches(['~', '^']);
        let remedy = format!("write {}, or {}", quoted(&format!("~/{rest}")), quoted(&format!("~.*{rest}")));
        section.warning(&found.spot, message, remedy);
    }
    path
}

fn backends(section: &mut Section<'_, '_>) -> Vec<Backend> {
    let Some(found) = section.find("backend") else {
        section.missing("backend", "write backend = \"tcp://HOST:PORT\", or another of its kinds, or lookup");
        return Vec::new();
    };
    let Some(list) = found.value.as_array() else {
        return if found.value.as_str().is_some() {
            section.text("backend", backend::backend).into_iter().collect()
        } else {
            section.wrong_type(&found, section.key("backend"));
            Vec::new()
        };
    };
    if list.is_empty() {
        section.error(&found.spot, "backend is an empty list".to_owned(), "name at least one");
    }
    let backends = section.texts("backend", backend::backend).unwrap_or_default();
    if let Some((first, rest)) = backends.split_first()
        && let Some(other) = rest.iter().find(|other| !backend::alike(first, other))
    {
        let message = format!("backend lists {first} beside {other}");
        section.error(&found.spot, message, "list backends of one kind, all raw, all WebSocket or all HTTP");
    }
    backends
}

/// Whether a folder is listed is the folder's.
fn listing(section: &mut Section<'_, '_>, backends: &mut [Backend]) {
    let wanted = section.flag("listing");
    for backend in backends {
        if let Backend::File(folder) = backend {
            folder.listing = wanted;
        }
    }
}

/// A frame that is larger than the message it stands in is never let through.
fn frames_in_messages(section: &mut Section<'_, '_>, settings: &Route, backends: &[Backend]) {
    let Some(found) = section.find("max_frame") else { return };
    let Some(message) = settings.message_bytes_max.or_else(|| messages_max(backends)) else { return };
    if settings.frame_bytes_max > message {
        let [frame, message] = [settings.frame_bytes_max, message].map(value::show_size);
        let text = format!("max_frame {frame} is above max_message, which is {message}");
        section.warning(&found.spot, text, format!("raise max_message to {frame}, or leave max_frame out"));
    }
}

/// Clients of hybi-00 have no binary messages, and without the subprotocol that means them nobody has.
fn messages_by_subprotocol(section: &mut Section<'_, '_>, settings: &Route) {
    if settings.message != MessageType::BySubprotocol {
        return;
    }
    let Some(found) = section.find("message") else { return };
    if settings.legacy_hybi00 {
        let message =
            "message \"by-subprotocol\" stands beside legacy, whose clients have text alone".to_owned();
        section.error(&found.spot, message, "write message = \"text\" or \"binary\", or leave legacy out");
    }
    if let Subprotocols::List { names, .. } = &settings.subprotocols
        && !names.iter().any(|name| name == MessageType::BINARY)
    {
        let message =
            "message \"by-subprotocol\" is text for everybody: subprotocols does not list \"binary\""
                .to_owned();
        section.warning(&found.spot, message, "list it there, or write message = \"text\"");
    }
}

/// Everything but name, path and backends, which are left empty.
fn settings(section: &mut Section<'_, '_>) -> Route {
    Route {
        name: String::new(),
        host: section.text("host", |text, _| pattern::host(text)),
        path: PathPattern::Exact(String::new()),
        backends: Vec::new(),
        auth: auth::read(section),
        origins: origins(section),
        allow_missing_origin: section.flag("allow_missing_origin"),
        subprotocols: subprotocols(section),
        message: section.word("message", &MESSAGES).unwrap_or(MessageType::Binary),
        binary_only: section.word("accept", &[("any", false), ("binary", true)]).unwrap_or(false),
        legacy_hybi00: section.word("legacy", &[("hybi-00", true)]).unwrap_or(false),
        ping_interval: unless_off(section.duration("ping_interval")),
        ping_timeout: unless_off(section.duration("ping_timeout")),
        idle_timeout: unless_off(section.duration("idle_timeout")),
        age_max: unless_off(section.duration("max_age")),
        on_change: section.text("on_change", |text, _| on_change(text)).unwrap_or(OnChange::Keep),
        frame_bytes_max: section.size_or_default("max_frame"),
        message_bytes_max: section.size("max_message"),
        fragments_max: section.count("max_fragments").and_then(|count| u32::try_from(count).ok()),
        balance: section.word("balance", &BALANCES).unwrap_or(Balance::LeastConnections),
        disable_time: section.duration("disable_time"),
        connect_timeout: section.duration("connect_timeout"),
        upgrade_timeout: section.duration("upgrade_timeout"),
        body_timeout: section.duration("body_timeout"),
        pending_max: usize::try_from(section.count_or_default("max_pending")).unwrap_or(usize::MAX),
        compression: section
            .word("compression", &[("off", false), ("permessage-deflate", true)])
            .unwrap_or(false),
        send_proxy: section.word("send_proxy", &[("v1", ProxyVersion::V1), ("v2", ProxyVersion::V2)]),
        backend_tls: backend_tls(section),
        record: record::read(section),
        pages_not_allowed: false,
    }
}

fn on_change(text: &str) -> Result<OnChange, Fault> {
    match text.split_once(' ') {
        None if text == "keep" => Ok(OnChange::Keep),
        None if text == "close" => Ok(OnChange::Close),
        Some(("drain", time)) => {
            let time = value::duration(time.trim_start())?;
            if time.is_zero() || time > DRAIN_MAX {
                let most = value::show_duration(DRAIN_MAX);
                return Err(Fault::new(
                    "is out of bounds",
                    format!("write \"drain TIME\" with at most {most}"),
                ));
            }
            Ok(OnChange::Drain(time))
        }
        _ => Err(Fault::new(
            "is none of its values",
            "write \"keep\", \"close\" or \"drain TIME\", such as \"drain 10m\"",
        )),
    }
}

fn backend_tls(section: &mut Section<'_, '_>) -> BackendTls {
    let Some(found) = section.find("backend_tls") else { return BackendTls::default() };
    let read = section.nested("backend_tls", Place::BackendTls, &found, |section| BackendTls {
        ca: section.text("ca", files::authorities),
        verify: section.flag("verify"),
        server_name: section.text("server_name", |text, _| pattern::server_name(text)),
    });
    read.unwrap_or_default()
}

/// Encryption with whoever answers keeps nobody out who can answer.
fn unverified(section: &mut Section<'_, '_>, settings: &Route, backends: &[Backend]) {
    let Some(found) = section.find("backend_tls").filter(|_| !settings.backend_tls.verify) else { return };
    let Some(backend) = backends.iter().find(|backend| backend.is_tls()) else { return };
    let message = format!(
        "backend_tls has verify = false: whoever is on the way to {backend} can read and change everything"
    );
    let remedy = match &settings.backend_tls.ca {
        Some(_) => "leave verify out: its authority is named beside it",
        None => "name its authority instead: backend_tls = { ca = \"FILE\" }",
    };
    section.warning(&found.spot, message, remedy);
}

fn origins(section: &mut Section<'_, '_>) -> OriginPolicy {
    let Some(found) = section.find("origins") else {
        return OriginPolicy::SameOrigin;
    };
    if let Some([only]) = found.value.as_array().map(|list| &**list)
        && only.get_ref().as_str() == Some("*")
    {
        let message = "origins [\"*\"] lets every site connect".to_owned();
        section.warning(&found.spot, message, "list the sites that may, unless every one of them may");
        return OriginPolicy::Any;
    }
    if let Some(text) = found.value.as_str() {
        let message = format!("origins is the string {}", quoted(text));
        section.error(&found.spot, message, format!("write a list: origins = [{}]", quoted(text)));
        return OriginPolicy::SameOrigin;
    }
    let patterns = section.texts("origins", |text, _| origin::origin(text));
    patterns.map_or(OriginPolicy::SameOrigin, OriginPolicy::List)
}

fn subprotocols(section: &mut Section<'_, '_>) -> Subprotocols {
    let required = section.flag("subprotocol_required");
    let mut seen: Vec<String> = Vec::new();
    let names = section.texts("subprotocols", |text, _| {
        let name = token(text)?;
        if seen.contains(&name) {
            return Err(Fault::new("stands twice", "write it once"));
        }
        seen.push(name.clone());
        Ok(name)
    });
    if required
        && let Some(found) = section.find("subprotocol_required")
        && names.as_ref().is_none_or(Vec::is_empty)
    {
        let message = "subprotocol_required is true, but none can be selected".to_owned();
        section.error(&found.spot, message, "write subprotocols = [\"NAME\"] beside it");
    }
    names.map_or(Subprotocols::Unset, |names| Subprotocols::List { names, required })
}

/// Whether a configuration takes this for a subprotocol; else what is wrong with it.
pub(crate) fn check_subprotocol(text: &str) -> Result<(), String> {
    token(text).map(drop).map_err(|fault| fault.problem)
}

/// A token (RFC 9110 §5.6.2), as RFC 6455 §4.1 wants subprotocols to be.
fn token(text: &str) -> Result<String, Fault> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !text.is_empty() && text.len() <= TOKEN_BYTES_MAX && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    Err(Fault::new(
        "is no subprotocol",
        format!("write 1 to {TOKEN_BYTES_MAX} letters, digits or !#$%&'*+-.^_`|~, without spaces or commas"),
    ))
}

fn unless_off(duration: Duration) -> Option<Duration> {
    (!duration.is_zero()).then_some(duration)
}

const MESSAGES: [(&str, MessageType); 3] = [
    ("binary", MessageType::Binary),
    ("text", MessageType::Text),
    ("by-subprotocol", MessageType::BySubprotocol),
];
const BALANCES: [(&str, Balance); 4] = [
    ("least-connections", Balance::LeastConnections),
    ("round-robin", Balance::RoundRobin),
    ("hash", Balance::Hash),
    ("sticky", Balance::Sticky),
];
/// Names stand in every log line and metric label.
const NAME_CHARS_MAX: usize = 64;
const TOKEN_BYTES_MAX: usize = 256;
/// As long as a connection may last by any other key.
const DRAIN_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_change_may_mean() {
        for (text, meant) in [
            ("keep", OnChange::Keep),
            ("close", OnChange::Close),
            ("drain 10m", OnChange::Drain(Duration::from_secs(600))),
            ("drain  720h", OnChange::Drain(DRAIN_MAX)),
        ] {
            assert_eq!(on_change(text), Ok(meant), "{text}");
        }
        for text in ["", "drain", "drain 0", "drain 721h", "drain soon", "close 10m", "Keep"] {
            assert!(on_change(text).is_err(), "{text}");
        }
    }

    #[test]
    fn subprotocols_are_tokens() {
        for text in ["mqtt", "chat.v2", "x|y~"] {
            assert_eq!(token(text), Ok(text.to_owned()));
        }
        for text in ["", "a b", "a,b", "ä", "a\n", "(x)"] {
            assert!(token(text).is_err(), "{text:?}");
        }
        assert!(token(&"a".repeat(TOKEN_BYTES_MAX + 1)).is_err());
    }
}

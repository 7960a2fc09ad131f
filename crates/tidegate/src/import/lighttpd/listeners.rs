//! `server.port`, `$SERVER["socket"]` and `ssl.*`: where connections come in.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::contexts::{Context, Contexts, Setting};
use super::folders::one_slash;
use super::position::Position;
use super::scopes::{Doors, HOST, SOCKET};
use super::value::{Item, Value};
use crate::import::document::{Table, Toml};
use crate::import::report::Report;

/// The listeners, and the two directives of lighttpd that each can come from.
pub(super) struct Listeners {
    pub(super) tables: Vec<Table>,
    pub(super) doors: Doors,
}

/// One address that is listened on.
struct Listener {
    /// The contexts that are true for it, the outermost first.
    contexts: Vec<usize>,
    address: Address,
    comment: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    Tcp(SocketAddr),
    Unix(String),
}

pub(super) fn translate(contexts: &Contexts, report: &mut Report<Position>) -> Listeners {
    let listeners = listeners(contexts, report);
    let mut tables = Vec::new();
    let mut secure = Vec::new();
    for listener in &listeners {
        let address = match &listener.address {
            Address::Tcp(address) => address.to_string(),
            Address::Unix(path) => format!("unix:{path}"),
        };
        let table = Table::new(&listener.comment).with("address", address);
        let engine = setting(contexts, listener, "ssl.engine");
        secure.push(engine.is_some_and(|engine| engine.value.is_enabled()));
        tables.extend(match engine {
            None => Some(table),
            Some(engine) if engine.value.is_enabled() => {
                let lowest = lowest_version(contexts, listener, report);
                certificates(contexts, listener, engine, report)
                    .map(|certificates| table.with("tls", certificates).with_some("tls_min_version", lowest))
            }
            Some(engine) => {
                let is_off = engine.value.as_text().is_some_and(|word| word.eq_ignore_ascii_case("disable"));
                let read = is_off.then_some(table).ok_or_else(|| not_known(&engine.value, "is no switch"));
                told(read, engine, "ssl.engine", report)
            }
        });
    }
    let is_uniform = secure.windows(2).all(|pair| pair[0] == pair[1]);
    let doors = Doors {
        as_open_as_any: open_doors(&listeners),
        count: listeners.len(),
        secure: secure.first().copied().filter(|_| is_uniform),
    };
    Listeners { tables, doors }
}

/// The main one, and one for each condition that names another.
fn listeners(contexts: &Contexts, report: &mut Report<Position>) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = main(contexts, report).into_iter().collect();
    for (index, context) in contexts.all().iter().enumerate() {
        let Some(condition) = context.condition.as_ref().filter(|condition| condition.subject == SOCKET)
        else {
            continue;
        };
        let Some(text) = condition.value.as_text().filter(|_| condition.operator == "==") else { continue };
        match socket(text) {
            Ok(address) => {
                report.translated(&condition.at, condition.title());
                if let Some(known) = listeners.iter_mut().find(|listener| listener.address == address) {
                    known.contexts.push(index);
                } else {
                    let comment = format!("{} {} == {text:?}", condition.at, condition.title());
                    listeners.push(Listener { contexts: vec![Contexts::GLOBAL, index], address, comment });
                }
            }
            Err(why) => report.without(&condition.at, condition.title(), why),
        }
    }
    listeners
}

/// The listener of `server.bind` and `server.port`, which is there even if neither is set. `None`: where it would be
/// cannot be told, and a guess might let in who must not.
fn main(contexts: &Contexts, report: &mut Report<Position>) -> Option<Listener> {
    let global = contexts.global();
    let port = match global.settings.get("server.port") {
        None if global.settings.get("ssl.engine").is_some_and(|engine| engine.value.is_enabled()) => 443,
        None => 80,
        Some(set) => {
            let port =
                set.value.as_number().and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0);
            told(port.ok_or_else(|| not_known(&set.value, "is no port")), set, "server.port", report)?
        }
    };
    let any = match global.settings.get("server.use-ipv6") {
        Some(wanted) => {
            report.translated(&wanted.at, "server.use-ipv6");
            if wanted.value.is_enabled() { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { ANY }
        }
        None => ANY,
    };
    let address = match global.settings.get("server.bind") {
        None => Address::Tcp(SocketAddr::new(any, port)),
        Some(set) => {
            let address = match set.value.as_text() {
                Some(path) if path.starts_with('/') => Ok(Address::Unix(one_slash(path).into_owned())),
                Some(name) => host(name, any).map(|ip| Address::Tcp(SocketAddr::new(ip, port))),
                None => Err(not_known(&set.value, "is no address")),
            };
            told(address, set, "server.bind", report)?
        }
    };
    let comment = "server.bind and server.port".to_owned();
    Some(Listener { contexts: vec![Contexts::GLOBAL], address, comment })
}

fn told<T>(read: Result<T, String>, set: &Setting, name: &str, report: &mut Report<Position>) -> Option<T> {
    match read {
        Ok(read) => {
            report.translated(&set.at, name);
            Some(read)
        }
        Err(why) => {
            report.without(&set.at, name, format!("{why}: the listener is left out"));
            None
        }
    }
}

/// `"[::]:443"`, `":443"`, `"*:443"`, `"127.0.0.1:443"`, `"443"` or the path of a Unix socket.
fn socket(text: &str) -> Result<Address, String> {
    if text.starts_with('/') {
        return Ok(Address::Unix(one_slash(text).into_owned()));
    }
    let (name, port) = text.rsplit_once(':').unwrap_or(("", text));
    let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(|| format!("{text:?} has no port"))?;
    host(name, ANY).map(|ip| Address::Tcp(SocketAddr::new(ip, port)))
}

fn host(text: &str, any: IpAddr) -> Result<IpAddr, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    match bare {
        "" | "*" => Ok(any),
        "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        _ => bare.parse().map_err(|_| format!("{text:?} is a name: write the address that it stands for")),
    }
}

/// The contexts whose listener can be reached by all who can reach any other: what is for them may be served on all.
fn open_doors(listeners: &[Listener]) -> Vec<usize> {
    let is_wide = |listener: &Listener| match &listener.address {
        Address::Tcp(address) => address.ip().is_unspecified(),
        Address::Unix(_) => false,
    };
    let open = listeners.iter().filter(|listener| listeners.len() == 1 || is_wide(listener));
    open.flat_map(|listener| listener.contexts.iter().copied()).collect()
}

/// The directive as it is in force for a listener.
fn setting<'c>(contexts: &'c Contexts, listener: &Listener, name: &str) -> Option<&'c Setting> {
    listener.contexts.iter().rev().find_map(|index| contexts.all()[*index].settings.get(name))
}

/// The one version that it may be worth to name: 1.2 is the lowest here anyway, and 1.3 the highest.
fn lowest_version(
    contexts: &Contexts,
    listener: &Listener,
    report: &mut Report<Position>,
) -> Option<&'static str> {
    const COMMANDS: &str = "ssl.openssl.ssl-conf-cmd";
    let set = setting(contexts, listener, COMMANDS)?;
    let is_lowest =
        |item: &&Item| item.key.as_deref().is_some_and(|key| key.eq_ignore_ascii_case("MinProtocol"));
    let lowest = set.value.as_list()?.iter().rfind(is_lowest)?;
    (lowest.value.as_text() == Some("TLSv1.3")).then(|| {
        report.translated(&lowest.at, format!("{COMMANDS} \"MinProtocol\""));
        "1.3"
    })
}

/// The listener's own certificate, and those for the names of conditions within it. `None`: it has none, so there must
/// not be a listener either.
fn certificates(
    contexts: &Contexts,
    listener: &Listener,
    engine: &Setting,
    report: &mut Report<Position>,
) -> Option<Toml> {
    let own =
        setting(contexts, listener, "ssl.pemfile").ok_or_else(|| "has no ssl.pemfile beside it".to_owned());
    let own = told(own, engine, "ssl.engine", report)?;
    let key = setting(contexts, listener, "ssl.privkey");
    let mut certificates = vec![certificate(own, key, report)?];
    for (index, context) in contexts.all().iter().enumerate() {
        if let Some(pem) =
            context.settings.get("ssl.pemfile").filter(|_| is_for_a_name(contexts, index, listener))
        {
            certificates.extend(certificate(pem, context.settings.get("ssl.privkey"), report));
        }
    }
    if certificates.len() == 1 { certificates.pop() } else { Some(Toml::List(certificates)) }
}

/// Whether the context is one of host names that this listener is asked for.
fn is_for_a_name(contexts: &Contexts, index: usize, listener: &Listener) -> bool {
    let conditions = contexts.conditions(index);
    let own = |at: &Position| {
        let of = |index: &usize| contexts.all()[*index].condition.as_ref();
        listener.contexts.iter().filter_map(of).any(|condition| condition.at == *at)
    };
    conditions.iter().any(|condition| condition.subject == HOST)
        && conditions.iter().all(|condition| condition.subject == HOST || own(&condition.at))
}

/// As `tls` of a listener has it. lighttpd takes certificate and key from one file if only one is named.
fn certificate(pem: &Setting, key: Option<&Setting>, report: &mut Report<Position>) -> Option<Toml> {
    let mut file = |setting: &Setting, name: &str| {
        let Some(path) = setting.value.as_text().filter(|path| !path.is_empty()) else {
            report.without(&setting.at, name, not_known(&setting.value, "is not the name of a file"));
            return None;
        };
        match File::open(path) {
            Ok(_) => report.translated(&setting.at, name),
            Err(error) => {
                let note =
                    format!("{path} cannot be read here ({error}): until it can, tidegate check says so");
                report.note(&setting.at, name, note);
            }
        }
        Some(path.to_owned())
    };
    let cert = file(pem, "ssl.pemfile")?;
    let key = match key {
        Some(key) => file(key, "ssl.privkey")?,
        None => cert.clone(),
    };
    Some(Toml::Table(vec![("cert", cert.into()), ("key", key.into())]))
}

/// Why a value is of no use.
fn not_known(value: &Value, otherwise: &str) -> String {
    match value {
        Value::Unknown(why) => format!("its value is not known: {why}"),
        Value::Text(_) | Value::Number(_) | Value::List(_) => otherwise.to_owned(),
    }
}

const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// What is about listeners and means something only there.
pub(super) fn is_of_listeners(name: &str, context: &Context) -> bool {
    let is_name = matches!(name, "ssl.engine" | "ssl.pemfile" | "ssl.privkey");
    let is_main = matches!(name, "server.port" | "server.bind" | "server.use-ipv6");
    is_name || is_main && context.parent.is_none()
}

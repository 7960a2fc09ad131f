//! `lookup = { … }` of a route.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use http::{HeaderName, Uri};
use ipnet::IpNet;

use super::auth::key_fault;
use super::files::in_folder;
use super::keys::Place;
use super::needless;
use super::section::Section;
use crate::config::diagnostic::{Fault, quoted};
use crate::config::{Authority, Lookup, LookupKey, LookupSource, RedisSource, TargetPattern, UrlTemplate};
use crate::jwt::{KeyError, Verifier};

/// `None` where there is no look-up; an inner `None` where there is one that cannot be used.
pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Option<Lookup>> {
    let found = section.find("lookup")?;
    if section.find("backend").is_some() {
        let message = "lookup stands beside backend".to_owned();
        section.error(&found.spot, message, "keep one: the look-up says where a client is connected");
    }
    Some(section.nested("lookup", Place::Lookup, &found, read_table).flatten())
}

fn read_table(section: &mut Section<'_, '_>) -> Option<Lookup> {
    for (name, remedy) in [
        ("kind", "write kind = \"file\", or another of the kinds"),
        ("source", "write source = \"/etc/tidegate/tokens\", or what the kind needs"),
    ] {
        if section.find(name).is_none() {
            section.missing(name, remedy);
        }
    }
    let kind = section.text("kind", |text, _| known_kind(text));
    let source = kind.and_then(|kind| {
        let read = |text: &str, folder: &Path| source(kind, text, folder);
        match kind {
            "http" | "json" | "redis" => section.secret("source", read),
            _ => section.text("source", read),
        }
    });
    if let Some(source) = &source {
        look_at(section, source);
    }
    let key = section.text("key", |text, _| key(text));
    let timeout = section.duration("timeout");
    let targets = section.texts("targets", target);
    needless::of_networks(section, "targets");
    let tls = section.flag("tls");
    let lookup = Lookup::new(source?);
    needless::of_lookup(section, &lookup.source, tls);
    Some(Lookup { key: key.unwrap_or(lookup.key), timeout, targets, tls, source: lookup.source })
}

/// What can be said of the file that a source names. Its tokens and its key are nobody's to see.
fn look_at(section: &mut Section<'_, '_>, source: &LookupSource) {
    let file = match source {
        LookupSource::File(file) | LookupSource::ReadOnlyFile(file) | LookupSource::Jwt(file) => file,
        LookupSource::Directory(_) | LookupSource::UnixDirectory(_) => return,
        LookupSource::Http(_) | LookupSource::Json(_) | LookupSource::Redis(_) => return,
    };
    section.guard("source", file);
    let (LookupSource::Jwt(_), Some(found)) = (source, section.find("source")) else { return };
    let named = format!("source {}", quoted(&file.display().to_string()));
    if let Err(error) = Verifier::load_opening(file) {
        let fault = key_fault(&error);
        section.error(&found.spot, format!("{named} {}", fault.problem), fault.remedy);
    } else if let Err(short @ KeyError::Short(_)) = Verifier::load(file) {
        let fault = key_fault(&short);
        section.warning(&found.spot, format!("{named} {}", fault.problem), fault.remedy);
    }
}

fn known_kind(text: &str) -> Result<&'static str, Fault> {
    KINDS
        .into_iter()
        .find(|kind| *kind == text)
        .ok_or_else(|| Fault::new("is no kind of look-up", format!("write one of {}", KINDS.join(", "))))
}

/// What `kind` and `source` say together.
pub(in crate::config) fn source(kind: &str, source: &str, folder: &Path) -> Result<LookupSource, Fault> {
    match known_kind(kind)? {
        "file" => existing(source, folder).map(LookupSource::File),
        "read-only-file" => existing(source, folder).map(LookupSource::ReadOnlyFile),
        "directory" => directory(source, folder).map(LookupSource::Directory),
        "http" => template(source).map(LookupSource::Http),
        "json" => template(source).map(LookupSource::Json),
        "jwt" => existing(source, folder).map(LookupSource::Jwt),
        "redis" => redis(source).map(LookupSource::Redis),
        _ => directory(source, folder).map(LookupSource::UnixDirectory),
    }
}

/// A file or a folder; what it is good for shows when it is read.
fn existing(text: &str, folder: &Path) -> Result<PathBuf, Fault> {
    let path = in_folder(folder, text);
    let remedy = "name a file that this user may read";
    match std::fs::metadata(&path) {
        _ if text.is_empty() => Err(Fault::new("is empty", remedy)),
        Ok(metadata) if metadata.is_file() || metadata.is_dir() => Ok(path),
        Ok(_) => Err(Fault::new("is neither a file nor a folder", remedy)),
        Err(cause) => Err(Fault::new(format!("cannot be read: {cause}"), remedy)),
    }
}

fn directory(text: &str, folder: &Path) -> Result<PathBuf, Fault> {
    let path = existing(text, folder)?;
    if path.is_dir() { Ok(path) } else { Err(Fault::new("is not a folder", "name the folder itself")) }
}

/// The token may only take a place behind the host: the client must not choose whom we ask.
fn template(text: &str) -> Result<UrlTemplate, Fault> {
    const REMEDY: &str = "write an http:// or https:// URL with one %s behind its host, such as http://127.0.0.1:8000/tokens/%s";
    let (before, after) = text.split_once("%s").ok_or_else(|| Fault::new("has no %s", REMEDY))?;
    if after.contains("%s") {
        return Err(Fault::new("has more than one %s", REMEDY));
    }
    let url = url(&format!("{before}token{after}"))?;
    let authority = url.authority().map_or(0, |authority| authority.as_str().len());
    let behind_host = url.scheme_str().map_or(0, str::len) + "://".len() + authority;
    if before.len() <= behind_host {
        return Err(Fault::new("has its %s in the host", REMEDY));
    }
    Ok(UrlTemplate { before: before.to_owned(), after: after.to_owned() })
}

/// A URL that can be asked for.
pub(super) fn url(text: &str) -> Result<Uri, Fault> {
    const REMEDY: &str = "write an http:// or https:// URL, without a user name or a fragment";
    let url: Uri = text.parse().map_err(|_| Fault::new("is no URL", REMEDY))?;
    let has_user = url.authority().is_some_and(|authority| authority.as_str().contains('@'));
    let is_http =
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty());
    if is_http && !has_user && !text.contains('#') {
        Ok(url)
    } else {
        Err(Fault::new("is no URL that can be asked", REMEDY))
    }
}

/// `host[:port[:db[:password[:namespace]]]]`; an empty field is its default, one in double quotes may have colons.
fn redis(text: &str) -> Result<RedisSource, Fault> {
    const REMEDY: &str =
        "write host[:port[:db[:password[:namespace]]]], and a field with colons in double quotes";
    let fields = fields(text).ok_or_else(|| Fault::new("has a quote that does not end its field", REMEDY))?;
    if fields.len() > 5 {
        return Err(Fault::new("has more than five fields", REMEDY));
    }
    let field = |index: usize| fields.get(index).filter(|field| !field.is_empty());
    let host = field(0).ok_or_else(|| Fault::new("has no host", REMEDY))?;
    let number = |index: usize, default: u32, max: u32| match field(index).map(|digits| digits.parse::<u32>())
    {
        None => Ok(default),
        Some(Ok(number)) if number <= max => Ok(number),
        Some(_) => Err(Fault::new("has a port or database that is no number", REMEDY)),
    };
    let port = u16::try_from(number(1, 6379, 0xffff)?).ok().filter(|port| *port > 0);
    let port = port.ok_or_else(|| Fault::new("has port 0", REMEDY))?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(RedisSource {
        address: Authority { host, port },
        database: number(2, 0, i32::MAX.unsigned_abs())?,
        password: field(3).cloned(),
        namespace: field(4).cloned(),
    })
}

/// Splits at colons that stand in no quotes.
fn fields(text: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
            Some(quoted) => quoted.split_once('"')?,
        };
        fields.push(field.to_owned());
        match after.strip_prefix(':') {
            Some(next) => rest = next,
            None if after.is_empty() => return Some(fields),
            None => return None,
        }
    }
}

fn key(text: &str) -> Result<LookupKey, Fault> {
    let fault = || Fault::new("is no place of a token", r#"write "query:NAME", "header:NAME" or "host""#);
    match text.split_once(':') {
        None if text == "host" => Ok(LookupKey::Host),
        Some(("query", name)) if !name.is_empty() => Ok(LookupKey::Query(name.to_owned())),
        Some(("header", name)) => {
            let name: HeaderName = name.parse().map_err(|_| fault())?;
            Ok(LookupKey::Header(name.as_str().to_owned()))
        }
        _ => Err(fault()),
    }
}

/// `NETWORK:PORTS` or `unix:PATH`.
fn target(text: &str, folder: &Path) -> Result<TargetPattern, Fault> {
    const REMEDY: &str =
        "write a network and ports, as 10.0.0.0/8:5900-5999 or fd00::/8:5900, or unix:PATH, or unix:FOLDER/*";
    if let Some(path) = text.strip_prefix("unix:") {
        return match path.strip_suffix("/*") {
            _ if path.is_empty() => Err(Fault::new("has no path", REMEDY)),
            Some(below) => Ok(TargetPattern::UnixBelow(in_folder(folder, below))),
            None if path.contains('*') => Err(Fault::new("has a * that is not a last /*", REMEDY)),
            None => Ok(TargetPattern::Unix(in_folder(folder, path))),
        };
    }
    let (net, ports) = text.rsplit_once(':').ok_or_else(|| Fault::new("has no ports", REMEDY))?;
    let net = net.trim_start_matches('[').trim_end_matches(']');
    let single = net.parse::<std::net::IpAddr>().map(IpNet::from);
    let net = single.or_else(|_| net.parse::<IpNet>()).map_err(|_| Fault::new("has no network", REMEDY))?;
    let ports = port_range(ports).ok_or_else(|| Fault::new("has no range of ports", REMEDY))?;
    Ok(TargetPattern::Tcp { net: net.trunc(), ports })
}

fn port_range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first > 0 && first <= last).then_some(first..=last)
}

const KINDS: [&str; 8] =
    ["file", "read-only-file", "directory", "http", "json", "jwt", "redis", "unix-directory"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_keep_the_host_out_of_the_client_s_hands() {
        for text in ["http://a/%s", "https://a:8443/x?token=%s&b=c", "http://a?%s"] {
            let template = template(text).unwrap();
            assert_eq!(format!("{}%s{}", template.before, template.after), text);
        }
        for text in [
            "http://%s/",
            "http://a%s/",
            "http://%s.test/",
            "http://a:8%s/",
            "http://a/",
            "http://a/%s%s",
            "http://me:pw@a/%s",
            "ftp://a/%s",
            "/a/%s",
            "%s",
            "http://a/%s#b",
            "http:///%s",
            "",
        ] {
            assert!(template(text).is_err(), "{text}");
        }
    }

    #[test]
    fn redis_fields_have_defaults_and_quotes() {
        let read = |text| {
            redis(text)
                .map(|r| (r.address.to_string(), r.database, r.password, r.namespace))
                .map_err(|f| f.problem)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("r"), Ok(("r:6379".to_owned(), 0, None, None)));
        assert_eq!(read("r:1234"), Ok(("r:1234".to_owned(), 0, None, None)));
        assert_eq!(read("r::::ns"), Ok(("r:6379".to_owned(), 0, None, some("ns"))));
        assert_eq!(read("r:1:2:\"a:b\":n"), Ok(("r:1".to_owned(), 2, some("a:b"), some("n"))));
        assert_eq!(read("\"::1\":1"), Ok(("[::1]:1".to_owned(), 0, None, None)));
        for text in ["", ":1", "r:0", "r:x", "r:70000", "r:1:x", "r:1:2:3:4:5", "r:1:2:\"a", "r:\"1\"2"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn keys() {
        assert_eq!(key("host"), Ok(LookupKey::Host));
        assert_eq!(key("query:t"), Ok(LookupKey::Query("t".to_owned())));
        assert_eq!(key("header:X-Token"), Ok(LookupKey::Header("x-token".to_owned())));
        for text in ["", "query", "query:", "header:", "header:a b", "cookie:a", "host:a"] {
            assert!(key(text).is_err(), "{text}");
        }
    }

    #[test]
    fn targets() {
        let folder = Path::new("/etc");
        let net = |text: &str, ports| TargetPattern::Tcp { net: text.parse().unwrap(), ports };
        assert_eq!(target("10.1.0.0/8:5900-5999", folder), Ok(net("10.0.0.0/8", 5900..=5999)));
        assert_eq!(target("127.0.0.1:22", folder), Ok(net("127.0.0.1/32", 22..=22)));
        assert_eq!(target("fd00::/8:1-65535", folder), Ok(net("fd00::/8", 1..=65535)));
        assert_eq!(target("[::1]:80", folder), Ok(net("::1/128", 80..=80)));
        assert_eq!(target("unix:/run/vnc/*", folder), Ok(TargetPattern::UnixBelow("/run/vnc".into())));
        assert_eq!(target("unix:a.sock", folder), Ok(TargetPattern::Unix("/etc/a.sock".into())));
        for text in
            ["", "10.0.0.0/8", "a.test:80", "10.0.0.1:0", "10.0.0.1:2-1", "10.0.0.1:*", "unix:", "unix:/*/a"]
        {
            assert!(target(text, folder).is_err(), "{text}");
        }
    }
}

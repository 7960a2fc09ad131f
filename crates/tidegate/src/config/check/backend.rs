//! `backend = …`: what stands behind a route.

use std::path::{Path, PathBuf};

use super::authority::host_port;
use super::files::in_folder;
use super::suggest::closest;
use crate::config::diagnostic::Fault;
use crate::config::{Authority, Backend, Folder, HttpTarget};

/// Reads one backend; a relative path starts at `folder`.
pub(super) fn backend(text: &str, folder: &Path) -> Result<Backend, Fault> {
    let Some((scheme, rest)) = split_scheme(text) else {
        return Err(no_scheme(text));
    };
    match scheme {
        "tcp" => tcp(scheme, rest).map(Backend::Tcp),
        "tls" => tcp(scheme, rest).map(Backend::Tls),
        "ws" => http(scheme, rest, false).map(Backend::WebSocket),
        "wss" => http(scheme, rest, true).map(Backend::WebSocket),
        "http" => http(scheme, rest, false).map(Backend::Http),
        "https" => http(scheme, rest, true).map(Backend::Http),
        "unix" => unix_path(rest, folder).map(Backend::Unix),
        "file" => directory(rest, folder).map(|path| Backend::File(Folder { path, listing: false })),
        "echo" if rest.is_empty() => Ok(Backend::Echo),
        "echo" => Err(Fault::new("has something after the colon", "write echo:")),
        "handoff" => handoff(rest, folder).map(Backend::Handoff),
        _ => Err(unknown_scheme(scheme)),
    }
}

/// Whether a configuration takes this for a backend, wherever it stands; else what is wrong with it.
pub(crate) fn check_backend(text: &str) -> Result<(), String> {
    backend(text, Path::new("/")).map(drop).map_err(|fault| fault.problem)
}

/// Can the two stand in one list? Connections are spread over a list, so its members must speak alike.
pub(super) fn alike(a: &Backend, b: &Backend) -> bool {
    let raw = |backend: &Backend| matches!(backend, Backend::Tcp(_) | Backend::Tls(_) | Backend::Unix(_));
    let pairs = (raw(a) && raw(b))
        || matches!(
            (a, b),
            (Backend::WebSocket(_), Backend::WebSocket(_)) | (Backend::Http(_), Backend::Http(_))
        );
    pairs || matches!((a, b), (Backend::Handoff(_), Backend::Handoff(_)))
}

/// Does a backend of this kind answer WebSocket upgrades?
pub(in crate::config) fn takes_upgrades(backend: &Backend) -> bool {
    match backend {
        Backend::Tcp(_) | Backend::Tls(_) | Backend::Unix(_) | Backend::WebSocket(_) => true,
        Backend::Http(_) | Backend::Echo | Backend::Handoff(_) => true,
        Backend::Lookup(_) | Backend::Replay(_) => true,
        Backend::File(_) | Backend::Builtin => false,
    }
}

/// Does a backend of this kind answer plain HTTP requests?
pub(in crate::config) fn takes_requests(backend: &Backend) -> bool {
    matches!(backend, Backend::Http(_) | Backend::File(_) | Backend::Builtin)
}

/// `vnc:5900` is a host and a port and no scheme `vnc`, so what follows the colon is looked at as well.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let looks_like_one = SCHEMES.contains(&scheme) || rest.starts_with("//");
    looks_like_one.then_some((scheme, rest))
}

fn no_scheme(text: &str) -> Fault {
    if let Some((scheme, rest)) = slip(text) {
        return Fault::new("has no colon after its scheme", format!("write {scheme}://{rest}"));
    }
    let remedy = match text {
        "" => ALLOWED.to_owned(),
        "echo" => "write echo:".to_owned(),
        _ if text.starts_with(['/', '.']) => format!("write file:{text} or unix:{text}"),
        _ if text.contains(':') => format!("write tcp://{text}"),
        _ => format!("write tcp://{text}:PORT"),
    };
    Fault::new("has no scheme", remedy)
}

/// A scheme whose colon was left out, as in `https//example.com`.
fn slip(text: &str) -> Option<(&str, &str)> {
    text.split_once("//").filter(|(scheme, _)| SCHEMES.contains(scheme))
}

fn unknown_scheme(scheme: &str) -> Fault {
    let problem = format!("has the unknown scheme {scheme:?}");
    match closest(scheme, &SCHEMES) {
        Some(known) => Fault::new(problem, format!("did you mean {known}? {ALLOWED}")),
        None => Fault::new(problem, ALLOWED),
    }
}

fn tcp(scheme: &str, rest: &str) -> Result<Authority, Fault> {
    let authority = after_slashes(scheme, rest)?;
    no_query(authority)?;
    let (authority, path) = authority.split_at(authority.find('/').unwrap_or(authority.len()));
    if !path.is_empty() {
        return Err(Fault::new(
            "has a path",
            format!("write {scheme}://{authority}: a TCP service has none"),
        ));
    }
    let host = host_port(authority)?;
    match host.port {
        Some(port) => Ok(host.into_authority(port)),
        None => Err(Fault::new("has no port", format!("write {scheme}://{authority}:PORT"))),
    }
}

fn http(scheme: &str, rest: &str, tls: bool) -> Result<HttpTarget, Fault> {
    let text = after_slashes(scheme, rest)?;
    no_query(text)?;
    let (authority, path) = text.split_at(text.find('/').unwrap_or(text.len()));
    if path.bytes().any(|b| !b.is_ascii_graphic()) {
        return Err(Fault::new("has a path that is not plain ASCII", "percent-encode it"));
    }
    if path.len() > BASE_BYTES_MAX {
        let problem = format!("has a path of {} bytes", path.len());
        return Err(Fault::new(problem, format!("write at most {BASE_BYTES_MAX}")));
    }
    if let Some(odd) = path.chars().find(|found| !is_of_path(*found)) {
        let problem = format!("has a path with {odd:?}, which no URL has");
        return Err(Fault::new(problem, "percent-encode it"));
    }
    let host = host_port(authority)?;
    let port = host.port.unwrap_or(if tls { 443 } else { 80 });
    let base = (!path.is_empty()).then(|| path.trim_end_matches('/').to_owned());
    Ok(HttpTarget { tls, authority: host.into_authority(port), base })
}

/// What stands raw in the path of a URL (RFC 3986 §3.3), and the sign that begins an escape.
fn is_of_path(character: char) -> bool {
    character.is_ascii_alphanumeric() || "/-._~!$&'()*+,;=:@%".contains(character)
}

fn after_slashes<'t>(scheme: &str, rest: &'t str) -> Result<&'t str, Fault> {
    rest.strip_prefix("//").ok_or_else(|| {
        let host = rest.trim_start_matches('/');
        Fault::new("has no // after its scheme", format!("write {scheme}://{host}"))
    })
}

fn no_query(text: &str) -> Result<(), Fault> {
    match text.find(['?', '#']) {
        None => Ok(()),
        Some(at) if text[at..].starts_with('?') => {
            Err(Fault::new("has a query", "leave it out: the client's own query is passed on"))
        }
        Some(_) => Err(Fault::new("has a fragment", "leave out what begins with #")),
    }
}

/// The path of a Unix socket, of a backend or a listener.
pub(super) fn unix_path(path: &str, folder: &Path) -> Result<PathBuf, Fault> {
    let named = path.trim_start_matches('/');
    if path.starts_with("//") && !named.is_empty() {
        return Err(Fault::new("is no path but a URL", format!("write unix:/{named}")));
    }
    if named.is_empty() {
        return Err(Fault::new("has no path", "write unix:PATH, such as unix:/run/app.sock"));
    }
    let path = in_folder(folder, path);
    let bytes = path.as_os_str().len();
    if bytes > UNIX_PATH_BYTES_MAX {
        let problem = format!("has a path of {bytes} bytes");
        return Err(Fault::new(problem, format!("use one of at most {UNIX_PATH_BYTES_MAX} bytes")));
    }
    Ok(path)
}

fn handoff(rest: &str, folder: &Path) -> Result<PathBuf, Fault> {
    let Some(path) = rest.strip_prefix("unix:") else {
        let path = if rest.is_empty() { "PATH" } else { rest };
        return Err(Fault::new("names no socket", format!("write handoff:unix:{path}")));
    };
    unix_path(path, folder)
        .map_err(|fault| Fault::new(fault.problem, format!("behind handoff: {}", fault.remedy)))
}

fn directory(rest: &str, folder: &Path) -> Result<PathBuf, Fault> {
    if rest.is_empty() {
        return Err(Fault::new("has no directory", "write file:DIR, such as file:/srv/www or file:."));
    }
    if let Some(path) = rest.strip_prefix("//") {
        return Err(Fault::new("is a URL", format!("write file:{path}")));
    }
    let path = in_folder(folder, rest);
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Ok(path),
        Ok(_) => Err(Fault::new("is not a directory", "name the directory that holds the files")),
        Err(cause) => Err(Fault::new(format!("cannot be read: {cause}"), "name a directory that exists")),
    }
}

const SCHEMES: [&str; 10] = ["tcp", "tls", "unix", "ws", "wss", "http", "https", "file", "echo", "handoff"];
const ALLOWED: &str = "allowed: tcp://, tls://, unix:PATH, ws://, wss://, http://, https://, file:DIR, echo: and handoff:unix:PATH";
/// With the longest path of a request behind it, a request target is far below what the HTTP library takes.
const BASE_BYTES_MAX: usize = 4096;
/// What a socket address holds, less the byte that ends it.
pub(super) const UNIX_PATH_BYTES_MAX: usize = 107;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Backend, Fault> {
        backend(text, Path::new(""))
    }

    #[test]
    fn every_kind_reads_and_shows_as_written() {
        for text in [
            "tcp://127.0.0.1:5900",
            "tcp://[::1]:5900",
            "tls://redis.example.com:6380",
            "unix:/run/app.sock",
            "ws://app:80",
            "wss://app:443/base",
            "http://app:8080",
            "https://app:8443/a/b",
            "file:.",
            "echo:",
            "handoff:unix:/run/other.sock",
        ] {
            assert_eq!(read(text).map(|backend| backend.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn ports_of_urls_have_defaults_and_a_base_has_no_trailing_slash() {
        for (text, port, base) in [
            ("ws://app", 80, None),
            ("wss://app", 443, None),
            ("http://app", 80, None),
            ("https://app", 443, None),
            ("ws://app:81/", 81, Some("")),
            ("ws://app/base/", 80, Some("/base")),
        ] {
            let (Ok(Backend::WebSocket(target)) | Ok(Backend::Http(target))) = read(text) else {
                panic!("{text} is a URL")
            };
            assert_eq!((target.authority.port, target.base.as_deref()), (port, base), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_the_way_out() {
        for (text, problem, remedy) in [
            ("vnc:5900", "has no scheme", "write tcp://vnc:5900"),
            ("localhost", "has no scheme", "write tcp://localhost:PORT"),
            ("/srv/www", "has no scheme", "write file:/srv/www or unix:/srv/www"),
            ("echo", "has no scheme", "write echo:"),
            ("", "has no scheme", ALLOWED),
            ("tcp:vnc:5900", "has no // after its scheme", "write tcp://vnc:5900"),
            ("tcp://vnc", "has no port", "write tcp://vnc:PORT"),
            ("tcp://vnc:0", "has no valid port (0)", "write a port from 1 to 65535"),
            ("tcp://vnc:1/a", "has a path", "write tcp://vnc:1: a TCP service has none"),
            ("tcp://me@vnc:1", "contains a user name", "write host and port only"),
            ("ws://app/a?b=c", "has a query", "leave it out: the client's own query is passed on"),
            ("ws://app#a", "has a fragment", "leave out what begins with #"),
            ("ws://app/ä", "has a path that is not plain ASCII", "percent-encode it"),
            ("http://app/a<b", "has a path with '<', which no URL has", "percent-encode it"),
            ("ws://app/a\"b", "has a path with '\"', which no URL has", "percent-encode it"),
            ("ws://app/a\\b", "has a path with '\\\\', which no URL has", "percent-encode it"),
            ("echo://", "has something after the colon", "write echo:"),
            ("handoff:", "names no socket", "write handoff:unix:PATH"),
            ("handoff:/a", "names no socket", "write handoff:unix:/a"),
            ("handoff:unix:", "has no path", "behind handoff: write unix:PATH, such as unix:/run/app.sock"),
            ("unix:", "has no path", "write unix:PATH, such as unix:/run/app.sock"),
            ("file:", "has no directory", "write file:DIR, such as file:/srv/www or file:."),
            ("file:///srv", "is a URL", "write file:/srv"),
            ("file:Cargo.toml", "is not a directory", "name the directory that holds the files"),
        ] {
            assert_eq!(read(text), Err(Fault::new(problem, remedy)), "{text}");
        }
        assert_eq!(read("wx://app").unwrap_err().problem, "has the unknown scheme \"wx\"");
        assert!(read("htp://app").unwrap_err().remedy.starts_with("did you mean http? allowed: tcp://"));
        assert!(read("file:no/such/directory").unwrap_err().problem.starts_with("cannot be read"));
        assert!(read(&format!("unix:/{}", "a".repeat(107))).is_err());
        assert!(read(&format!("ws://app/{}", "a".repeat(4096))).is_err());
    }

    #[test]
    fn relative_paths_start_at_the_folder_of_the_file() {
        assert_eq!(
            backend("unix:app.sock", Path::new("/etc/tidegate")),
            Ok(Backend::Unix(PathBuf::from("/etc/tidegate/app.sock")))
        );
    }

    #[test]
    fn only_backends_that_speak_alike_share_a_list() {
        for (a, b, expected) in [
            ("tcp://a:1", "unix:/b", true),
            ("ws://a", "wss://b", true),
            ("http://a", "https://b", true),
            ("ws://a", "http://b", false),
            ("tcp://a:1", "ws://b", false),
            ("echo:", "echo:", false),
            ("file:.", "file:.", false),
        ] {
            assert_eq!(alike(&read(a).unwrap(), &read(b).unwrap()), expected, "{a} {b}");
        }
    }
}

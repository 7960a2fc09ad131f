//! Object descriptions of rpc-frmwrk (`…desc.json`): where its objects are to be reached by WebSocket.
//!
//! A description is an object with an array `Objects`. Each of those has a name and, at any depth, the parameters of its
//! transport, all of them as strings: `"EnableWS": "true"`, `"PortNumber": "443"`.

use std::io::{self, Read as _};
use std::path::Path;

use serde_json::{Map, Value};
use tidegate_proto::UriError;

use super::place::{Place, authority};
use crate::named_file;

/// Bytes of the longest description.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Objects and arrays inside each other that are looked into.
const DEPTH_MAX: usize = 16;

/// Where an object is that names no `DestURL`.
const DEFAULT_URL: &str = "https://example.com/chat";

/// What a description says about the object that is meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Described {
    /// Its `ObjectName`, where it has one.
    pub(super) object: Option<String>,
    pub(super) place: Place,
    /// `IpAddress` and `PortNumber`, where no URL says where to connect to.
    pub(super) connect_to: Option<(String, u16)>,
    /// `ConnRecover`: connections that break are made anew.
    pub(super) reconnect: bool,
}

/// Why a description cannot be used. The operator's fault.
#[derive(Debug, thiserror::Error)]
pub(super) enum DescError {
    /// The system does not give it to us.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// No description is so long.
    #[error("has more than 4 MiB: it is no description")]
    TooLong,
    /// It is no JSON.
    #[error("is no JSON: {0}")]
    NoJson(#[from] serde_json::Error),
    /// There is no array of objects in it.
    #[error("has no array \"Objects\": it is no description of rpc-frmwrk's")]
    NoObjects,
    /// The object that was asked for is not there.
    #[error("has no object whose ObjectName is {asked:?}; it has {there}")]
    NoSuchObject {
        /// `--object`.
        asked: String,
        /// The names there are.
        there: String,
    },
    /// No object has `EnableWS`.
    #[error("has no object with \"EnableWS\": \"true\": none of them is reached by WebSocket")]
    NoWebSocket,
    /// The object that was asked for does not want a WebSocket.
    #[error("says \"EnableWS\": \"false\" for this object, which is not reached by WebSocket then")]
    WebSocketOff,
    /// It says nothing of one.
    #[error("has no \"EnableWS\": \"true\" for this object, which is not reached by WebSocket then")]
    WebSocketUnset,
    /// A value has another form than such files have.
    #[error("has {key} = {found}, and not {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// The value.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// The URL cannot be used.
    #[error("says EnableWS, but its DestURL cannot be used: {0}")]
    Url(UriError),
    /// `EnableSSL` and the scheme of the URL contradict each other.
    #[error(
        "says EnableSSL {enable_ssl:?}, but its DestURL{default} begins with {scheme}://; change one of the two"
    )]
    Contradiction {
        /// `EnableSSL`.
        enable_ssl: bool,
        /// The scheme.
        scheme: &'static str,
        /// Said where the URL is not in the file.
        default: &'static str,
    },
}

/// Reads a file. Without `object` the first one with `EnableWS` is meant.
pub(super) fn read(path: &Path, object: Option<&str>) -> Result<Described, DescError> {
    let mut text = Vec::new();
    named_file::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(DescError::TooLong);
    }
    described(&serde_json::from_slice(&text)?, object)
}

fn described(document: &Value, asked: Option<&str>) -> Result<Described, DescError> {
    let objects = document.get("Objects").and_then(Value::as_array).ok_or(DescError::NoObjects)?;
    let objects = || objects.iter().filter_map(Value::as_object);
    let object = match asked {
        Some(asked) => objects().find(|object| name(object) == Some(asked)).ok_or_else(|| {
            let names: Vec<_> = objects().filter_map(name).collect();
            DescError::NoSuchObject { asked: asked.to_owned(), there: names.join(", ") }
        })?,
        None => first_with_websocket(objects())?,
    };
    match flag(object, "EnableWS")? {
        Some(true) => of_object(object),
        Some(false) => Err(DescError::WebSocketOff),
        None => Err(DescError::WebSocketUnset),
    }
}

fn first_with_websocket<'a>(
    objects: impl Iterator<Item = &'a Map<String, Value>>,
) -> Result<&'a Map<String, Value>, DescError> {
    for object in objects {
        if flag(object, "EnableWS")? == Some(true) {
            return Ok(object);
        }
    }
    Err(DescError::NoWebSocket)
}

fn of_object(object: &Map<String, Value>) -> Result<Described, DescError> {
    let url = text(object, "DestURL")?;
    let place = Place::parse_any(url.unwrap_or(DEFAULT_URL)).map_err(DescError::Url)?;
    if let Some(enable_ssl) = flag(object, "EnableSSL")?.filter(|enabled| *enabled != place.secure) {
        let scheme = if place.secure { "https" } else { "http" };
        let default = if url.is_some() { "" } else { " (https://example.com/chat, as there is none)" };
        return Err(DescError::Contradiction { enable_ssl, scheme, default });
    }
    let address = text(object, "IpAddress")?.filter(|address| !address.is_empty());
    let port = port(object)?;
    let connect_to = address.map(|address| (address.to_owned(), port.unwrap_or(place.port)));
    if let Some((host, port)) = connect_to.as_ref().filter(|_| url.is_some()) {
        tracing::debug!(
            "IpAddress and PortNumber ({}) are not used: DestURL says where",
            authority(host, *port)
        );
    }
    Ok(Described {
        object: name(object).map(str::to_owned),
        place,
        connect_to: connect_to.filter(|_| url.is_none()),
        reconnect: flag(object, "ConnRecover")?.unwrap_or(false),
    })
}

fn name(object: &Map<String, Value>) -> Option<&str> {
    object.get("ObjectName").and_then(Value::as_str)
}

/// The value of a key, wherever it stands in an object; the outermost one counts.
fn find<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    let mut level: Vec<&Map<String, Value>> = vec![object];
    for _ in 0..DEPTH_MAX {
        if let Some(value) = level.iter().find_map(|object| object.get(key)) {
            return Some(value);
        }
        level = level.iter().flat_map(|object| object.values()).flat_map(objects_in).collect();
    }
    None
}

/// The objects that a value is or has in it directly.
fn objects_in(value: &Value) -> Vec<&Map<String, Value>> {
    match value {
        Value::Object(object) => vec![object],
        Value::Array(values) => values.iter().filter_map(Value::as_object).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn text<'a>(object: &'a Map<String, Value>, key: &'static str) -> Result<Option<&'a str>, DescError> {
    match find(object, key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong(key, other, "a string")),
    }
}

/// `"true"` or `"false"`; without quotes, as other programs write it, too.
fn flag(object: &Map<String, Value>, key: &'static str) -> Result<Option<bool>, DescError> {
    match find(object, key) {
        None => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(Value::String(text)) if text == "true" => Ok(Some(true)),
        Some(Value::String(text)) if text == "false" => Ok(Some(false)),
        Some(other) => Err(wrong(key, other, r#""true" or "false""#)),
    }
}

fn port(object: &Map<String, Value>) -> Result<Option<u16>, DescError> {
    let Some(found) = find(object, "PortNumber") else { return Ok(None) };
    let as_text = found.as_str().and_then(|text| text.parse().ok());
    let as_number = found.as_u64().and_then(|number| u16::try_from(number).ok());
    let port: Option<u16> = as_text.or(as_number);
    port.filter(|port| *port != 0)
        .map(Some)
        .ok_or_else(|| wrong("PortNumber", found, r#"a port such as "443""#))
}

fn wrong(key: &'static str, found: &Value, expected: &'static str) -> DescError {
    let found = found.to_string().chars().take(SHOWN_CHARS_MAX).collect();
    DescError::Value { key, found, expected }
}

/// How much of a value is repeated in an error.
const SHOWN_CHARS_MAX: usize = 80;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(object: &Value) -> Result<Described, DescError> {
        described(&json!({ "Objects": [object] }), None)
    }

    #[test]
    fn the_first_object_with_a_websocket_or_the_one_that_is_named() {
        let file = json!({ "ServerName": "s", "Objects": [
            { "ObjectName": "plain", "IpAddress": "127.0.0.1", "PortNumber": "4132" },
            { "ObjectName": "off", "EnableWS": "false", "DestURL": "https://off.test" },
            { "ObjectName": "a", "EnableWS": "true", "EnableSSL": "true", "DestURL": "https://a.test/chat" },
            { "ObjectName": "b", "Parameters": [{ "EnableWS": "true", "DestURL": "http://b.test:81", "ConnRecover": "true" }] },
        ]});
        let first = described(&file, None).unwrap();
        assert_eq!(first.place, Place::parse("wss://a.test/chat").unwrap());
        assert_eq!((first.object.as_deref(), first.connect_to, first.reconnect), (Some("a"), None, false));
        let named = described(&file, Some("b")).unwrap();
        assert_eq!((named.place, named.reconnect), (Place::parse("ws://b.test:81/").unwrap(), true));
        for (name, reason) in [
            ("c", r#"has no object whose ObjectName is "c"; it has plain, off, a, b"#),
            ("off", r#"says "EnableWS": "false" for this object, which is not reached by WebSocket then"#),
            ("plain", r#"has no "EnableWS": "true" for this object, which is not reached by WebSocket then"#),
        ] {
            assert_eq!(described(&file, Some(name)).unwrap_err().to_string(), reason);
        }
    }

    #[test]
    fn without_a_url_it_is_that_of_the_examples_at_the_address_that_is_given() {
        let place = Place::parse("wss://example.com/chat").unwrap();
        let described = one(&json!({ "EnableWS": "true" })).unwrap();
        assert_eq!((described.place, described.connect_to), (place.clone(), None));
        let at = json!({ "EnableWS": "true", "EnableSSL": "true", "IpAddress": "192.0.2.1", "PortNumber": "4433" });
        let described = one(&at).unwrap();
        assert_eq!((described.place, described.connect_to), (place, Some(("192.0.2.1".into(), 4433))));
        let with_url = json!({ "EnableWS": "true", "DestURL": "wss://a.test", "IpAddress": "192.0.2.1" });
        assert_eq!(one(&with_url).unwrap().connect_to, None, "the URL says where");
    }

    #[test]
    fn what_contradicts_itself_is_explained() {
        for (object, part) in [
            (
                json!({ "EnableWS": "true", "EnableSSL": "false", "DestURL": "https://a.test" }),
                "EnableSSL false, but its DestURL begins with https://",
            ),
            (
                json!({ "EnableWS": "true", "EnableSSL": "true", "DestURL": "http://a.test" }),
                "EnableSSL true, but its DestURL begins with http://",
            ),
            (
                json!({ "EnableWS": "true", "EnableSSL": "false" }),
                "(https://example.com/chat, as there is none) begins with https://",
            ),
            (
                json!({ "EnableWS": "true", "DestURL": "ftp://a.test" }),
                "says EnableWS, but its DestURL cannot be used",
            ),
            (json!({ "EnableWS": "true", "DestURL": "" }), "says EnableWS, but its DestURL cannot be used"),
            (
                json!({ "EnableWS": "true", "EnableSSL": "yes" }),
                r#"has EnableSSL = "yes", and not "true" or "false""#,
            ),
            (json!({ "EnableWS": "true", "DestURL": 1 }), "has DestURL = 1, and not a string"),
            (
                json!({ "EnableWS": "true", "PortNumber": "65536" }),
                r#"has PortNumber = "65536", and not a port"#,
            ),
            (json!({ "EnableWS": "false" }), "none of them is reached by WebSocket"),
        ] {
            let said = one(&object).unwrap_err().to_string();
            assert!(said.contains(part), "{said}");
        }
        assert!(matches!(described(&json!([]), None), Err(DescError::NoObjects)));
    }

    #[test]
    fn a_file_is_bounded() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " ".repeat(4 << 20) + "{}").unwrap();
        assert!(matches!(read(file.path(), None), Err(DescError::TooLong)));
        std::fs::write(file.path(), "{").unwrap();
        assert!(matches!(read(file.path(), None), Err(DescError::NoJson(_))));
    }
}

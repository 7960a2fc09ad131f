//! RFC 6455 §3: what a client may be told to connect to.

use proptest::prelude::*;
use std::borrow::Cow;
use tidegate_proto::{UriError, WsUri};

fn refused(text: &str) -> UriError {
    WsUri::parse(text).unwrap_err()
}

#[test]
fn c001_scheme_host_port_and_resource_name() {
    let table = [
        ("ws://example.com", false, "example.com", 80, "/"),
        ("wss://example.com", true, "example.com", 443, "/"),
        ("wss://example.com/", true, "example.com", 443, "/"),
        ("WS://Example.COM/Chat", false, "Example.COM", 80, "/Chat"),
        ("wSs://h:1/a/b;c=d/?e=f/g?h", true, "h", 1, "/a/b;c=d/?e=f/g?h"),
        ("ws://h?q", false, "h", 80, "/?q"),
        ("ws://h/?", false, "h", 80, "/"),
        ("ws://h/a?", false, "h", 80, "/a"),
        ("ws://h//a", false, "h", 80, "//a"),
        ("ws://h/a%20b%C3%A9?%23", false, "h", 80, "/a%20b%C3%A9?%23"),
        ("ws://h/:@!$&'()*+,;=-._~?/?:@", false, "h", 80, "/:@!$&'()*+,;=-._~?/?:@"),
        ("ws://127.0.0.1:8080", false, "127.0.0.1", 8080, "/"),
        ("ws://[::1]", false, "[::1]", 80, "/"),
        ("wss://[2001:db8::1]:65535/x", true, "[2001:db8::1]", 65535, "/x"),
        ("ws://h:/", false, "h", 80, "/"),
    ];
    for (text, secure, host, port, resource) in table {
        let uri = WsUri::parse(text).unwrap();
        assert_eq!((uri.is_secure(), uri.host(), uri.port()), (secure, host, port), "{text}");
        assert_eq!(uri.resource_name(), resource, "{text}");
        assert_eq!((uri.scheme(), uri.http_scheme()), if secure { ("wss", "https") } else { ("ws", "http") });
    }
}

#[test]
fn c001_host_field_has_a_port_only_if_it_is_not_the_default() {
    let table = [
        ("ws://h", "h"),
        ("ws://h:80", "h"),
        ("ws://h:443", "h:443"),
        ("wss://h:443", "h"),
        ("wss://h:0443", "h"),
        ("wss://h:80", "h:80"),
        ("ws://[::1]:81", "[::1]:81"),
        ("wss://[::1]:443", "[::1]"),
    ];
    for (text, host) in table {
        assert_eq!(WsUri::parse(text).unwrap().host_header(), host, "{text}");
    }
}

#[test]
fn c001_a_fragment_is_refused_and_an_escaped_one_is_none() {
    assert_eq!(refused("ws://h/a#b"), UriError::Fragment { at: 8 });
    assert_eq!(refused("ws://h#"), UriError::Fragment { at: 6 });
    assert_eq!(refused("ws://h/?a=#"), UriError::Fragment { at: 10 });
    assert!(WsUri::parse("ws://h/a%23b").is_ok());
    assert!(refused("ws://h/a#b").to_string().contains("%23"));
}

#[test]
fn c001_other_schemes_are_refused_by_name() {
    for (text, found) in [("http://h", "http"), ("wsx://h", "wsx"), ("://h", ""), ("w s://h", "")] {
        match WsUri::parse(text) {
            Err(UriError::SchemeOther { found: shown, .. }) => assert_eq!(shown, found),
            Err(UriError::Character { found: ' ', at: 1 }) => {}
            other => panic!("{text}: {other:?}"),
        }
    }
    for text in ["", "h", "h:80", "ws:h", "ws:/h", "//h", "/chat"] {
        assert!(matches!(WsUri::parse(text), Err(UriError::SchemeMissing(_))), "{text}");
    }
    let sentence = refused("http://h").to_string();
    assert!(sentence.contains("\"http\"") && sentence.contains("ws:// or wss://"), "{sentence}");
    let long = refused(&format!("{}://h", "x".repeat(5000))).to_string();
    assert!(long.len() < 200, "an error does not repeat everything: {}", long.len());
}

#[test]
fn c001_http_and_https_are_mapped_where_they_are_meant() {
    let uri = WsUri::from_http("https://example.com/chat").unwrap();
    assert_eq!((uri.to_string(), uri.port()), ("wss://example.com/chat".to_owned(), 443));
    let uri = WsUri::from_http("HTTP://example.com:8080").unwrap();
    assert_eq!((uri.to_string(), uri.port()), ("ws://example.com:8080/".to_owned(), 8080));
    let sentence = WsUri::from_http("ws://h").unwrap_err().to_string();
    assert!(sentence.contains("http:// or https://"), "{sentence}");
}

#[test]
fn c001_user_information_is_refused_and_not_repeated() {
    for text in ["ws://user@h/", "wss://user:secret@h:1/", "ws://@h", "ws://a@b@h"] {
        assert_eq!(refused(text), UriError::UserInfo, "{text}");
    }
    let sentence = refused("wss://user:secret@h/").to_string();
    assert!(sentence.contains("Authorization") && !sentence.contains("secret"), "{sentence}");
    assert!(WsUri::parse("ws://h/@").is_ok(), "only before the host");
}

#[test]
fn c001_hosts_and_ports_that_are_none() {
    for text in [
        "ws://",
        "ws:///x",
        "ws://?x",
        "ws://:80",
        "ws://a:b",
        "ws://a:80:80",
        "ws://::1",
        "ws://[::1",
        "ws://[v]/",
        "ws://[::1%25eth0]/",
        "ws://a,b",
        "ws://%41/",
        "ws://[::1]x:80",
    ] {
        assert_eq!(refused(text), UriError::Host, "{text}");
    }
    for (text, found) in [
        ("ws://h:0", "0"),
        ("ws://h:65536/", "65536"),
        ("ws://[::1]:99999", "99999"),
        ("ws://h:0000", "0000"),
    ] {
        assert_eq!(refused(text), UriError::Port { found: found.to_owned() }, "{text}");
    }
    let endless = refused(&format!("ws://h:{}", "9".repeat(4000))).to_string();
    assert!(endless.len() < 100, "{endless}");
}

#[test]
fn c001_escapes_and_characters() {
    for (text, at) in
        [("ws://h/%", 7), ("ws://h/a%2", 8), ("ws://h/?%g0", 8), ("ws://h/%2%", 7), ("ws://h/%+1", 7)]
    {
        assert_eq!(refused(text), UriError::Escape { at }, "{text}");
    }
    let table = [
        ("ws://h/a b", ' ', 8),
        ("ws://h/\r\nX: 1", '\r', 7),
        ("ws://h/\0", '\0', 7),
        ("ws://h/\u{e9}", '\u{e9}', 7),
        ("ws://caf\u{e9}/", '\u{e9}', 8),
        ("ws://h/\\", '\\', 7),
        ("ws://h/a[1]", '[', 8),
        ("ws://h?a]", ']', 8),
        ("ws://h/\"", '"', 7),
        ("ws://h/{a}", '{', 7),
        (" ws://h", ' ', 0),
        ("ws://h\t", '\t', 6),
    ];
    for (text, found, at) in table {
        assert_eq!(refused(text), UriError::Character { found, at }, "{text:?}");
    }
}

#[test]
fn nothing_is_copied_where_the_text_will_do() {
    let uri = WsUri::parse("wss://example.com:443/chat").unwrap();
    assert!(matches!(uri.resource_name(), Cow::Borrowed("/chat")));
    assert!(matches!(uri.host_header(), Cow::Borrowed("example.com")));
}

proptest! {
    #[test]
    fn what_is_written_reads_the_same(
        text in "(ws|wss)://([a-z]{1,8}|\\[::1\\])(:[0-9]{1,5})?(/[a-z%0-9:@;]{0,8}){0,3}(\\?[a-z/?=&]{0,8})?",
    ) {
        if let Ok(uri) = WsUri::parse(&text) {
            let written = uri.to_string();
            let again = WsUri::parse(&written).unwrap();
            prop_assert_eq!((again.host(), again.port()), (uri.host(), uri.port()));
            prop_assert_eq!((again.is_secure(), again.resource_name()), (uri.is_secure(), uri.resource_name()));
            prop_assert_eq!(again.to_string(), written);
        }
    }

    #[test]
    fn any_text_gets_a_verdict_and_no_resource_can_end_a_line(rest in any::<String>()) {
        if let Ok(uri) = WsUri::parse(&format!("ws://h/{rest}")) {
            let (resource, host) = (uri.resource_name(), uri.host_header());
            prop_assert!(resource.bytes().chain(host.bytes()).all(|byte| byte.is_ascii_graphic()));
        }
    }
}

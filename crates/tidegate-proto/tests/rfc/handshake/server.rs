//! RFC 6455 §4.2: what a server takes, and what it answers.

use super::*;

#[test]
fn c005_get_over_http_1_1_only() {
    let check = |method, version| check(method, version, fields().as_slice(), ServerRules::default());
    for method in ["POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "get", ""] {
        assert_eq!(check(method, HttpVersion::Http11), Err(Refusal::MethodNotGet), "{method:?}");
    }
    assert_eq!(check("GET", HttpVersion::Http10), Err(Refusal::HttpTooOld));
    assert!(check("GET", HttpVersion::Http11).is_ok());
}

#[test]
fn c015_a_breach_of_the_grammar_is_answered_with_400() {
    let table: [(&str, &[u8]); 9] = [
        ("Host", b"a b"),
        ("Host", b"a/b"),
        ("Host", b"u@h"),
        ("Host", b""),
        ("Upgrade", b"web socket"),
        ("Connection", b"Upgrade;q=1"),
        ("Sec-WebSocket-Key", b"?"),
        ("Sec-WebSocket-Protocol", b"a;b"),
        ("Sec-WebSocket-Extensions", b"a;;b"),
    ];
    for (name, value) in table {
        let refusal = serve(&replaced(fields(), name, &[value])).unwrap_err();
        assert_eq!(refusal.status(), 400, "{name}: {} gave {refusal:?}", value.escape_ascii());
        assert!(refusal.fields().is_empty(), "{refusal:?}");
    }
}

#[test]
fn c016_host_upgrade_and_connection_are_needed() {
    let table: [(&str, &[&[u8]], _); 12] = [
        ("Host", &[], Refusal::Host(HostError::Missing)),
        ("Host", &[b"gw.test", b"gw.test"], Refusal::Host(HostError::Repeated)),
        ("Host", &[b"gw.test", b"other.test"], Refusal::Host(HostError::Repeated)),
        ("Upgrade", &[], Refusal::UpgradeMissing),
        ("Upgrade", &[b""], Refusal::UpgradeOther),
        ("Upgrade", &[b"h2c"], Refusal::UpgradeOther),
        ("Upgrade", &[b"websocket2"], Refusal::UpgradeOther),
        ("Upgrade", &[b"xwebsocket"], Refusal::UpgradeOther),
        ("Connection", &[], Refusal::ConnectionWithoutUpgrade),
        ("Connection", &[b"close"], Refusal::ConnectionWithoutUpgrade),
        ("Connection", &[b"upgrad"], Refusal::ConnectionWithoutUpgrade),
        ("Connection", &[b"Upgrade;q=1"], Refusal::ConnectionMalformed),
    ];
    for (name, values, refusal) in table {
        assert_eq!(serve(&replaced(fields(), name, values)), Err(refusal), "{name}: {values:?}");
    }
    let table: [(&str, &[&[u8]]); 7] = [
        ("Upgrade", &[b"WebSocket"]),
        ("Upgrade", &[b"WEBSOCKET"]),
        ("Upgrade", &[b"h2c, websocket"]),
        ("Upgrade", &[b"h2c", b"websocket"]),
        ("Connection", &[b"keep-alive, Upgrade"]),
        ("Connection", &[b"keep-alive", b"uPGRADE"]),
        ("Host", &[b"[2001:db8::1]:8443"]),
    ];
    for (name, values) in table {
        assert!(serve(&replaced(fields(), name, values)).is_ok(), "{name}: {values:?}");
    }
}

#[test]
fn c017_key_decodes_to_16_bytes() {
    for key in [KEY, "AQIDBAUGBwgJCgsMDQ4PEC==", " \tAQIDBAUGBwgJCgsMDQ4PEA== "] {
        let offer = serve(&replaced(fields(), "Sec-WebSocket-Key", &[key.as_bytes()])).unwrap();
        assert_eq!(offer.accept(), &AcceptKey::from_key(key.trim().as_bytes()), "{key}");
    }
    let bad: [&[u8]; 8] = [
        b"",
        b"AQIDBAUGBwgJCgsMDQ4P",
        b"AQIDBAUGBwgJCgsMDQ4PEBE=",
        b"AQIDBAUGBwg=",
        b"AQIDBAUGBwgJCgsMDQ4PEA",
        b"-_-_-_-_-_-_-_-_-_-_-Q==",
        b"dGhlIHNhbXBsZ\xc3\xa9Bub25jZQ==",
        b"dGhlIHNhbXBs SBub25jZQ==",
    ];
    for key in bad {
        let found = serve(&replaced(fields(), "Sec-WebSocket-Key", &[key]));
        assert_eq!(found, Err(Refusal::KeyMalformed), "{}", key.escape_ascii());
    }
}

#[test]
fn c017_lenient_rules_take_any_visible_key() {
    let check = |key: &[u8]| {
        let headers = replaced(fields(), "Sec-WebSocket-Key", &[key]);
        check("GET", HttpVersion::Http11, headers.as_slice(), ServerRules { lenient_key: true })
    };
    let short = check(b"AQIDBAUGBwg=").unwrap();
    assert_eq!(short.accept(), &AcceptKey::from_key(b"AQIDBAUGBwg="));
    assert!(check(KEY.as_bytes()).is_ok());
    assert!(check(&[b'k'; 256]).is_ok());
    for key in [b"".as_slice(), b"a b", b"a\xff", &[b'k'; 257]] {
        assert_eq!(check(key), Err(Refusal::KeyMalformed), "{}", key.escape_ascii());
    }
}

#[test]
fn c018_version_is_13() {
    for version in ["12", "14", "255", "013", "13, 8", "13,13", "+13", "13.0", ""] {
        let found = serve(&replaced(fields(), "Sec-WebSocket-Version", &[version.as_bytes()]));
        assert_eq!(found, Err(Refusal::VersionUnsupported), "{version:?}");
    }
    assert!(serve(&replaced(fields(), "Sec-WebSocket-Version", &[b" 13 "])).is_ok());
}

#[test]
fn c019_a_request_without_origin_is_good() {
    assert!(fields().as_slice().values("origin").next().is_none());
    assert!(serve(&fields()).is_ok());
    assert_eq!(serve(&with(fields(), "Origin", b"http://gw.test")), serve(&fields()));
}

#[test]
fn c020_unknown_fields_are_ignored() {
    let mut headers = with(fields(), "X-Whatever", b"\xff\xfe, \"");
    headers = with(headers, "Sec-WebSocket-Accept", b"nonsense");
    headers = with(headers, "Sec-WebSocket-Whatever", b"13");
    headers = with(headers, "Cookie", b"a=b");
    assert_eq!(serve(&headers), serve(&fields()));
}

#[test]
fn c024_an_unsupported_version_learns_the_supported_one() {
    let table: [&[&[u8]]; 3] = [&[], &[b"8"], &[b"13", b"8"]];
    for values in table {
        let refusal = serve(&replaced(fields(), "Sec-WebSocket-Version", values)).unwrap_err();
        assert_eq!(refusal.status(), 426, "{refusal:?}");
        for field in [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")] {
            assert!(refusal.fields().contains(&field), "{refusal:?} lacks {field:?}");
        }
    }
}

#[test]
fn c026_subprotocol_is_one_of_the_offered_or_absent() {
    let offer = serve(&with(fields(), "Sec-WebSocket-Protocol", b"chat, superchat")).unwrap();
    let table = [("superchat", Some("superchat")), ("superchat, chat", Some("chat")), ("mqtt", None)];
    for (served, expected) in table {
        let chosen = offer.subprotocols().select(&subprotocols(served));
        assert_eq!(chosen.map(Subprotocol::as_str), expected, "{served}");
        let answer = offer.answer(chosen, &Extensions::default()).unwrap();
        let sent: Vec<&[u8]> = answer.as_slice().values("sec-websocket-protocol").collect();
        assert_eq!(sent, expected.map(str::as_bytes).into_iter().collect::<Vec<_>>(), "{served}");
    }
    let invented: Subprotocol = "mqtt".parse().unwrap();
    assert!(offer.answer(Some(&invented), &Extensions::default()).is_err());
}

#[test]
fn c027_extensions_are_a_subset_of_the_offered() {
    let offer =
        serve(&with(fields(), "Sec-WebSocket-Extensions", b"foo; bar=1, permessage-deflate")).unwrap();
    for agreed in ["permessage-deflate", "foo", "permessage-deflate, foo"] {
        let agreed: Extensions = agreed.parse().unwrap();
        assert!(offer.answer(None, &agreed).is_ok(), "{agreed}");
    }
    let invented: Extensions = "permessage-deflate, baz".parse().unwrap();
    assert!(offer.answer(None, &invented).is_err());

    // An unknown extension is declined by leaving it out.
    let answer = offer.answer(None, &Extensions::default()).unwrap();
    assert!(answer.as_slice().values("sec-websocket-extensions").next().is_none());
}

#[test]
fn c028_the_answer_upgrades_and_proves_the_key() {
    let answer = serve(&fields()).unwrap().answer(None, &Extensions::default()).unwrap();
    let expected = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", ACCEPT)];
    assert_eq!(answer, expected.map(|(name, value)| (name, value.to_owned())));
}

#[test]
fn c029_fields_that_occur_once_and_fields_that_join() {
    let two_keys: [&[&[u8]]; 2] =
        [&[KEY.as_bytes(), KEY.as_bytes()], &[KEY.as_bytes(), b"AAAAAAAAAAAAAAAAAAAAAA=="]];
    for keys in two_keys {
        let found = serve(&replaced(fields(), "Sec-WebSocket-Key", keys));
        assert_eq!(found, Err(Refusal::KeyRepeated));
    }
    let found = serve(&replaced(fields(), "Sec-WebSocket-Version", &[b"13", b"13"]));
    assert_eq!(found, Err(Refusal::VersionRepeated));
    for (name, refusal) in
        [("Sec-WebSocket-Key", Refusal::KeyMissing), ("Sec-WebSocket-Version", Refusal::VersionMissing)]
    {
        assert_eq!(serve(&replaced(fields(), name, &[])), Err(refusal));
    }

    let headers = replaced(fields(), "Sec-WebSocket-Protocol", &[b"chat", b"mqtt, amqp"]);
    let headers = replaced(headers, "Sec-WebSocket-Extensions", &[b"foo; a", b"bar, foo"]);
    let offer = serve(&headers).unwrap();
    assert_eq!(offer.subprotocols().to_string(), "chat, mqtt, amqp");
    assert_eq!(offer.extensions().to_string(), "foo; a, bar, foo");
    // Joined means joined: a name in one line is a duplicate of the same name in another.
    let headers = replaced(fields(), "Sec-WebSocket-Protocol", &[b"chat", b"chat"]);
    assert_eq!(serve(&headers), Err(Refusal::Subprotocols(SubprotocolsError::Repeated)));
}

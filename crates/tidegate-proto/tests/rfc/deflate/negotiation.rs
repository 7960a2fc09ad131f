//! The parameters: RFC 7692 §5.1 and §7.1.

use tidegate_proto::deflate::{Context, WindowBits};
use tidegate_proto::handshake::{
    DeflateAgreement, DeflateError, DeflatePreferences, DeflateSide, Extensions,
};

fn list(line: &str) -> Extensions {
    if line.is_empty() { Extensions::default() } else { line.parse().unwrap() }
}

fn side(bits: u8, context: Context) -> DeflateSide {
    DeflateSide { window: WindowBits::try_from(bits).unwrap(), context }
}

/// Preferences from four values: the windows of server and client, and their contexts.
fn preferences(server: DeflateSide, client: DeflateSide) -> DeflatePreferences {
    DeflatePreferences {
        server_window: server.window,
        client_window: client.window,
        server_context: server.context,
        client_context: client.context,
    }
}

/// What the server answers; empty where it declines.
fn answer(preferences: &DeflatePreferences, offers: &str) -> String {
    preferences.accept(&list(offers)).map_or_else(String::new, |(_, answer)| answer.to_string())
}

const ANY: &str = "permessage-deflate";

#[test]
fn c083_a_malformed_offer_is_declined_and_the_next_one_taken() {
    let ours = DeflatePreferences::default();
    for parameters in [
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=08",
        "client_max_window_bits=a",
        "client_max_window_bits; client_max_window_bits",
        "server_max_window_bits",
        "server_max_window_bits=9; server_max_window_bits=9",
        "server_no_context_takeover=1",
        "mem_level=8",
    ] {
        let bad = format!("{ANY}; {parameters}");
        assert_eq!(answer(&ours, &bad), "", "{parameters}");
        let answered = answer(&ours, &format!("{bad}, {ANY}; server_max_window_bits=9"));
        assert_eq!(answered, format!("{ANY}; server_max_window_bits=9"), "{parameters}");
    }
    assert_eq!(answer(&ours, "foo, x-webkit-deflate-frame"), "");
    assert_eq!(answer(&ours, &format!("foo, {ANY}")), ANY);
    assert_eq!(answer(&ours, ""), "");
}

#[test]
fn c084_a_client_fails_on_what_does_not_answer_its_offer() {
    let demanding = preferences(side(10, Context::Fresh), side(15, Context::Takeover));
    let table = [
        ("; server_no_context_takeover; server_max_window_bits=11", DeflateError::Mismatch),
        ("; server_no_context_takeover", DeflateError::Mismatch),
        ("; server_max_window_bits=10", DeflateError::Mismatch),
        ("; client_max_window_bits", DeflateError::WindowBits),
        ("; server_max_window_bits=010", DeflateError::WindowBits),
        ("; foo", DeflateError::UnknownParameter),
        ("; server_no_context_takeover; server_no_context_takeover", DeflateError::RepeatedParameter),
    ];
    for (parameters, error) in table {
        assert_eq!(demanding.agree(&list(&format!("{ANY}{parameters}"))), Err(error), "{parameters}");
    }
    let good = format!("foo, {ANY}; server_no_context_takeover; server_max_window_bits=9");
    let agreed = demanding.agree(&list(&good)).unwrap().unwrap();
    assert_eq!(agreed.server, side(9, Context::Fresh));
    assert_eq!(demanding.agree(&list("foo")), Ok(None));
}

#[test]
fn c085_server_no_context_takeover_is_granted_and_may_be_volunteered() {
    let asked = format!("{ANY}; server_no_context_takeover");
    assert_eq!(answer(&DeflatePreferences::default(), &asked), asked);
    let fresh = preferences(side(15, Context::Fresh), side(15, Context::Takeover));
    assert_eq!(answer(&fresh, ANY), asked);
    let (agreed, _) = fresh.accept(&list(ANY)).unwrap();
    assert_eq!(agreed.server.context, Context::Fresh);
}

#[test]
fn c086_client_no_context_takeover_binds_the_client() {
    let demanded = format!("{ANY}; client_no_context_takeover");
    let fresh = preferences(side(15, Context::Takeover), side(15, Context::Fresh));
    assert_eq!(answer(&fresh, ANY), demanded);
    let ours = DeflatePreferences::default();
    assert_eq!(answer(&ours, &demanded), demanded, "a client that offers it is held to it");
    for client in [ours, fresh] {
        let agreed = client.agree(&list(&demanded)).unwrap().unwrap();
        assert_eq!(agreed.client.context, Context::Fresh);
    }
    assert_eq!(fresh.agree(&list(ANY)).unwrap().unwrap().client.context, Context::Fresh, "it said so itself");
}

#[test]
fn c087_the_window_of_the_server_is_never_larger_than_asked_for() {
    let small = preferences(side(11, Context::Takeover), side(15, Context::Takeover));
    for bits in 8..=15 {
        let asked = format!("{ANY}; server_max_window_bits={bits}");
        assert_eq!(answer(&DeflatePreferences::default(), &asked), asked);
        assert_eq!(answer(&small, &asked), format!("{ANY}; server_max_window_bits={}", bits.min(11)));
        let (agreed, _) = small.accept(&list(&asked)).unwrap();
        assert_eq!(agreed.server.window.get(), bits.min(11));
    }
    assert_eq!(answer(&small, ANY), format!("{ANY}; server_max_window_bits=11"));
}

#[test]
fn c088_the_window_of_the_client_is_limited_only_where_it_was_offered() {
    let small = preferences(side(15, Context::Takeover), side(10, Context::Takeover));
    let table = [
        ("; client_max_window_bits", "; client_max_window_bits=10"),
        ("; client_max_window_bits=15", "; client_max_window_bits=10"),
        ("; client_max_window_bits=9", "; client_max_window_bits=9"),
    ];
    for (offered, answered) in table {
        assert_eq!(answer(&small, &format!("{ANY}{offered}")), format!("{ANY}{answered}"));
    }
    assert_eq!(answer(&small, ANY), "", "it cannot be kept within 10");
    assert_eq!(answer(&DeflatePreferences::default(), ANY), ANY);
    assert_eq!(answer(&DeflatePreferences::default(), &format!("{ANY}; client_max_window_bits")), ANY);

    // As a client, the smaller of what we said and what was answered.
    assert_eq!(small.offer().to_string(), format!("{ANY}; client_max_window_bits=10"));
    for (answered, bits) in [("", 10), ("; client_max_window_bits=8", 8), ("; client_max_window_bits=12", 10)]
    {
        let agreed = small.agree(&list(&format!("{ANY}{answered}"))).unwrap().unwrap();
        assert_eq!(agreed.client, side(bits, Context::Takeover), "{answered}");
    }
}

#[test]
fn both_ends_understand_the_same() {
    let sides = || {
        [8, 9, 12, 15]
            .into_iter()
            .flat_map(|bits| [side(bits, Context::Takeover), side(bits, Context::Fresh)])
    };
    let all = || sides().flat_map(|server| sides().map(move |client| preferences(server, client)));
    for client in all() {
        for server in all() {
            let (theirs, answer) = server.accept(&client.offer()).unwrap();
            let ours = client.agree(&answer).unwrap().unwrap();
            assert_eq!(ours.server, theirs.server, "{client:?} {server:?}");
            // A client may promise more of itself than the server repeats.
            assert!(ours.client.window <= theirs.client.window);
            assert_eq!(ours.client.context, theirs.client.context);
            assert!(ours.server.window <= client.server_window.min(server.server_window));
            assert!(ours.client.window <= client.client_window.min(server.client_window));
        }
    }
    let nothing_said =
        DeflateAgreement { server: side(15, Context::Takeover), client: side(15, Context::Takeover) };
    assert_eq!(DeflatePreferences::default().agree(&list(ANY)), Ok(Some(nothing_said)));
}

//! [`Extensions`] (RFC 6455 §9.1) and what permessage-deflate makes of them (RFC 7692 §7.1).

use tidegate_proto::handshake::{
    Context, DeflateParameters, DeflatePreferences, DeflateSide, Extensions, PERMESSAGE_DEFLATE,
};

use super::inflate::window;
use super::input::Input;
use super::oracle::fields;

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let [windows, contexts] = input.array();
    let context = |bit: u8| if contexts & bit == 0 { Context::Takeover } else { Context::Fresh };
    let preferences = DeflatePreferences {
        server_window: window(windows),
        client_window: window(windows >> 3),
        server_context: context(1),
        client_context: context(2),
    };
    let lines: Vec<&[u8]> = input.rest().split(|&byte| byte == b'\n').collect();
    let found = Extensions::parse(lines.iter().copied());
    let expected = fields::extensions(&lines);
    assert_eq!(found.as_ref().ok().map(plain), expected, "{found:?}");
    let Ok(list) = found else { return };
    assert_eq!(list.to_string().parse().as_ref(), Ok(&list), "what is written reads the same");
    for extension in &list {
        assert_read(extension);
    }
    assert_negotiated(&preferences, &list);
}

fn plain(list: &Extensions) -> Vec<fields::Extension> {
    let parameter = |parameter: &tidegate_proto::handshake::Parameter| {
        (parameter.name().into(), parameter.value().map(Into::into))
    };
    list.iter()
        .map(|extension| (extension.name().into(), extension.parameters().iter().map(parameter).collect()))
        .collect()
}

fn assert_read(extension: &tidegate_proto::handshake::Extension) {
    let first = |list: &Extensions| list.iter().next().cloned().expect("one is written");
    if let Ok(offer) = DeflateParameters::from_offer(extension) {
        assert_eq!(extension.name(), PERMESSAGE_DEFLATE);
        assert_eq!(DeflateParameters::from_offer(&first(&offer.to_offer())), Ok(offer));
    }
    if let Ok(answer) = DeflateParameters::from_answer(extension) {
        assert_eq!(DeflateParameters::from_answer(&first(&answer.to_answer())), Ok(answer));
        assert_eq!(DeflateParameters::from_offer(extension), Ok(answer), "a good answer is a good offer");
    }
}

/// Whatever is answered keeps to our preferences and answers one of the offers.
fn assert_negotiated(preferences: &DeflatePreferences, offers: &Extensions) {
    let Some((agreement, answer)) = preferences.accept(offers) else { return };
    let answer = answer.iter().next().expect("one is answered");
    let answer = DeflateParameters::from_answer(answer).expect("ours is good");
    let mut good = offers.iter().filter_map(|offer| DeflateParameters::from_offer(offer).ok());
    assert!(good.any(|offer| answer.answers(&offer)), "{answer:?}");
    let sides = [
        (
            agreement.server,
            preferences.server_window,
            preferences.server_context,
            answer.server_max_window_bits,
        ),
        (
            agreement.client,
            preferences.client_window,
            preferences.client_context,
            answer.client_max_window_bits,
        ),
    ];
    for (DeflateSide { window, context }, window_max, context_wanted, told) in sides {
        assert!(window <= window_max && window.get() == told.unwrap_or(15), "{agreement:?}");
        assert!(context == context_wanted || context == Context::Fresh);
    }
    // A client with the same wishes takes that answer if it made such an offer.
    if let Some((_, answer)) = preferences.accept(&preferences.offer()) {
        assert!(matches!(preferences.agree(&answer), Ok(Some(_))), "{answer}");
    }
}

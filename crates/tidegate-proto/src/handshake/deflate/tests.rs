use super::*;
use crate::handshake::Extensions;
use alloc::format;

fn extension(parameters: &str) -> Extension {
    let list: Extensions = format!("permessage-deflate{parameters}").parse().unwrap();
    list.iter().next().unwrap().clone()
}

fn offer(parameters: &str) -> Result<DeflateParameters, DeflateError> {
    DeflateParameters::from_offer(&extension(parameters))
}

fn answer(parameters: &str) -> Result<DeflateParameters, DeflateError> {
    DeflateParameters::from_answer(&extension(parameters))
}

#[test]
fn all_four_parameters_are_read() {
    let all = "; server_max_window_bits=8; client_max_window_bits=\"15\"; \
               client_no_context_takeover; server_no_context_takeover";
    let expected = DeflateParameters {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        server_max_window_bits: Some(8),
        client_max_window_bits: Some(15),
    };
    assert_eq!((offer(all), answer(all)), (Ok(expected), Ok(expected)));
    assert_eq!(offer(""), Ok(DeflateParameters::default()));
}

#[test]
fn only_an_offer_may_leave_the_client_window_bare() {
    let bare = "; client_max_window_bits";
    assert_eq!(offer(bare).unwrap().client_max_window_bits, Some(15));
    assert_eq!(answer(bare), Err(DeflateError::WindowBits));
}

#[test]
fn what_the_rfc_forbids_is_named() {
    use DeflateError::*;
    let table = [
        ("; client_max_window_bits=7", WindowBits),
        ("; client_max_window_bits=16", WindowBits),
        ("; client_max_window_bits=08", WindowBits),
        ("; client_max_window_bits=+8", WindowBits),
        ("; client_max_window_bits=a", WindowBits),
        ("; client_max_window_bits=1000", WindowBits),
        ("; server_max_window_bits", WindowBits),
        ("; server_max_window_bits=9; server_max_window_bits=9", RepeatedParameter),
        ("; client_max_window_bits=9; client_max_window_bits=10", RepeatedParameter),
        ("; client_no_context_takeover; client_no_context_takeover", RepeatedParameter),
        ("; server_no_context_takeover=1", ValueUnexpected),
        ("; mem_level=9", UnknownParameter),
        ("; Server_No_Context_Takeover", UnknownParameter),
    ];
    for (parameters, error) in table {
        assert_eq!(offer(parameters), Err(error), "{parameters}");
        assert_eq!(answer(parameters), Err(error), "{parameters}");
    }
    let other: Extensions = "foo".parse().unwrap();
    let other = other.iter().next().unwrap();
    assert_eq!(DeflateParameters::from_offer(other), Err(OtherExtension));
}

#[test]
fn an_answer_grants_what_limits_the_server_and_limits_a_client_that_agreed() {
    let table = [
        ("", "", true),
        ("", "; server_no_context_takeover; client_no_context_takeover", true),
        ("", "; server_max_window_bits=9", true),
        ("", "; client_max_window_bits=15", false),
        ("; client_max_window_bits", "", true),
        ("; client_max_window_bits", "; client_max_window_bits=8", true),
        ("; client_max_window_bits=9", "; client_max_window_bits=15", true),
        ("; server_max_window_bits=10", "; server_max_window_bits=10", true),
        ("; server_max_window_bits=10", "; server_max_window_bits=8", true),
        ("; server_max_window_bits=10", "; server_max_window_bits=11", false),
        ("; server_max_window_bits=10", "", false),
        ("; server_no_context_takeover", "; server_no_context_takeover", true),
        ("; server_no_context_takeover", "", false),
        ("; client_no_context_takeover", "", true),
    ];
    for (offered, answered, fits) in table {
        let (offered, answered) = (offer(offered).unwrap(), answer(answered).unwrap());
        assert_eq!(answered.answers(&offered), fits, "{answered:?} to {offered:?}");
    }
}

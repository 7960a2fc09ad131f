use super::extensions::{Extension, Parameter};

/// The registered name of the compression extension (RFC 7692 §7).
pub const PERMESSAGE_DEFLATE: &str = "permessage-deflate";

/// The parameters of permessage-deflate, in an offer or in an answer (RFC 7692 §7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeflateParameters {
    /// The server forgets its window after each message.
    pub server_no_context_takeover: bool,
    /// The client forgets its window after each message.
    pub client_no_context_takeover: bool,
    /// The largest window of the server, as a power of two: 8 to 15. Absent is 15.
    pub server_max_window_bits: Option<u8>,
    /// The largest window of the client, as a power of two: 8 to 15. Absent is 15 in an answer; in an offer
    /// it says that the client cannot limit its window. An offer may leave the value out, which reads as 15.
    pub client_max_window_bits: Option<u8>,
}

impl DeflateParameters {
    /// Reads one offer of a client.
    ///
    /// # Errors
    /// The client's fault. A server declines this offer and looks at the next; the handshake goes on
    /// (RFC 7692 §7).
    pub fn from_offer(offer: &Extension) -> Result<Self, DeflateError> {
        Self::read(offer, Some(WINDOW_BITS_MAX))
    }

    /// Reads the answer of a server.
    ///
    /// # Errors
    /// The server's fault. The client fails the connection (RFC 7692 §7).
    pub fn from_answer(answer: &Extension) -> Result<Self, DeflateError> {
        Self::read(answer, None)
    }

    /// Whether a server may give this answer to `offer` (RFC 7692 §7.1.1 and §7.1.2).
    ///
    /// What limits the server must be granted, its window exactly so or smaller. What limits the client may
    /// be demanded freely, but for its window, which it must have said it can limit.
    pub fn answers(&self, offer: &Self) -> bool {
        let takeover = self.server_no_context_takeover || !offer.server_no_context_takeover;
        let server_window = match (offer.server_max_window_bits, self.server_max_window_bits) {
            (Some(limit), Some(granted)) => granted <= limit,
            (Some(_), None) => false,
            (None, _) => true,
        };
        let client_window = self.client_max_window_bits.is_none() || offer.client_max_window_bits.is_some();
        takeover && server_window && client_window
    }

    /// `bare_client_window` is what `client_max_window_bits` without a value means, if it may have none.
    fn read(extension: &Extension, bare_client_window: Option<u8>) -> Result<Self, DeflateError> {
        if extension.name() != PERMESSAGE_DEFLATE {
            return Err(DeflateError::OtherExtension);
        }
        let mut read = Self::default();
        for parameter in extension.parameters() {
            match parameter.name() {
                "server_no_context_takeover" => set_flag(&mut read.server_no_context_takeover, parameter)?,
                "client_no_context_takeover" => set_flag(&mut read.client_no_context_takeover, parameter)?,
                "server_max_window_bits" => set_window(&mut read.server_max_window_bits, parameter, None)?,
                "client_max_window_bits" => {
                    set_window(&mut read.client_max_window_bits, parameter, bare_client_window)?;
                }
                _ => return Err(DeflateError::UnknownParameter),
            }
        }
        Ok(read)
    }
}

/// What is wrong with the parameters of permessage-deflate (RFC 7692 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeflateError {
    /// The extension is another one.
    #[error("the extension is not {PERMESSAGE_DEFLATE}")]
    OtherExtension,
    /// A parameter is none of the four.
    #[error("a parameter of {PERMESSAGE_DEFLATE} is unknown")]
    UnknownParameter,
    /// A parameter occurs twice.
    #[error("a parameter of {PERMESSAGE_DEFLATE} is repeated")]
    RepeatedParameter,
    /// A parameter that takes no value has one.
    #[error("no_context_takeover takes no value")]
    ValueUnexpected,
    /// A window is no decimal number from 8 to 15 without leading zeros.
    #[error("max_window_bits takes a number from {WINDOW_BITS_MIN} to {WINDOW_BITS_MAX}")]
    WindowBits,
}

fn set_flag(flag: &mut bool, parameter: &Parameter) -> Result<(), DeflateError> {
    if parameter.value().is_some() {
        return Err(DeflateError::ValueUnexpected);
    }
    if core::mem::replace(flag, true) { Err(DeflateError::RepeatedParameter) } else { Ok(()) }
}

fn set_window(bits: &mut Option<u8>, parameter: &Parameter, bare: Option<u8>) -> Result<(), DeflateError> {
    let value = parameter.value().map_or(bare, window_bits).ok_or(DeflateError::WindowBits)?;
    if bits.replace(value).is_some() { Err(DeflateError::RepeatedParameter) } else { Ok(()) }
}

/// The number parser of the language would also take a sign and leading zeros.
fn window_bits(value: &str) -> Option<u8> {
    if !value.starts_with(|first: char| matches!(first, '1'..='9')) {
        return None;
    }
    value.parse().ok().filter(|bits| (WINDOW_BITS_MIN..=WINDOW_BITS_MAX).contains(bits))
}

const WINDOW_BITS_MIN: u8 = 8;
const WINDOW_BITS_MAX: u8 = 15;

#[cfg(test)]
mod tests {
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
}

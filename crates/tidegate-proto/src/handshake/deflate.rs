use alloc::string::{String, ToString as _};

use super::extensions::{Extension, Extensions, PERMESSAGE_DEFLATE, Parameter};

mod negotiation;

pub use negotiation::{DeflateAgreement, DeflatePreferences, DeflateSide};

/// The size of a window, as a power of two: 8 to 15, so 256 bytes to 32 KiB (RFC 7692 §7.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

impl WindowBits {
    /// 256 bytes.
    pub const MIN: Self = Self(WINDOW_BITS_MIN);
    /// 32 KiB, which is meant where nothing is said.
    pub const MAX: Self = Self(WINDOW_BITS_MAX);

    /// The exponent.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The size in bytes.
    pub const fn bytes(self) -> usize {
        1 << self.0
    }
}

impl TryFrom<u8> for WindowBits {
    type Error = DeflateError;

    fn try_from(bits: u8) -> Result<Self, DeflateError> {
        if (WINDOW_BITS_MIN..=WINDOW_BITS_MAX).contains(&bits) {
            Ok(Self(bits))
        } else {
            Err(DeflateError::WindowBits)
        }
    }
}

/// Whether a message may refer to the ones before it (RFC 7692 §7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// It may: better compression, and memory for as long as the connection lasts.
    Takeover,
    /// It may not (`no_context_takeover`): memory for as long as a message lasts.
    Fresh,
}

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

    /// The list that offers this and nothing else.
    pub fn to_offer(&self) -> Extensions {
        self.write(true)
    }

    /// The list that answers this and nothing else.
    pub fn to_answer(&self) -> Extensions {
        self.write(false)
    }

    /// An offer of the largest window is written without its value, as browsers write it.
    fn write(&self, is_offer: bool) -> Extensions {
        let mut list = String::from(PERMESSAGE_DEFLATE);
        let mut add = |name: &str, value: Option<u8>| {
            list.push_str("; ");
            list.push_str(name);
            if let Some(value) = value {
                list.push('=');
                list.push_str(&value.to_string());
            }
        };
        if self.server_no_context_takeover {
            add(SERVER_CONTEXT, None);
        }
        if self.client_no_context_takeover {
            add(CLIENT_CONTEXT, None);
        }
        if let Some(bits) = self.server_max_window_bits {
            add(SERVER_WINDOW, Some(bits));
        }
        if let Some(bits) = self.client_max_window_bits {
            add(CLIENT_WINDOW, Some(bits).filter(|&bits| !is_offer || bits != WINDOW_BITS_MAX));
        }
        list.parse().expect("a name and parameters of tokens are a list of one extension")
    }

    /// `bare_client_window` is what `client_max_window_bits` without a value means, if it may have none.
    fn read(extension: &Extension, bare_client_window: Option<u8>) -> Result<Self, DeflateError> {
        if extension.name() != PERMESSAGE_DEFLATE {
            return Err(DeflateError::OtherExtension);
        }
        let mut read = Self::default();
        for parameter in extension.parameters() {
            match parameter.name() {
                SERVER_CONTEXT => set_flag(&mut read.server_no_context_takeover, parameter)?,
                CLIENT_CONTEXT => set_flag(&mut read.client_no_context_takeover, parameter)?,
                SERVER_WINDOW => set_window(&mut read.server_max_window_bits, parameter, None)?,
                CLIENT_WINDOW => {
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
    /// The answer grants less than the offer demands, or limits a client that did not say it can be limited.
    #[error("the parameters of {PERMESSAGE_DEFLATE} do not answer the offer")]
    Mismatch,
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

const SERVER_CONTEXT: &str = "server_no_context_takeover";
const CLIENT_CONTEXT: &str = "client_no_context_takeover";
const SERVER_WINDOW: &str = "server_max_window_bits";
const CLIENT_WINDOW: &str = "client_max_window_bits";

const WINDOW_BITS_MIN: u8 = 8;
const WINDOW_BITS_MAX: u8 = 15;

#[cfg(test)]
mod tests;

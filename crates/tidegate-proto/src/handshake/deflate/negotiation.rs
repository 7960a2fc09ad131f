//! What a server answers to which offer, what a client offers, and what both then write with (RFC 7692 §5.1, §7.1).

use super::{Context, DeflateError, DeflateParameters, WindowBits};
use crate::handshake::{Extensions, PERMESSAGE_DEFLATE};

/// What one end of a connection wants of permessage-deflate, whichever end it is. The default is what is meant where
/// nothing is said: the largest windows, and takeover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflatePreferences {
    /// The largest window of the server.
    pub server_window: WindowBits,
    /// The largest window of the client.
    pub client_window: WindowBits,
    /// Whether messages of the server may refer to earlier ones.
    pub server_context: Context,
    /// Whether messages of the client may.
    pub client_context: Context,
}

/// What was agreed: how each end writes, and so how the other one reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateAgreement {
    /// How the server writes.
    pub server: DeflateSide,
    /// How the client writes.
    pub client: DeflateSide,
}

/// How one end writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateSide {
    /// The largest window.
    pub window: WindowBits,
    /// Whether messages refer to earlier ones.
    pub context: Context,
}

impl DeflatePreferences {
    /// As a server: takes the first of the offers that can be answered, with the answer to send. `None` declines, by
    /// answering nothing; offers of other extensions are not looked at.
    ///
    /// An offer is passed over if it is malformed, or if the client cannot keep its window within
    /// [`client_window`](Self::client_window). All else that limits the server is granted, and what limits the client
    /// is demanded.
    pub fn accept(&self, offers: &Extensions) -> Option<(DeflateAgreement, Extensions)> {
        let mut readable = offers.iter().filter_map(|offer| DeflateParameters::from_offer(offer).ok());
        let answer = readable.find_map(|offer| self.answer(&offer))?;
        let agreement = DeflateAgreement::of(&answer);
        Some((agreement, answer.to_answer()))
    }

    /// As a client: the offer to send.
    pub fn offer(&self) -> Extensions {
        self.parameters().to_offer()
    }

    /// As a client: what the server's answer to [`offer`](Self::offer) makes of it. `None`: the server declined.
    ///
    /// # Errors
    /// The server's fault: the answer is malformed or does not answer the offer. The connection has failed.
    pub fn agree(&self, answer: &Extensions) -> Result<Option<DeflateAgreement>, DeflateError> {
        let Some(answer) = answer.iter().find(|extension| extension.name() == PERMESSAGE_DEFLATE) else {
            return Ok(None);
        };
        let answer = DeflateParameters::from_answer(answer)?;
        if !answer.answers(&self.parameters()) {
            return Err(DeflateError::Mismatch);
        }
        let agreed = DeflateAgreement::of(&answer);
        // What we said of ourselves holds though the server did not repeat it.
        let client = DeflateSide {
            window: agreed.client.window.min(self.client_window),
            context: if self.client_context == Context::Fresh {
                Context::Fresh
            } else {
                agreed.client.context
            },
        };
        Ok(Some(DeflateAgreement { client, ..agreed }))
    }

    fn answer(&self, offer: &DeflateParameters) -> Option<DeflateParameters> {
        let server_window = within(self.server_window, offer.server_max_window_bits);
        let client_window = within(self.client_window, offer.client_max_window_bits);
        if offer.client_max_window_bits.is_none() && client_window < WindowBits::MAX {
            return None;
        }
        Some(DeflateParameters {
            server_no_context_takeover: offer.server_no_context_takeover
                || self.server_context == Context::Fresh,
            client_no_context_takeover: offer.client_no_context_takeover
                || self.client_context == Context::Fresh,
            server_max_window_bits: (offer.server_max_window_bits.is_some()
                || server_window < WindowBits::MAX)
                .then_some(server_window.get()),
            client_max_window_bits: (client_window < WindowBits::MAX).then_some(client_window.get()),
        })
    }

    /// That we can limit our window is always said: it costs nothing, and lets the server save memory.
    fn parameters(self) -> DeflateParameters {
        DeflateParameters {
            server_no_context_takeover: self.server_context == Context::Fresh,
            client_no_context_takeover: self.client_context == Context::Fresh,
            server_max_window_bits: (self.server_window < WindowBits::MAX)
                .then_some(self.server_window.get()),
            client_max_window_bits: Some(self.client_window.get()),
        }
    }
}

impl Default for DeflatePreferences {
    fn default() -> Self {
        Self {
            server_window: WindowBits::MAX,
            client_window: WindowBits::MAX,
            server_context: Context::Takeover,
            client_context: Context::Takeover,
        }
    }
}

impl DeflateAgreement {
    fn of(answer: &DeflateParameters) -> Self {
        Self {
            server: DeflateSide::of(answer.server_max_window_bits, answer.server_no_context_takeover),
            client: DeflateSide::of(answer.client_max_window_bits, answer.client_no_context_takeover),
        }
    }
}

impl DeflateSide {
    fn of(window: Option<u8>, no_takeover: bool) -> Self {
        Self {
            window: within(WindowBits::MAX, window),
            context: if no_takeover { Context::Fresh } else { Context::Takeover },
        }
    }
}

/// The smaller of our window and the one in a parameter.
fn within(ours: WindowBits, parameter: Option<u8>) -> WindowBits {
    parameter.and_then(|bits| WindowBits::try_from(bits).ok()).map_or(ours, |theirs| ours.min(theirs))
}

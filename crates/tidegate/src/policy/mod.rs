//! Who may open a WebSocket on a route. Deny is the default; no await, no I/O, no clock.

pub(crate) mod origin;
pub mod quota;

use std::sync::Arc;

use tidegate_proto::handshake::Subprotocol;
use tidegate_proto::hybi00::Coding;

use crate::config::{Backend, MessageType, OriginTuple, Route, Subprotocols};
use crate::opening::Opening;
use crate::route::Selected;

/// The evidence that a client may be connected to the backend of a route. Only [`decide`] makes one, and only with one
/// can a backend be connected.
///
/// What it holds can be looked at,
///
/// ```
/// # use tidegate::{opening::Opening, policy::{Permit, SubprotocolChoice}, route::Selected};
/// fn look(permit: &Permit) -> (&Selected, &Opening, &SubprotocolChoice) {
///     (permit.selected(), permit.opening(), permit.subprotocol())
/// }
/// ```
///
/// but not put together, it does not build:
///
/// ```compile_fail
/// # use tidegate::{opening::Opening, policy::{Permit, SubprotocolChoice}, route::Selected};
/// fn forge(selected: Selected, opening: Opening, subprotocol: SubprotocolChoice) -> Permit {
///     Permit { selected, opening, subprotocol }
/// }
/// ```
#[derive(Debug)]
pub struct Permit {
    selected: Selected,
    opening: Opening,
    subprotocol: SubprotocolChoice,
}

/// Who settles the subprotocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubprotocolChoice {
    /// The gateway has: this one, or none.
    Settled(Option<Subprotocol>),
    /// The backend is offered what the client offered.
    Backend,
}

/// Why a client may not connect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// More than one Origin field: 400.
    #[error("the request has more than one Origin field")]
    OriginRepeated,
    /// Another site than the route allows, this one: 403.
    #[error("this origin may not connect here")]
    Origin(Box<str>),
    /// No Origin, and the route wants one: 403.
    #[error("a request without Origin may not connect here")]
    OriginMissing,
    /// None of the offered subprotocols is served, and the route requires one: 400.
    #[error("none of the offered subprotocols is served here")]
    Subprotocol,
}

impl Permit {
    /// The route.
    pub const fn route(&self) -> &Arc<Route> {
        self.selected.route()
    }

    /// The route as it was selected.
    pub const fn selected(&self) -> &Selected {
        &self.selected
    }

    /// The client's opening handshake.
    pub const fn opening(&self) -> &Opening {
        &self.opening
    }

    /// What the messages of a hybi-00 client hold; `None`: it speaks RFC 6455.
    ///
    /// On a route of binary messages it is base64. An echo is the same text either way, so it is not decoded for that.
    pub fn coding(&self) -> Option<Coding> {
        let is_echo = matches!(self.selected.backend(), Backend::Echo);
        self.opening.is_hybi00().then(|| match self.route().message {
            MessageType::Binary if !is_echo => Coding::Base64,
            MessageType::Binary | MessageType::Text | MessageType::BySubprotocol => Coding::Text,
        })
    }

    /// What is decided about the subprotocol.
    pub const fn subprotocol(&self) -> &SubprotocolChoice {
        &self.subprotocol
    }
}

/// Decides about one upgrade request. `origins` are the values of all its Origin fields, `own` is the origin that the
/// request was made to.
///
/// # Errors
/// What the client did wrong, or may not do.
pub fn decide<'a>(
    selected: Selected,
    opening: Opening,
    origins: impl IntoIterator<Item = &'a [u8]>,
    own: &OriginTuple,
) -> Result<Permit, Denied> {
    let route = selected.route();
    let mut origins = origins.into_iter();
    match (origins.next(), origins.next()) {
        (Some(_), Some(_)) => return Err(Denied::OriginRepeated),
        (None, _) if route.allow_missing_origin => {}
        (None, _) => return Err(Denied::OriginMissing),
        (Some(origin), None) => {
            let allowed = std::str::from_utf8(origin)
                .is_ok_and(|origin| origin::is_allowed(&route.origins, origin, own));
            if !allowed {
                return Err(Denied::Origin(String::from_utf8_lossy(origin).into()));
            }
        }
    }
    let subprotocol = choose(route, selected.backend(), &opening)?;
    Ok(Permit { selected, opening, subprotocol })
}

/// `base64` means that messages are coded so, and is agreed on only where the gateway does it: with hybi-00 clients, on
/// routes of binary messages.
pub const BASE64: &str = "base64";

fn choose(route: &Route, backend: &Backend, opening: &Opening) -> Result<SubprotocolChoice, Denied> {
    let is_coded = opening.is_hybi00() && route.message == MessageType::Binary;
    let mut offered = opening.subprotocols().iter().filter(|offer| is_coded || offer.as_str() != BASE64);
    let (names, required) = match &route.subprotocols {
        Subprotocols::Unset if matches!(backend, Backend::WebSocket(_) | Backend::Http(_)) => {
            return Ok(SubprotocolChoice::Backend);
        }
        Subprotocols::Unset => return Ok(SubprotocolChoice::Settled(offered.next().cloned())),
        Subprotocols::List { names, required } => (names, *required),
    };
    let chosen = offered.find(|offer| names.iter().any(|name| name == offer.as_str())).cloned();
    if chosen.is_none() && required {
        return Err(Denied::Subprotocol);
    }
    Ok(SubprotocolChoice::Settled(chosen))
}

#[cfg(test)]
mod tests;

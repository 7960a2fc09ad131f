//! What a reader must know of a session to go on with it. Names for it go into the record and into the greeting: a
//! session is sent to nobody who has not said to know all that it needs.

/// The client speaks TLS 1.3: there are keys in the record.
pub(crate) const TLS_1_3: &str = "tls-1.3";

/// The client speaks hybi-00.
pub(crate) const HYBI_00: &str = "hybi-00";

/// The gateway compresses for the client, and takes over no context from one message to the next.
pub(crate) const DEFLATE: &str = "permessage-deflate";

/// What this build knows.
pub(crate) const KNOWN_NEEDS: &[&str] = &[TLS_1_3, HYBI_00, DEFLATE];

/// What the other build knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Knows {
    pub(crate) tls: bool,
    pub(crate) hybi00: bool,
    pub(crate) deflate: bool,
}

impl Knows {
    /// Everything.
    #[cfg(test)]
    pub(crate) const ALL: Self = Self { tls: true, hybi00: true, deflate: true };

    /// What it says itself.
    pub(crate) fn of(names: &[String]) -> Self {
        let knows = |need| names.iter().any(|name| name == need);
        Self { tls: knows(TLS_1_3), hybi00: knows(HYBI_00), deflate: knows(DEFLATE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_understood() {
        let names = |needs: &[&str]| needs.iter().map(|&need| need.to_owned()).collect::<Vec<_>>();
        assert_eq!(Knows::of(&names(KNOWN_NEEDS)), Knows::ALL);
        assert_eq!(Knows::of(&names(&["telepathy", HYBI_00])), Knows { hybi00: true, ..Knows::default() });
    }
}

//! What a process must be capable of to go on with a session. A record names what its session needs, the greeting of the
//! new process what it can do: no session is sent to a process that lacks one of its needs.

/// The client speaks TLS 1.3: there are keys in the record.
pub(crate) const TLS_1_3: &str = "tls-1.3";

/// The client speaks hybi-00.
pub(crate) const HYBI_00: &str = "hybi-00";

/// The gateway compresses for the client, and takes over no context from one message to the next.
pub(crate) const DEFLATE: &str = "permessage-deflate";

/// What this build is capable of.
pub(crate) const CAPABILITIES: &[&str] = &[TLS_1_3, HYBI_00, DEFLATE];

/// What the process that takes over is capable of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    pub(crate) tls: bool,
    pub(crate) hybi00: bool,
    pub(crate) deflate: bool,
}

impl Capabilities {
    /// Everything that this build knows of.
    #[cfg(test)]
    pub(crate) const ALL: Self = Self { tls: true, hybi00: true, deflate: true };

    /// Those that these names stand for. Names that this build does not know mean nothing to it.
    pub(crate) fn of(names: &[String]) -> Self {
        let has = |capability| names.iter().any(|name| name == capability);
        Self { tls: has(TLS_1_3), hybi00: has(HYBI_00), deflate: has(DEFLATE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_understood() {
        let of =
            |names: &[&str]| Capabilities::of(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(of(CAPABILITIES), Capabilities::ALL);
        let hybi00_only = Capabilities { hybi00: true, ..Capabilities::default() };
        assert_eq!(of(&["telepathy", HYBI_00]), hybi00_only);
    }
}

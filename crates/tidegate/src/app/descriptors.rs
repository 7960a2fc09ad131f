//! How many connections the system has descriptors for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::relay;

/// Descriptors kept free of connections: listeners, logs, event queues, files on their way out.
const RESERVED_DESCRIPTORS: u64 = 64;

/// How many connections there may be: what the file says, but no more than there are descriptors for. A relayed
/// connection takes two, and one more for its recording; the workers' pipes for bulk data get an eighth at most.
pub(super) fn connections_max(configured: Option<usize>, records: bool, workers: usize) -> usize {
    let limit = raise_descriptor_limit();
    let each = if records { 3 } else { 2 };
    let pipes = workers.saturating_mul(relay::PIPE_DESCRIPTORS_MAX) as u64;
    let reserved = RESERVED_DESCRIPTORS + pipes.min(limit / 8);
    let possible = usize::try_from(limit.saturating_sub(reserved) / each).unwrap_or(usize::MAX).max(1);
    if let Some(configured) = configured.filter(|configured| *configured > possible) {
        tracing::warn!(
            "max_connections = {configured}, but the limit of {limit} descriptors allows {possible}; raise it (LimitNOFILE=, ulimit -n)"
        );
    }
    configured.map_or(possible, |configured| configured.min(possible))
}

/// Asks for as many descriptors as the system gives without privileges.
fn raise_descriptor_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let raised = setrlimit(Resource::Nofile, wanted).is_ok();
    let effective = if raised { limit.maximum } else { limit.current };
    effective.unwrap_or(1 << 20)
}

//! What a session is told: to close, when, and why.

use std::sync::Arc;
use std::time::Duration;

use tidegate_proto::{CLOSE_REASON_BYTES_MAX, CloseCode};
use tokio::time::Instant;

use super::Counts;
use crate::handover::record;
use crate::outcome::{Cause, End};

/// To close at a time.
#[derive(Debug, Clone)]
pub struct Order {
    /// Not before this time; a message that is under way then is finished first.
    pub at: Instant,
    /// Only once it is quiet; `None`: whatever it does.
    pub idle: Option<Idle>,
    /// Why, and what the client is told; the same for all who are told together.
    pub notice: Arc<CloseNotice>,
}

/// When a session counts as quiet.
#[derive(Debug, Clone)]
pub struct Idle {
    /// For how long nothing must have passed either way.
    quiet: Duration,
    /// If it was not quiet by then, it stays open.
    until: Instant,
    /// What had passed at the last look.
    seen: Option<Counts>,
}

/// Why sessions are told to close, and what their clients are told. The same for all that are told together.
#[derive(Debug)]
pub struct CloseNotice {
    /// What the access log says.
    pub cause: Cause,
    /// The Close code for clients.
    pub code: CloseCode,
    /// The words beside it.
    pub reason: String,
}

impl CloseNotice {
    /// A reason that is longer than a Close frame can say is cut.
    pub fn new(cause: Cause, code: CloseCode, mut reason: String) -> Arc<Self> {
        reason.truncate(reason.floor_char_boundary(CLOSE_REASON_BYTES_MAX));
        Arc::new(Self { cause, code, reason })
    }

    /// The end that it comes to.
    pub const fn end(&self) -> End {
        End::Told(self.cause, self.code)
    }
}

impl Idle {
    /// Once nothing has passed for `quiet`, and not later than `until`.
    pub const fn new(quiet: Duration, until: Instant) -> Self {
        Self { quiet, until, seen: None }
    }
}

/// What a session makes of an order when its time has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Obey,
    /// It is not quiet yet: a further look is due later.
    Wait,
    /// It was not quiet in time: the order is void.
    Void,
}

impl Order {
    /// As it is written down for another process.
    pub(crate) fn write(&self, now: Instant) -> record::Order {
        let idle = self.idle.as_ref().map(|idle| record::Idle {
            quiet: idle.quiet,
            void_in: idle.until.saturating_duration_since(now),
            seen: idle.seen.map(Into::into),
        });
        record::Order {
            due_in: self.at.saturating_duration_since(now),
            idle,
            cause: self.notice.cause.label().to_owned(),
            code: self.notice.code.get(),
            reason: self.notice.reason.clone(),
        }
    }

    /// One that another process was given. A cause that this build does not know was somebody's order all the same.
    pub(crate) fn read(written: record::Order, now: Instant) -> Self {
        let idle = written.idle.map(|idle| Idle {
            quiet: idle.quiet,
            until: now + idle.void_in,
            seen: idle.seen.map(Into::into),
        });
        let cause = Cause::named(&written.cause).unwrap_or(Cause::Operator);
        let code = CloseCode::new(written.code).unwrap_or(CloseCode::GOING_AWAY);
        Self { at: now + written.due_in, idle, notice: CloseNotice::new(cause, code, written.reason) }
    }

    /// Judges the order at a time when it is due, by what has passed so far.
    pub(super) fn judge(&mut self, now: Instant, counts: Counts) -> Verdict {
        let Some(idle) = &mut self.idle else { return Verdict::Obey };
        if idle.seen.replace(counts) == Some(counts) {
            return Verdict::Obey;
        }
        if now >= idle.until {
            return Verdict::Void;
        }
        self.at = now + idle.quiet;
        Verdict::Wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_busy_session_is_waited_for_until_it_is_quiet_or_the_time_is_up() {
        let start = crate::clock::now();
        let notice = CloseNotice::new(Cause::Operator, CloseCode::GOING_AWAY, String::new());
        let idle = Some(Idle::new(2 * S, start + 5 * S));
        let busy = Counts { bytes_in: 1, ..Counts::default() };
        let mut order = Order { at: start, idle, notice };
        let mut other = order.clone();
        assert_eq!(order.judge(start, Counts::default()), Verdict::Wait);
        assert_eq!(order.at, start + 2 * S);
        assert_eq!(order.judge(start + 2 * S, busy), Verdict::Wait);
        assert_eq!(order.judge(start + 4 * S, busy), Verdict::Obey);
        assert_eq!(other.judge(start, Counts::default()), Verdict::Wait);
        assert_eq!(other.judge(start + 5 * S, busy), Verdict::Void);
    }

    #[test]
    fn a_reason_fits_into_a_close_frame() {
        let notice = CloseNotice::new(Cause::Operator, CloseCode::GOING_AWAY, "ä".repeat(100));
        assert_eq!(notice.reason, "ä".repeat(61));
    }
}

//! What happens in a simulation: who the two sides are, what they say and do, and on which terms.

use std::fmt;
use std::time::Duration;

use tidegate_proto::deflate::{Context, WindowBits};
use tidegate_proto::handshake::{DeflateAgreement, DeflateSide};
use tidegate_proto::hybi00::Coding;
use tidegate_proto::{CloseCode, Limits, Reserved, Role};

use super::choices::Choices;
use super::speech::{self, Speech};
use crate::io::simulated::Ending;
use crate::outcome::Cause;

/// Both sides, and what they have agreed on.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) far: FarKind,
    pub(super) coding: ClientKind,
    pub(super) limits: Limits,
    /// The lines of the route.
    pub(super) route: String,
    pub(super) client: Script,
    pub(super) backend: Script,
    /// What is ordered, and how long after the beginning. The last one leaves nobody behind.
    pub(super) orders: Vec<(Duration, Cause, CloseCode)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FarKind {
    Echo,
    /// Its bytes are text.
    Tcp {
        text: bool,
        binary_only: bool,
    },
    WebSocket(Reserved),
}

/// In which pieces things are said and moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grain {
    /// A few hundred bytes, in pieces down to one.
    Fine,
    /// Everything up to what a frame of 64 bits of length needs.
    Middle,
    /// Megabytes.
    Bulk,
}

/// What the client speaks with the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientKind {
    Plain,
    Compressed,
    Hybi00(Coding),
}

/// What a side does, one after the other.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) acts: Vec<Act>,
    /// Bytes of the first act that come together with the handshake.
    pub(super) early: usize,
    pub(super) answers_pings: bool,
    /// It answers a Close with a Close, and the end of the connection with its own.
    pub(super) answers_ends: bool,
    /// A stream goes on with its acts after the gateway has ended its direction.
    pub(super) goes_on: bool,
    /// How much it reads at once.
    pub(super) pace: Pace,
    /// Bytes under way to the gateway, and from it.
    pub(super) capacities: [usize; 2],
    pub(super) buffers_writes: bool,
    pub(super) lengths: Choices<'static>,
    /// Reads and writes move at most so many bytes, or at most 7.
    pub(super) len_max: usize,
}

#[derive(Clone)]
pub(super) enum Act {
    Say(Vec<u8>),
    /// Says something that the next words go on with, so that nothing else may be said before.
    Begin(Vec<u8>),
    Rest(Duration),
    Pace(Pace),
    End(Ending),
}

impl fmt::Debug for Act {
    /// What is said in a few bytes: a plan is to be read by people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Say(bytes) | Self::Begin(bytes) => {
                let name = if matches!(self, Self::Say(_)) { "Say" } else { "Begin" };
                write!(f, "{name}({}: {})", bytes.len(), bytes[..bytes.len().min(8)].escape_ascii())
            }
            Self::Rest(rest) => write!(f, "Rest({rest:?})"),
            Self::Pace(pace) => pace.fmt(f),
            Self::End(ending) => ending.fmt(f),
        }
    }
}

/// How somebody reads what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Everything, at once.
    Prompt,
    /// So many bytes, with a rest of so many milliseconds behind them.
    Slow(usize, u64),
    Never,
}

/// Both sides without contexts, as the gateway agrees to it.
pub(super) const DEFLATE: DeflateAgreement = {
    let side = DeflateSide { window: WindowBits::MAX, context: Context::Fresh };
    DeflateAgreement { server: side, client: side }
};

const MESSAGE_BYTES_MAX: u64 = 200 << 10;

/// Lets chance make a plan.
pub(super) fn make(choices: &mut Choices<'_>) -> Plan {
    let coding = choices.of(&[
        ClientKind::Plain,
        ClientKind::Plain,
        ClientKind::Plain,
        ClientKind::Compressed,
        ClientKind::Hybi00(Coding::Text),
        ClientKind::Hybi00(Coding::Base64),
    ]);
    let text = choices.once_in(3);
    let tcp = FarKind::Tcp { text, binary_only: !text && choices.once_in(6) };
    let websocket = match coding {
        ClientKind::Plain => FarKind::WebSocket(choices.of(&[Reserved::None, Reserved::PermessageDeflate])),
        ClientKind::Compressed => tcp, // with a WebSocket backend the gateway is no end of the compression
        ClientKind::Hybi00(_) => FarKind::WebSocket(Reserved::None),
    };
    // What text becomes of what is not text is the configuration's affair: the two are not set together.
    let tcp = match coding {
        ClientKind::Hybi00(Coding::Text) => FarKind::Tcp { text: true, binary_only: false },
        ClientKind::Hybi00(Coding::Base64) => FarKind::Tcp { text: false, binary_only: false },
        ClientKind::Plain | ClientKind::Compressed => tcp,
    };
    let far = choices.of(&[FarKind::Echo, tcp, tcp, websocket, websocket]);
    let grain = choices.of(&[Grain::Fine, Grain::Middle, Grain::Middle]);
    let grain = if choices.once_in(16) { Grain::Bulk } else { grain };
    let limits = limits(choices, far, grain);
    let inbound = match coding {
        ClientKind::Plain => Speech::Frames { role: Role::Client, rsv1: rsv1(far), deflate: false },
        ClientKind::Compressed => Speech::Frames { role: Role::Client, rsv1: false, deflate: true },
        ClientKind::Hybi00(coding) => Speech::Hybi00(coding),
    };
    let outbound = match far {
        FarKind::Echo => Speech::Nothing,
        FarKind::Tcp { text, .. } => Speech::Bytes { text },
        FarKind::WebSocket(_) => Speech::Frames { role: Role::Server, rsv1: rsv1(far), deflate: false },
    };
    let client = script(choices, inbound, grain);
    let backend = script(choices, outbound, grain);
    Plan { far, coding, limits, route: route(choices, far, limits), client, backend, orders: orders(choices) }
}

const fn rsv1(far: FarKind) -> bool {
    matches!(far, FarKind::WebSocket(Reserved::PermessageDeflate))
}

fn limits(choices: &mut Choices<'_>, far: FarKind, grain: Grain) -> Limits {
    let is_bulk = grain == Grain::Bulk;
    let frame_bytes_max = if is_bulk { 1 << 20 } else { choices.of(&[1 << 20, 70_000, 4096, 125]) };
    let is_tcp = matches!(far, FarKind::Tcp { .. });
    let (message_bytes_max, fragments_max) = match (is_bulk, is_tcp && choices.once_in(2)) {
        (true, _) => (1 << 30, 1 << 20),
        (false, true) => (u64::MAX, u32::MAX),
        (false, false) => (choices.of(&[MESSAGE_BYTES_MAX, 5000]), choices.of(&[1024, 3])),
    };
    Limits { frame_bytes_max, message_bytes_max, fragments_max }
}

fn route(choices: &mut Choices<'_>, far: FarKind, limits: Limits) -> String {
    let mut lines = vec![format!("max_frame = {}", limits.frame_bytes_max)];
    if limits.message_bytes_max != u64::MAX {
        lines.push(format!("max_message = {}", limits.message_bytes_max));
        lines.push(format!("max_fragments = {}", limits.fragments_max));
    }
    if let FarKind::Tcp { text, binary_only } = far {
        lines.extend(text.then(|| "message = 'text'".to_owned()));
        lines.extend(binary_only.then(|| "accept = 'binary'".to_owned()));
    }
    let keepalive =
        ["", "ping_interval = 0", "ping_interval = '1s'\nping_timeout = '1s'", "ping_timeout = 0"];
    lines.push(choices.of(&keepalive).to_owned());
    lines.extend(choices.once_in(4).then(|| "idle_timeout = '7s'".to_owned()));
    lines.join("\n")
}

fn orders(choices: &mut Choices<'_>) -> Vec<(Duration, Cause, CloseCode)> {
    let causes = [
        (Cause::Operator, CloseCode::POLICY_VIOLATION),
        (Cause::Drained, CloseCode::RESTART),
        (Cause::Reloaded, CloseCode::GOING_AWAY),
    ];
    let mut order = |at| {
        let (cause, code) = choices.of(&causes);
        (at, cause, code)
    };
    let last = order(Duration::from_secs(300));
    let early = order(Duration::ZERO);
    if !choices.once_in(4) {
        return vec![last];
    }
    let early = (Duration::from_millis(choices.below(6000) as u64), early.1, early.2);
    vec![early, last]
}

fn script(choices: &mut Choices<'_>, speech: Speech, grain: Grain) -> Script {
    let mut acts = match grain {
        Grain::Fine => speech::acts(choices, speech, &[0, 1, 5, 125, 126, 300, 300, 1000]),
        Grain::Middle => {
            speech::acts(choices, speech, &[0, 1, 5, 125, 126, 4000, 5000, 65_535, 65_536, 70_001])
        }
        Grain::Bulk => speech::bulk(choices, speech),
    };
    if let Some(ending) = choices.of(&[
        None,
        None,
        Some(Ending::Fin),
        Some(Ending::Fin),
        Some(Ending::Cut),
        Some(Ending::Reset),
    ]) {
        acts.push(Act::End(ending));
    }
    let pace = choices.of(&[
        Pace::Prompt,
        Pace::Prompt,
        Pace::Prompt,
        Pace::Prompt,
        Pace::Slow(if grain == Grain::Bulk { 100_000 } else { 1000 }, 400),
        Pace::Never,
    ]);
    if !matches!(pace, Pace::Prompt) && choices.once_in(2) {
        acts.insert(choices.below(acts.len() + 1), Act::Pace(Pace::Prompt));
    }
    let (capacities, len_max) = match grain {
        Grain::Fine => ([0; 2].map(|_| choices.of(&[4096, 100, 1])), choices.of(&[1000, 7, 1])),
        Grain::Middle => ([0; 2].map(|_| choices.of(&[1 << 16, 4096])), choices.of(&[usize::MAX, 1000])),
        Grain::Bulk => ([256 << 10; 2], usize::MAX),
    };
    Script {
        acts,
        early: if choices.once_in(4) { choices.below(200) } else { 0 },
        answers_pings: !choices.once_in(8),
        answers_ends: !choices.once_in(8),
        goes_on: choices.once_in(4),
        pace,
        capacities,
        buffers_writes: choices.once_in(4),
        lengths: choices.split(),
        len_max,
    }
}

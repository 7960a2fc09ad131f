//! What must be true of a relay whatever its sides do.
//!
//! What the sides have sent is read by the protocol crate, in one go and without a gateway; what they have received is
//! held against that.

use std::time::Duration;

use tidegate_proto::hybi00::Coding;
use tidegate_proto::{CloseCode, Limits, MessageType, Role};

use super::Played;
use super::plan::{ClientKind, DEFLATE, FarKind, Plan};
use super::side::Record;
use super::stream::{Message, Reading, Stream, read};
use crate::io::simulated::Ending;
use crate::outcome::End;

/// The longest end where both sides do their part: a message may end, the Close be answered, the connection linger.
const ENDING_MAX: Duration = Duration::from_secs(13);

/// A control frame of a client costs one of so many.
const CONTROLS_AT_ONCE: usize = 200;

struct Case<'a> {
    plan: &'a Plan,
    played: &'a Played,
    /// What the client has said, and what the backend has.
    inbound: Stream,
    outbound: Stream,
    to_client: Stream,
    to_backend: Stream,
}

/// Panics unless everything is as it must be.
pub(super) fn judge(plan: &Plan, played: &Played) {
    let case = Case::new(plan, played);
    case.is_sound();
    case.is_prefix();
    case.is_complete();
    case.is_told();
    case.is_what_happened();
    case.is_counted();
    case.is_over_in_time();
}

/// An assertion that shows the case.
macro_rules! must {
    ($case:expr, $holds:expr, $($said:tt)+) => {
        assert!($holds, "{}; {:?} of {}", format_args!($($said)+), $case.played.end, $case.shown())
    };
}

impl<'a> Case<'a> {
    fn new(plan: &'a Plan, played: &'a Played) -> Self {
        let (client, backend) = (&played.client, &played.backend);
        let client_reads = |role, side| match (plan.coding, plan.far) {
            (ClientKind::Hybi00(coding), _) => Reading::Hybi00(coding),
            (ClientKind::Plain, FarKind::WebSocket(reserved)) => Reading::Frames(role, reserved),
            (ClientKind::Plain, FarKind::Echo | FarKind::Tcp { .. }) => Reading::Messages(role, None),
            (ClientKind::Compressed, _) => Reading::Messages(role, Some(side)),
        };
        let backend_reads = |role| match (plan.coding, plan.far) {
            (_, FarKind::Echo | FarKind::Tcp { .. }) => None,
            (ClientKind::Plain, FarKind::WebSocket(reserved)) => Some(Reading::Frames(role, reserved)),
            (ClientKind::Compressed | ClientKind::Hybi00(_), FarKind::WebSocket(_)) => {
                Some(Reading::Messages(role, None))
            }
        };
        let backend_stream = |role, limits, bytes| {
            backend_reads(role).map_or_else(Stream::default, |reading| read(reading, limits, bytes))
        };
        Self {
            plan,
            played,
            inbound: read(client_reads(Role::Server, DEFLATE.client), plan.limits, &client.sent),
            outbound: backend_stream(Role::Client, plan.limits, &backend.sent),
            to_client: read(client_reads(Role::Client, DEFLATE.server), Limits::NONE, &client.received),
            to_backend: backend_stream(Role::Server, Limits::NONE, &backend.received),
        }
    }

    fn shown(&self) -> String {
        let side = |record: &Record| {
            format!(
                "{} sent, {} received, ended {:?}, by the gateway {:?}, prompt {}, polite {}, late {}",
                record.sent.len(),
                record.received.len(),
                record.ended,
                record.gateway_ended,
                record.is_prompt,
                record.is_polite,
                record.is_late,
            )
        };
        let (client, backend) = (side(&self.played.client), side(&self.played.backend));
        format!("client: {client}; backend: {backend}; {:?}", self.plan)
    }

    /// What the gateway says is in order, there is one Close at most, and nothing follows it.
    fn is_sound(&self) {
        for (who, heard) in [("client", &self.to_client), ("backend", &self.to_backend)] {
            must!(self, heard.breach.is_none(), "the {who} is told something wrong: {:?}", heard.breach);
            must!(self, heard.behind_close == 0, "{} bytes to the {who} behind a Close", heard.behind_close);
        }
    }

    /// Each side receives a beginning of what the other has said.
    fn is_prefix(&self) {
        match self.plan.far {
            FarKind::Echo => self.is_message_prefix("echo", &self.to_client, &self.inbound),
            FarKind::Tcp { .. } => {
                let payload = self.payload_to_tcp();
                must!(
                    self,
                    payload.starts_with(&self.played.backend.received),
                    "the backend receives other bytes"
                );
                let payload = self.to_client.payload();
                must!(
                    self,
                    self.played.backend.sent.starts_with(&payload),
                    "the client receives other bytes"
                );
            }
            FarKind::WebSocket(_) if self.plan.coding == ClientKind::Plain => {
                let (inbound, outbound) = (&self.inbound.frames, &self.outbound.frames);
                must!(
                    self,
                    inbound.starts_with(&self.to_backend.frames),
                    "the backend receives other frames"
                );
                must!(self, outbound.starts_with(&self.to_client.frames), "the client receives other frames");
            }
            FarKind::WebSocket(_) => {
                self.is_message_prefix("backend", &self.to_backend, &self.inbound);
                self.is_message_prefix("client", &self.to_client, &self.outbound);
            }
        }
    }

    fn payload_to_tcp(&self) -> Vec<u8> {
        let binary_only = matches!(self.plan.far, FarKind::Tcp { binary_only: true, .. });
        let passes = |message: &&Message| !binary_only || message.message == MessageType::Binary;
        self.inbound.messages.iter().take_while(passes).flat_map(|message| message.payload.clone()).collect()
    }

    fn is_message_prefix(&self, who: &str, heard: &Stream, said: &Stream) {
        let same_types = matches!(self.plan.coding, ClientKind::Plain | ClientKind::Compressed);
        for (at, message) in heard.messages.iter().enumerate() {
            let meant = said.messages.get(at);
            let same = meant.is_some_and(|meant| {
                let same_payload = if message.is_whole {
                    meant.is_whole && meant.payload == message.payload
                } else {
                    meant.payload.starts_with(&message.payload)
                };
                same_payload && (!same_types || meant.message == message.message)
            });
            must!(self, same, "the {who} receives another message in place of number {at}");
        }
    }

    /// Of an end in order nothing is lost on the way to somebody who takes it.
    fn is_complete(&self) {
        let Played { end, client, backend, .. } = self.played;
        let client_takes = client.is_prompt && client.ended != Some(Ending::Reset);
        let backend_takes = backend.is_prompt && backend.ended != Some(Ending::Reset);
        let client_is_done = matches!(end, End::ClientClosed(_) | End::ClientEnded);
        if client_is_done && self.plan.far == FarKind::Echo && client_takes {
            let whole = |stream: &Stream| stream.messages.iter().filter(|message| message.is_whole).count();
            must!(self, whole(&self.to_client) == whole(&self.inbound), "an answer of the echo is missing");
        }
        if client_is_done && backend_takes {
            self.is_inbound_complete(*end);
        }
        let backend_is_done = matches!(end, End::BackendEnded | End::BackendClosed(_))
            || (*end == End::BackendLost && backend.ended != Some(Ending::Reset))
            || (matches!(end, End::ClientClosed(_)) && self.is_answered_in_order());
        let nothing_left_out = *end == End::BackendEnded || !self.is_backend_not_text();
        if backend_is_done && nothing_left_out && client_takes && self.inbound.breach.is_none() {
            self.is_outbound_complete();
        }
    }

    /// A WebSocket backend has answered the client's Close, and both had the time to.
    fn is_answered_in_order(&self) -> bool {
        let Played { client, backend, .. } = self.played;
        let good = |record: &Record| record.is_prompt && record.is_polite && !record.is_late;
        matches!(self.plan.far, FarKind::WebSocket(_))
            && good(client)
            && good(backend)
            && self.outbound.close.is_some()
            && backend.heard_close
    }

    fn is_inbound_complete(&self, end: End) {
        match self.plan.far {
            FarKind::Echo => {}
            FarKind::Tcp { .. } => {
                must!(
                    self,
                    self.played.backend.received == self.payload_to_tcp(),
                    "the backend misses bytes"
                );
            }
            FarKind::WebSocket(_) if self.plan.coding == ClientKind::Plain => {
                must!(self, self.to_backend.frames == self.inbound.frames, "the backend misses frames");
                if end != End::ClientEnded {
                    must!(self, self.to_backend.close == self.inbound.close, "the backend misses the Close");
                }
            }
            FarKind::WebSocket(_) if end == End::ClientEnded => {} // the rest of a message may be held
            FarKind::WebSocket(_) => {
                must!(
                    self,
                    self.to_backend.messages.len() == self.inbound.messages.len(),
                    "the backend misses messages"
                );
            }
        }
    }

    fn is_outbound_complete(&self) {
        match self.plan.far {
            FarKind::Echo => {}
            FarKind::Tcp { .. } => {
                let payload = self.to_client.payload();
                must!(
                    self,
                    payload == self.played.backend.sent,
                    "the client misses bytes: {}",
                    payload.len()
                );
            }
            FarKind::WebSocket(_) if self.plan.coding == ClientKind::Plain => {
                must!(self, self.to_client.frames == self.outbound.frames, "the client misses frames");
            }
            FarKind::WebSocket(_) => {
                let whole =
                    |stream: &Stream| stream.messages.iter().filter(|message| message.is_whole).count();
                must!(self, whole(&self.to_client) == whole(&self.outbound), "the client misses messages");
            }
        }
    }

    /// Both sides are told why it ends, where they can be and listen.
    fn is_told(&self) {
        let Played { end, client, backend, .. } = self.played;
        let code = |close: &Option<(Option<CloseCode>, Vec<u8>)>| close.as_ref().map(|(code, _)| *code);
        let said = (code(&self.inbound.close), code(&self.outbound.close));
        let is_hybi00 = matches!(self.plan.coding, ClientKind::Hybi00(_));
        let untold = matches!(end, End::ClientEnded | End::ClientLost | End::ClientStalled);
        if let Some(heard) = code(&self.to_client.close) {
            let expected = if matches!(end, End::ClientClosed(_)) {
                Some(heard) == said.0 || Some(heard) == said.1
            } else {
                !untold && heard == end.code_to_client()
            };
            must!(self, expected || is_hybi00, "the client is told {heard:?}");
        }
        let hears = client.is_prompt && client.ended != Some(Ending::Reset) && !self.to_client.mid_frame;
        must!(self, untold || !hears || self.to_client.close.is_some(), "the client is not told");

        let is_websocket = matches!(self.plan.far, FarKind::WebSocket(_));
        if let Some(heard) = code(&self.to_backend.close) {
            let expected = if let End::BackendClosed(code) = end {
                heard == *code
            } else if matches!(end, End::ClientClosed(_)) {
                Some(heard) == said.0
            } else {
                heard.is_some() && heard == end.code_to_backend()
            };
            must!(self, expected, "the backend is told {heard:?}");
        }
        let to_be_told =
            end.code_to_backend().is_some() || matches!(end, End::ClientClosed(_) | End::BackendClosed(_));
        let hears = backend.is_prompt && !backend.ended_itself && !self.to_backend.mid_frame;
        must!(
            self,
            !is_websocket || !to_be_told || !hears || self.to_backend.close.is_some(),
            "the backend is not told"
        );
    }

    /// The outcome, which is what the access log says, is what the sides have done.
    fn is_what_happened(&self) {
        let Played { end, client, backend, .. } = self.played;
        let ended =
            |record: &Record, endings: &[Ending]| record.ended.is_some_and(|ended| endings.contains(&ended));
        let is_tcp = matches!(self.plan.far, FarKind::Tcp { .. });
        let is_so = match end {
            End::ClientClosed(code) => self.inbound.close.as_ref().is_some_and(|close| close.0 == *code),
            End::ClientEnded => ended(client, &[Ending::Fin, Ending::Cut]),
            End::ClientLost => ended(client, &[Ending::Reset]),
            End::ClientViolation(breach) => self.inbound.breach == Some(*breach),
            End::ClientText => {
                matches!(self.plan.far, FarKind::Tcp { binary_only: true, .. })
                    && self.inbound.messages.iter().any(|message| message.message == MessageType::Text)
            }
            End::ClientFlood => self.inbound.controls > CONTROLS_AT_ONCE,
            End::MessageUnfinished => !is_tcp,
            End::ClientStalled => !client.is_prompt,
            End::BackendStalled => !backend.is_prompt,
            End::Idle => self.plan.route.contains("idle_timeout"),
            End::PingUnanswered => {
                let has_answered = client.is_polite && client.is_prompt && !client.is_late;
                !has_answered || !backend.is_prompt
            }
            End::BackendClosed(code) => self.outbound.close.as_ref().is_some_and(|close| close.0 == *code),
            End::BackendEnded => is_tcp && ended(backend, &[Ending::Fin]),
            End::BackendLost if is_tcp => ended(backend, &[Ending::Cut, Ending::Reset]),
            End::BackendLost => backend.ended.is_some(),
            End::BackendViolation(violation) => self.outbound.breach == Some((*violation).into()),
            End::BackendNotText => self.is_backend_not_text(),
            End::Told(cause, code) => {
                self.plan.orders.iter().any(|order| (order.1, order.2) == (*cause, *code))
            }
            End::Panicked => false,
        };
        must!(self, is_so, "that is not what happened");
    }

    fn is_backend_not_text(&self) -> bool {
        match self.plan.far {
            FarKind::Echo => false,
            FarKind::Tcp { text, .. } => text && std::str::from_utf8(&self.played.backend.sent).is_err(),
            FarKind::WebSocket(_) => {
                matches!(self.plan.coding, ClientKind::Hybi00(Coding::Text))
                    && self.outbound.messages.iter().any(|message| message.message == MessageType::Binary)
            }
        }
    }

    /// The figures are those of what was said.
    fn is_counted(&self) {
        let Played { end, counts, backend, .. } = self.played;
        if self.plan.coding == ClientKind::Plain && matches!(self.plan.far, FarKind::WebSocket(_)) {
            return; // frames, whose payload nobody here has counted
        }
        let said = self.inbound.payload().len() as u64;
        must!(self, counts.bytes_in <= said, "{counts:?} where {said} bytes were said");
        if matches!(end, End::ClientClosed(_)) {
            let messages = self.inbound.messages.iter().filter(|message| message.is_whole).count() as u64;
            must!(
                self,
                (counts.bytes_in, counts.messages_in) == (said, messages),
                "{counts:?}: {said}, {messages}"
            );
        }
        if *end == End::BackendEnded {
            must!(self, counts.bytes_out == backend.sent.len() as u64, "{counts:?} of the backend");
        }
    }

    /// Where both sides do their part, an end takes little time.
    fn is_over_in_time(&self) {
        let Played { end, client, backend, ending, .. } = self.played;
        let good = |record: &Record| record.is_prompt && record.is_polite && !record.is_late;
        // A stream may go on after a client that has ended its direction.
        let is_half_closed = matches!(self.plan.far, FarKind::Tcp { .. }) && client.ended_itself;
        if good(client) && good(backend) && !is_half_closed && *end != End::ClientEnded {
            must!(self, *ending <= ENDING_MAX, "it takes {ending:?} to end");
        }
    }
}

//! A WebSocket as it is written down: everything that its relay needs to go on elsewhere, between any two bytes.
//!
//! The names are part of the format. Fields may be added, with a default for records that do not have them; none changes
//! its meaning. What a reader must not overlook is named in [`Record::needs`]: a process that does not know one of those
//! names declines the session, which then stays where it is. Times are written as how long ago or how long from now.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tidegate_proto::{Decoder, hybi00};

use super::capabilities::CAPABILITIES;
use super::secret::{Secret, Wiped};

/// The format that this build writes.
pub(crate) const FORMAT: u32 = 1;

/// The oldest one that it reads.
pub(crate) const FORMAT_MIN: u32 = 1;

/// One session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    /// [`FORMAT`] of its writer.
    pub(crate) format: u32,
    /// What its reader must be capable of to go on with it; see [`capabilities`](super::capabilities).
    #[serde(default)]
    pub(crate) needs: Vec<String>,
    pub(crate) about: About,
    /// For how long it has been open.
    pub(crate) age: Duration,
    #[serde(default)]
    pub(crate) counts: Counts,
    /// What it was told to do, and has not done yet.
    #[serde(default)]
    pub(crate) orders: Vec<Order>,
    pub(crate) line: Line,
    pub(crate) relay: Relay,
}

/// Who it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct About {
    /// The number of its connection.
    pub(crate) conn: u64,
    /// The name of its route.
    pub(crate) route: String,
    #[serde(default)]
    pub(crate) client: Option<IpAddr>,
    #[serde(default)]
    pub(crate) port: u16,
    #[serde(default)]
    pub(crate) hybi00: bool,
    /// Its backend, of several.
    #[serde(default)]
    pub(crate) backend: Option<String>,
    #[serde(default)]
    pub(crate) subprotocol: Option<String>,
}

/// Payload that has passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) messages_in: u64,
    pub(crate) messages_out: u64,
}

/// To close at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    /// How long from now.
    pub(crate) due_in: Duration,
    #[serde(default)]
    pub(crate) idle: Option<Idle>,
    /// What the access log says.
    pub(crate) cause: String,
    /// The Close code.
    pub(crate) code: u16,
    #[serde(default)]
    pub(crate) reason: String,
}

/// Only if it is quiet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Idle {
    pub(crate) quiet: Duration,
    /// For how long the order stands.
    pub(crate) void_in: Duration,
    /// What had passed at the last look.
    #[serde(default)]
    pub(crate) seen: Option<Counts>,
}

/// What is known of its access line so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) client: String,
    /// How long ago it was asked for.
    pub(crate) age: Duration,
    #[serde(default)]
    pub(crate) method: Option<String>,
    #[serde(default)]
    pub(crate) host: String,
    #[serde(default)]
    pub(crate) path: String,
    /// The protocol, where it is not RFC 6455.
    #[serde(default)]
    pub(crate) protocol: Option<String>,
}

/// The state of the relay itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Relay {
    pub(crate) client: Endpoint,
    pub(crate) far: Far,
    pub(crate) keepalive: Keepalive,
    /// Control frames that the client may send at once.
    pub(crate) tokens: f64,
    /// For how long only the backend speaks, where the client has ended its direction.
    #[serde(default)]
    pub(crate) half_closed_for: Option<Duration>,
    /// What the client speaks in the place of RFC 6455.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hybi00: Option<Hybi00>,
    /// What the gateway compresses with for the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deflate: Option<Deflate>,
}

/// A client that speaks hybi-00, and its messages on their way to a WebSocket backend.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Hybi00 {
    pub(crate) decoder: hybi00::Decoder,
    pub(crate) encoder: hybi00::Encoder,
    pub(crate) frame_bytes_max: u64,
    /// The backend has the beginning of a message.
    #[serde(default)]
    pub(crate) begun: bool,
    /// What it has not of it.
    #[serde(default)]
    pub(crate) held: Octets,
}

/// permessage-deflate that ends at the gateway, between two messages: neither side takes anything over to the next.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Deflate {
    /// The exponents of the windows that each side writes with.
    pub(crate) client_window: u8,
    pub(crate) server_window: u8,
    pub(crate) message_bytes_max: u64,
    pub(crate) frame_bytes_max: u64,
}

/// The other side.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Far {
    /// `open`: an answer has begun and not ended.
    Echo {
        open: bool,
    },
    Tcp(Tcp),
    WebSocket(Endpoint),
}

/// A backend of raw bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tcp {
    pub(crate) leg: Leg,
    pub(crate) frame_bytes_max: u64,
    /// With `message = "text"`: the beginning of a code point.
    #[serde(default)]
    pub(crate) text: Option<Octets>,
    #[serde(default)]
    pub(crate) binary_only: bool,
}

/// A leg that speaks WebSocket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) leg: Leg,
    pub(crate) decoder: Decoder,
    /// The beginning of a header or control frame that was read.
    #[serde(default)]
    pub(crate) carry: Octets,
    /// A frame that is relayed to it is under way.
    #[serde(default)]
    pub(crate) mid_frame: bool,
    #[serde(default)]
    pub(crate) mid_message: bool,
    /// Payload of a Pong that is due.
    #[serde(default)]
    pub(crate) pong: Option<Octets>,
    /// A Ping of ours is due.
    #[serde(default)]
    pub(crate) ping: bool,
}

/// A socket, which travels beside the record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Leg {
    pub(crate) socket: Socket,
    /// What is on it, where that is TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<Tls>,
    /// Read and not looked at yet.
    #[serde(default)]
    pub(crate) early: Octets,
    /// Not taken by the socket yet.
    #[serde(default)]
    pub(crate) unsent: Octets,
    /// How long ago it last took any.
    #[serde(default)]
    pub(crate) unsent_for: Option<Duration>,
    #[serde(default)]
    pub(crate) kept_for: Option<Duration>,
    #[serde(default)]
    pub(crate) prompt: bool,
    /// The peer has ended its direction.
    #[serde(default)]
    pub(crate) read_ended: bool,
    #[serde(default)]
    pub(crate) writes_failed: bool,
    #[serde(default)]
    pub(crate) fin: Fin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Socket {
    Tcp,
    Unix,
}

/// TLS 1.3, of which we are the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tls {
    /// The number of its cipher suite (RFC 8446 §B.4).
    pub(crate) suite: u16,
    /// Of what the client sends.
    pub(crate) opening: Keys,
    /// Of what it is sent.
    pub(crate) sealing: Keys,
    /// Records that were read and not opened, the last of them cut.
    #[serde(default)]
    pub(crate) incoming: Octets,
    /// Payload that was opened and not asked for.
    #[serde(default)]
    pub(crate) opened: Octets,
    /// Records that the socket has not taken.
    #[serde(default)]
    pub(crate) outgoing: Octets,
    /// The client has sent its close_notify.
    #[serde(default)]
    pub(crate) read_ended: bool,
    /// It was sent ours.
    #[serde(default)]
    pub(crate) write_ended: bool,
}

/// The keys of one direction.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Keys {
    /// The number of the next record.
    pub(crate) seq: u64,
    /// The one in use, and behind it those that will come after it.
    pub(crate) secrets: Vec<Secret>,
}

/// The end of our direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fin {
    #[default]
    NotYet,
    Due,
    Sent,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Keepalive {
    /// How long its clockwork has run.
    pub(crate) ran: Duration,
    pub(crate) clockwork: tidegate_proto::Keepalive,
}

/// Bytes, in base64.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Octets(pub(crate) Vec<u8>);

/// Why a record cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("it is no record of a session: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("it is written in format {0}, and formats {FORMAT_MIN} to {FORMAT} can be read")]
    Format(u32),
    #[error("it needs {0:?}, which this build does not know")]
    Needs(String),
}

impl Record {
    /// As it is sent.
    pub(crate) fn to_bytes(&self) -> Wiped {
        let mut bytes = Wiped::default();
        serde_json::to_writer(&mut bytes, self).expect("names, numbers and strings can be written");
        bytes
    }

    /// The number of its connection, where that is all that can be read.
    pub(crate) fn conn_in(bytes: &[u8]) -> Option<u64> {
        let record: serde_json::Value = serde_json::from_slice(bytes).ok()?;
        record["about"]["conn"].as_u64()
    }

    /// Reads one that another build may have written.
    ///
    /// # Errors
    /// It is none, or of a kind that this build cannot go on with.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let record: Self = serde_json::from_slice(bytes)?;
        // A newer writer that wants to be read by this build says by `needs` where it must not be.
        if record.format < FORMAT_MIN {
            return Err(Unreadable::Format(record.format));
        }
        match record.needs.iter().find(|need| !CAPABILITIES.contains(&need.as_str())) {
            Some(unknown) => Err(Unreadable::Needs(unknown.clone())),
            None => Ok(record),
        }
    }
}

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(D::Error::custom)
    }
}

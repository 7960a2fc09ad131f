//! Scripted clients and backends for tidegate's own tests, and the gateway between them as a process.
//!
//! A test holds both ends. It starts the built binary as a [`Gateway`], speaks to it through a [`Wire`], and takes
//! what the gateway opens from a [`Backend`], which hands out a [`Wire`] as well:
//!
//! ```text
//! Wire (client)  ──►  Gateway (process)  ──►  Wire (backend)
//!      └──────────────── the test ────────────────┘
//! ```
//!
//! So most tests are one straight line without a second thread: send here, read there. Sockets are plain and blocking;
//! each read, write and accept has a hard bound in time and panics with what it had seen so far when that is passed.
//! Nothing sleeps to let the other side catch up.
//!
//! Either end may be TLS, with certificates that an [`Authority`] issues while the test runs; a wire is used in the same
//! way then.
//!
//! Nothing here decodes with the code that is under test: [`Frame`] and [`Head`] are readers of their own, deliberately
//! simple and strict. The one exception is the digest of the opening handshake, which the protocol crate proves
//! against the examples of RFC 6455.

mod backend;
mod canary;
mod certificate;
mod connector;
mod deadline;
mod faults;
mod frame;
mod gateway;
mod head;
mod hybi00;
mod request;
mod stopped;
mod transport;
mod wire;

pub use backend::{Backend, Full, Serving};
pub use canary::Canary;
pub use certificate::{Authority, Identity};
pub use connector::{Connecting, Connector, Ended};
pub use deadline::{Deadline, PATIENCE, eventually, within};
pub use faults::{Call, Faults, HANG, TOO_MUCH, UNANSWERED};
pub use frame::{Frame, opcode};
pub use gateway::{Builder, Gateway};
pub use head::Head;
pub use hybi00::Hybi00;
pub use request::Request;
pub use stopped::await_stopped;
pub use wire::{Finish, Wire};

//! What the two processes of a hand-over say to each other, in the order in which they say it.
//!
//! Each is a line of JSON in a frame of its own. Fields may be added; a message of an unknown kind ends the hand-over.

use serde::{Deserialize, Serialize};

/// From the process that serves.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Giver {
    /// First of all.
    Hello {
        /// The format of its records.
        format: u32,
        /// Its version, for people.
        version: String,
    },
    /// A socket that listens; its descriptor comes along.
    Listener(Listener),
    /// There are no more of them.
    Prepare,
    /// Accept. Numbers of connections go on from here.
    Serve { connections: u64 },
    /// Nothing more comes: it is yours.
    Done,
}

/// From the one that is to take its place.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Taker {
    /// The first answer.
    Hello {
        /// The oldest format of records that it reads.
        format_min: u32,
        /// What it is capable of, of what a record may need.
        #[serde(default)]
        knows: Vec<String>,
        version: String,
    },
    /// Everything stands but for what is still to come. `listeners`: which of those it was given it goes on with.
    Ready { listeners: Vec<usize> },
    /// It cannot take over.
    Refused { why: String },
    /// A session is its own from here on.
    Taken { conn: u64 },
    /// One that it cannot go on with.
    Declined { conn: u64, why: String },
    /// It accepts.
    Serving,
    /// It is alone.
    Over,
}

/// From either, behind the hand-over: the line stays for as long as both live. What is not understood ends it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Notice {
    /// The gateway is to stop, this process as well; `restart`: to come back.
    Stop { restart: bool },
}

/// A socket that listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listener {
    /// The address as it is configured.
    pub(crate) address: String,
    /// Which listener it belongs to: some have several sockets.
    pub(crate) group: usize,
    /// It is the admin listener's.
    #[serde(default)]
    pub(crate) admin: bool,
    /// It was bound by a gateway, which has set its options, and removes its file in the end if it has one.
    #[serde(default)]
    pub(crate) own: bool,
}

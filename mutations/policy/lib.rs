//! `policy` and the modules that it stands on, under the names that they have in the gateway.

#![allow(dead_code, unused_imports, reason = "most of what uses these modules is elsewhere")]

#[path = "../../crates/tidegate/src/certificate/mod.rs"]
mod certificate;
#[path = "../../crates/tidegate/src/clock.rs"]
mod clock;
#[path = "../../crates/tidegate/src/config/mod.rs"]
mod config;
#[path = "../../crates/tidegate/src/date.rs"]
mod date;
#[path = "../../crates/tidegate/src/handover/mod.rs"]
mod handover;
#[path = "../../crates/tidegate/src/jwt/mod.rs"]
mod jwt;
#[path = "../../crates/tidegate/src/metrics/mod.rs"]
mod metrics;
#[path = "../../crates/tidegate/src/named_file.rs"]
mod named_file;
#[path = "../../crates/tidegate/src/opening.rs"]
mod opening;
#[path = "../../crates/tidegate/src/outcome.rs"]
mod outcome;
#[path = "../../crates/tidegate/src/path.rs"]
mod path;
#[path = "../../crates/tidegate/src/policy/mod.rs"]
mod policy;
#[path = "../../crates/tidegate/src/pool.rs"]
mod pool;
#[path = "../../crates/tidegate/src/recording/mod.rs"]
mod recording;
#[path = "../../crates/tidegate/src/replay/mod.rs"]
mod replay;
#[path = "../../crates/tidegate/src/request.rs"]
mod request;
#[path = "../../crates/tidegate/src/shown.rs"]
mod shown;
#[path = "../../crates/tidegate/src/swap.rs"]
mod swap;
#[path = "../../crates/tidegate/src/via.rs"]
mod via;

// With files of their own in a folder of their name, where `path` would not look for them.
#[path = "../../crates/tidegate/src"]
mod beside {
    pub(crate) mod io;
    pub(crate) mod route;
    pub(crate) mod tls_socket;
}

use beside::{io, route, tls_socket};

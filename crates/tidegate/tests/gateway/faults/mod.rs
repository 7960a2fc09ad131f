//! Faults of the process and its host: bugs, want of descriptors and disk, clocks that jump, calls that fail.

mod calls;
mod clock;
mod crowds;
mod descriptors;
mod disk;
mod hanging;
mod idle;
mod links;
mod memory;
mod neighbours;
mod panics;
mod starting;
mod steps;
mod torn;

use tidegate_testkit::{Frame, Wire};

/// That a session is served: a message comes back.
#[track_caller]
fn expect_echo(wire: &mut Wire) {
    wire.send_frame(&Frame::text("ahoy").masked());
    assert_eq!(wire.read_frame(), Frame::text("ahoy"));
}

//! The relay between two sides that the input describes: what they say in which pieces, and what happens when.
//!
//! This is the simulation, with the input in place of a seed; `relay::sim` says what is held against what.

use crate::relay::sim::{Choices, play};

/// Plays an input.
pub fn run(data: &[u8]) {
    play(Choices::given(data));
}

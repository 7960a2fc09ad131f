//! The standards once more, as plainly as can be: slow, on whole inputs, and sharing no code with what they judge.

pub(crate) mod fields;
pub(crate) mod frames;
pub(crate) mod hybi00;
pub(crate) mod inflate;
pub(crate) mod md5;
pub(crate) mod sha1;

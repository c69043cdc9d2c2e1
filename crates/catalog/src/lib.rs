//! What exists right now: the configuration as written, resolved into one immutable snapshot.

pub mod written;

//! Requests, both ways.

mod choice;
mod read;
mod turns;
mod write;

pub(super) use read::read;
pub(super) use write::write;

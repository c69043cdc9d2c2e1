//! Requests, both ways.

mod choice;
mod read;
mod write;

pub(super) use read::{conversation, read};
pub(super) use write::write;

//! `/v2/chat`: the request, both ways.

mod read;
mod write;
mod write_messages;

pub(super) use read::{block, read};
pub(super) use write::write;

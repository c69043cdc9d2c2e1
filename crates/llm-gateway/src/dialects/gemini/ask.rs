//! `generateContent`: the request, both ways.

mod config;
mod read;
mod write;
mod write_config;
mod write_parts;
mod write_tools;

pub(super) use read::{TurnReader, read};
pub(super) use write::write;

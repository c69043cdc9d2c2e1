//! `generateContent`: the request, both ways.

mod config;
mod read;
mod read_parts;
mod write;
mod write_config;
mod write_parts;
mod write_tools;

pub(super) use read::read;
pub(super) use read_parts::TurnReader;
pub(super) use write::write;

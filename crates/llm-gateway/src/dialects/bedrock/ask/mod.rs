//! Requests: `read` takes a client's body into the form, `write` makes the body for an upstream, `tools` its tools.

mod read;
mod tools;
mod write;

pub(super) use read::read_ask;
pub(super) use write::write_ask;

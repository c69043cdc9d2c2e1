//! Errors: the shape both OpenAI dialects share, and the event that carries one in mid-stream.

use gatehouse_domain::Fault;

pub(super) use crate::dialects::openai_shared::error::write;

/// Appends the in-band error of a stream. Clients take it for the end; `[DONE]` must not follow.
pub(super) fn write_event(fault: &Fault, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(&write(fault));
    out.extend_from_slice(b"\n\n");
}

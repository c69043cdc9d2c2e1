//! Errors: the shape both OpenAI dialects share.

pub(super) use crate::dialects::openai_shared::error::write;

//! What the two OpenAI dialects share: error bodies, usage words, small wire types, and tools for reading leniently.

pub(crate) mod details;
pub(crate) mod error;
mod glance;
pub(crate) mod lines;
pub(crate) mod wire;

use super::ToolNames;

/// What OpenAI takes as a function's name.
pub(crate) const TOOL_NAMES: ToolNames = ToolNames { max: 64, also: "" };

#[cfg(test)]
mod tests;

//! What the two OpenAI dialects share: error bodies, usage words, small wire types, and tools for reading leniently.

pub(crate) mod details;
pub(crate) mod error;
pub(crate) mod lines;
pub(crate) mod wire;

#[cfg(test)]
mod tests;

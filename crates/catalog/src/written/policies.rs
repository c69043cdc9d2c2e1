//! `policies`: what the file has of them.

use schemars::JsonSchema;
use serde::Deserialize;

/// Policies in Cedar: files, or a text with or without a name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PolicyItem {
    /// Files by name or pattern (`policies/*.cedar`), or a text of policies.
    Word(String),
    /// A text that has a name.
    Named(Policy),
}

/// A text of policies with a name, by which explanations and the admin API know it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Unique; letters, digits and `._-`.
    pub name: String,
    /// One policy or more, in Cedar.
    pub text: String,
}

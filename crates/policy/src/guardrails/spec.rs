//! What a detector is built from, and the list of detectors.

use std::sync::Arc;

use serde_json::Value;

use super::Detector;
use super::injection::Injection;
use super::json_schema::JsonSchema;
use super::pattern::Patterned;
use super::pii::{Pii, PiiKind};
use super::secrets::Secrets;
use super::size::Size;
use super::topic::Topic;

/// Which detector, and what it must know.
#[derive(Clone, Debug, PartialEq)]
pub enum Spec {
    /// Credentials by their form, with entropy and allow-lists.
    Secrets,
    /// Personal data with a structure: cards, IBANs, addresses on the net, national ids. No names, no streets.
    Pii {
        /// What is looked for; empty means every kind.
        kinds: Vec<PiiKind>,
    },
    /// Signals of prompt injection, added up.
    Injection {
        /// The sum from which on a text is a finding, 0 to 1; [`Spec::INJECTION_THRESHOLD`] is measured in docs/guardrails.md.
        threshold: f64,
    },
    /// Patterns of one's own.
    Regex {
        /// The patterns.
        patterns: Vec<Pattern>,
    },
    /// Words of one's own: whole words, any case.
    Keywords {
        /// The words.
        words: Vec<String>,
    },
    /// The length of a text.
    Size {
        /// The most characters.
        max_chars: usize,
    },
    /// What a text is about, by its words.
    Topic {
        /// At least one of these must be there, if there are any. The text is judged when it is whole.
        allow: Vec<String>,
        /// None of these may be there.
        deny: Vec<String>,
    },
    /// The text must be JSON of this schema. It is judged when it is whole.
    JsonSchema {
        /// The schema, draft 2020-12 unless it says otherwise. References stay inside it.
        schema: Value,
    },
}

impl Spec {
    /// The threshold of [`Spec::Injection`] where none is written.
    pub const INJECTION_THRESHOLD: f64 = 0.5;
}

/// A pattern of one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Its name in findings.
    pub name: String,
    /// The pattern, in the syntax of Rust's `regex`: linear time, no back-references.
    pub regex: String,
}

/// Why a detector cannot be built: what is wrong and what to do, in a sentence or two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError(String);

impl BuildError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BuildError {}

/// The detector for a spec.
///
/// # Errors
/// Patterns that do not compile or match the empty text, schemas that are none or refer elsewhere, empty words, a threshold
/// that is no number between 0 and 1.
pub fn build(spec: &Spec) -> Result<Arc<dyn Detector>, BuildError> {
    Ok(match spec {
        Spec::Secrets => Arc::new(Secrets::new()),
        Spec::Pii { kinds } => Arc::new(Pii::new(kinds)),
        Spec::Injection { threshold } => Arc::new(Injection::new(*threshold)?),
        Spec::Regex { patterns } => Arc::new(Patterned::regex(patterns)?),
        Spec::Keywords { words } => Arc::new(Patterned::keywords(words)?),
        Spec::Size { max_chars } => Arc::new(Size::new(*max_chars)),
        Spec::Topic { allow, deny } => Arc::new(Topic::new(allow, deny)?),
        Spec::JsonSchema { schema } => Arc::new(JsonSchema::new(schema)?),
    })
}

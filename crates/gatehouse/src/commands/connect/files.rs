//! An edit of a file: text in, text out.

use std::path::PathBuf;

use serde_json::Value;

use super::{env_file, json_text, toml_text};

/// A file and what shall stand in it.
#[derive(Debug)]
pub(crate) struct FileEdit {
    /// The file.
    pub(super) path: PathBuf,
    /// The edit.
    pub(super) edit: Edit,
}

/// What shall stand in a file. All else in it stays as it is, comments and layout included.
#[derive(Debug)]
pub(super) enum Edit {
    /// Values by path in a JSON object.
    Json(Vec<(Vec<&'static str>, Value)>),
    /// One entry of a JSON list, recognised by a field.
    JsonEntry {
        /// The field that names entries.
        field: &'static str,
        /// The entry.
        entry: Value,
    },
    /// Strings by path in a TOML document.
    Toml(Vec<(Vec<&'static str>, String)>),
    /// `NAME=value` lines.
    Env(Vec<(&'static str, String)>),
}

impl Edit {
    /// The file's text after the edit.
    pub(super) fn apply(&self, text: &str) -> Result<String, String> {
        match self {
            Self::Json(fields) => {
                fields.iter().try_fold(text.to_owned(), |text, (path, value)| json_text::set(&text, path, value))
            }
            Self::JsonEntry { field, entry } => json_text::set_entry(text, field, entry),
            Self::Toml(fields) => toml_text::set(text, fields),
            Self::Env(variables) => Ok(env_file::set(text, variables)),
        }
    }
}

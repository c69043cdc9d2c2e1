//! The configuration `gatehouse up` uses when there is no file, as a commented file of its own.

/// The text. It shows every default; the tests hold it against the code.
pub const DEFAULT_YAML: &str = include_str!("../gatehouse.default.yaml");

/// Its name in messages.
pub const DEFAULT_NAME: &str = "gatehouse.default.yaml";

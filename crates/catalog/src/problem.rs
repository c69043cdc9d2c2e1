//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;
use std::sync::Arc;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, but probably not with the meaning that was intended.
    Warning,
}

/// A place in a file, both from 1. Columns count characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

/// The object a problem belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belongs {
    /// The kind's name: `providers`.
    pub kind: &'static str,
    /// The object's name.
    pub name: String,
    /// JSON pointer into its body; empty for the object as a whole.
    pub pointer: String,
    /// Does the file declare it? If not, the database does.
    pub of_file: bool,
}

/// One thing that is wrong. Prints as `gatehouse.yaml:12:7: providers.opnai: …`; never holds a value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's name, as it was given.
    pub file: Arc<str>,
    /// Where.
    pub position: Position,
    /// Which key (`providers.openai.kind`, `keys[0].name`); empty for the file as a whole.
    pub path: String,
    /// The object it belongs to, if it belongs to one.
    pub belongs: Option<Belongs>,
    /// What is wrong.
    pub message: String,
    /// What to do next (`did you mean …`).
    pub hint: Option<String>,
    /// How bad it is.
    pub severity: Severity,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position.line {
            // Lines count from 1: what no file holds is in the database.
            0 => f.write_str("database: ")?,
            line => write!(f, "{}:{line}:{}: ", self.file, self.position.column)?,
        }
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// All that is wrong with one file, in the order of its lines. Never empty.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// The hint for a name that is not known: the nearest one if it is near, else the list if it is short.
#[must_use]
pub fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    const LIST_MAX: usize = 16;
    let known: Vec<&str> = known.into_iter().collect();
    let near = known
        .iter()
        .map(|name| (strsim::jaro_winkler(&wrong.to_lowercase(), &name.to_lowercase()), *name))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((_, name)) => Some(format!("did you mean `{name}`?")),
        None if known.is_empty() || known.len() > LIST_MAX => None,
        None => Some(format!("known here: {}", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested() {
        assert_eq!(did_you_mean("opnai", ["anthropic", "openai"]).as_deref(), Some("did you mean `openai`?"));
    }

    #[test]
    fn with_no_near_name_the_known_ones_are_listed() {
        assert_eq!(did_you_mean("zzz", ["a", "b"]).as_deref(), Some("known here: a, b"));
        assert_eq!(did_you_mean("zzz", []), None);
    }

    #[test]
    fn a_problem_prints_like_a_compilers() {
        let problem = Problem {
            file: "gatehouse.yaml".into(),
            position: Position { line: 12, column: 7 },
            path: "providers.x.kind".to_owned(),
            belongs: None,
            message: "unknown".to_owned(),
            hint: Some("did you mean `y`?".to_owned()),
            severity: Severity::Warning,
        };
        assert_eq!(problem.to_string(), "gatehouse.yaml:12:7: warning: providers.x.kind: unknown (did you mean `y`?)");
    }
}

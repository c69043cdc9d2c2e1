//! Collects problems, and knows the line and column of every path of a file.

use std::collections::HashMap;
use std::sync::Arc;

use crate::kinds::{self, Kind};
use crate::problem::{Belongs, Position, Problem, Problems, Severity, did_you_mean};
use crate::yaml::{Node, Value};

/// Where a problem is.
pub(crate) enum Place<'a> {
    /// At a path whose position is looked up.
    Path(&'a str),
    /// At a path, at a position that is known better.
    At(&'a str, Position),
}

/// The line and column of every path of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Positions(HashMap<String, Position>);

impl Positions {
    pub(crate) fn of(root: &Node) -> Self {
        let mut positions = Self::default();
        positions.add(root, String::new(), root.at);
        positions
    }

    /// A scalar stands where its value stands, a list or mapping where its key stands.
    fn add(&mut self, node: &Node, path: String, key_at: Position) {
        match &node.value {
            Value::List(items) => {
                for (n, item) in items.iter().enumerate() {
                    self.add(item, nth(&path, n), item.at);
                }
                self.0.insert(path, key_at);
            }
            Value::Map(entries) => {
                for entry in entries {
                    self.add(&entry.value, join(&path, &entry.key), entry.key_at);
                }
                self.0.insert(path, key_at);
            }
            _ => {
                self.0.insert(path, node.at);
            }
        }
    }

    /// The position of a path or, where it is not written, of the nearest place around it.
    pub(crate) fn get(&self, path: &str) -> Position {
        let mut path = path;
        loop {
            if let Some(at) = self.0.get(path) {
                return *at;
            }
            let Some(cut) = path.rfind(['.', '[']) else { break };
            path = &path[..cut];
        }
        self.0.get("").copied().unwrap_or(Position { line: 1, column: 1 })
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }
}

/// `providers` + `openai` = `providers.openai`.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// `keys` + 2 = `keys[2]`.
pub(crate) fn nth(path: &str, n: usize) -> String {
    format!("{path}[{n}]")
}

/// More problems than anybody reads at once. Beyond them nothing is added, so that checking stays linear.
const PROBLEMS_MAX: usize = 100;

/// The object a path belongs to, and everything below that path.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) path: String,
    pub(crate) kind: &'static Kind,
    pub(crate) name: String,
    pub(crate) of_file: bool,
}

/// The problems found so far.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    file: Arc<str>,
    pub(crate) positions: Positions,
    owners: Vec<Owner>,
    problems: Vec<Problem>,
}

impl Check {
    pub(crate) fn new(file: &str, positions: Positions) -> Self {
        Self { file: file.into(), positions, owners: Vec::new(), problems: Vec::new() }
    }

    /// The tree has grown: its places, and whose they are.
    pub(crate) fn merged(&mut self, positions: Positions, owners: Vec<Owner>) {
        self.positions = positions;
        self.owners = owners;
    }

    pub(crate) fn owners(&self) -> &[Owner] {
        &self.owners
    }

    /// Where an object of the database stands; `None` if the file has one of the name, which is used in its place.
    pub(crate) fn path_of(&self, kind: &Kind, name: &str) -> Option<String> {
        let owner = self.owners.iter().find(|owner| owner.kind.name == kind.name && owner.name == name)?;
        (!owner.of_file).then(|| owner.path.clone())
    }

    /// The object a path belongs to: the one with the longest path that the path begins with.
    fn belongs(&self, path: &str) -> Option<Belongs> {
        let below = |owner: &&Owner| {
            path.strip_prefix(owner.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let owner = self.owners.iter().filter(below).max_by_key(|owner| owner.path.len())?;
        Some(Belongs {
            kind: owner.kind.name,
            name: owner.name.clone(),
            pointer: kinds::pointer(&path[owner.path.len()..]),
            of_file: owner.of_file,
        })
    }

    /// A list whose problems nobody will read.
    pub(crate) fn silent(&self) -> Self {
        Self::new("", Positions::default())
    }

    pub(crate) fn error(&mut self, place: Place<'_>, message: impl Into<String>, hint: Option<String>) {
        let problem = self.problem(place, message.into(), hint, Severity::Error);
        self.add(problem);
    }

    pub(crate) fn error_at(&mut self, path: &str, message: impl Into<String>, hint: Option<String>) {
        self.error(Place::Path(path), message, hint);
    }

    pub(crate) fn warn(&mut self, path: &str, message: impl Into<String>, hint: Option<String>) {
        let problem = self.problem(Place::Path(path), message.into(), hint, Severity::Warning);
        self.add(problem);
    }

    fn add(&mut self, problem: Problem) {
        let room = match problem.severity {
            Severity::Error => PROBLEMS_MAX,
            // Warnings leave room for errors.
            Severity::Warning => PROBLEMS_MAX / 2,
        };
        if self.problems.len() < room {
            self.problems.push(problem);
        }
    }

    /// The hint for a name that is not known, as long as anybody will read it.
    pub(crate) fn near<'n>(&self, wrong: &str, known: impl IntoIterator<Item = &'n str>) -> Option<String> {
        if self.problems.len() < PROBLEMS_MAX { did_you_mean(wrong, known) } else { None }
    }

    pub(crate) fn problem(
        &self,
        place: Place<'_>,
        message: String,
        hint: Option<String>,
        severity: Severity,
    ) -> Problem {
        let (path, position) = match place {
            Place::Path(path) => (path, self.positions.get(path)),
            Place::At(path, position) => (path, position),
        };
        let belongs = self.belongs(path);
        Problem { file: Arc::clone(&self.file), position, path: path.to_owned(), belongs, message, hint, severity }
    }

    /// The warnings, if there are no errors.
    ///
    /// # Errors
    /// Everything that was found, when any of it is an error.
    pub(crate) fn finish(&mut self) -> Result<Vec<Problem>, Problems> {
        let mut problems = std::mem::take(&mut self.problems);
        for problem in problems.iter_mut().filter(|problem| problem.belongs.is_none()) {
            problem.belongs = self.belongs(&problem.path);
        }
        problems.sort_by_key(|problem| (problem.position, problem.severity));
        problems.dedup();
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(Problems(problems));
        }
        Ok(problems)
    }
}

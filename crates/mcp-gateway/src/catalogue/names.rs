//! The names clients see. A tool gets its name once and keeps it: the book of names is stored, and nothing is ever parsed out
//! of a name. Bare where it is unique or there is but one server, else `<server>__<tool>`; at most 60 characters of
//! `[A-Za-z0-9_-]`, because that is what every model's API takes, even after a client has put its own prefix in front.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use super::finding::{Finding, Kind, Severity};

/// The longest exposed name.
pub const NAME_CHARS: usize = 60;

/// Names of one server from which on those that are not in use are forgotten.
const NAMES: usize = 20_000;

/// Whose name it is: kind, server, real name.
pub type Named = (Kind, Arc<str>, Arc<str>);

/// Names that were given.
#[derive(Clone, Debug, Default)]
pub struct NameBook(BTreeMap<Named, Arc<str>>);

impl NameBook {
    /// A name as it was stored. The first of two that are the same stays; the other will be given anew.
    pub fn insert(&mut self, named: Named, exposed: Arc<str>) {
        let taken = self.0.iter().any(|(other, name)| other.0 == named.0 && *name == exposed && *other != named);
        if !taken {
            self.0.entry(named).or_insert(exposed);
        }
    }

    /// The name somebody was given.
    #[must_use]
    pub fn name(&self, kind: Kind, server: &Arc<str>, real: &Arc<str>) -> Option<&Arc<str>> {
        self.0.get(&(kind, Arc::clone(server), Arc::clone(real)))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Named, &Arc<str>)> {
        self.0.iter()
    }

    /// Forgets the names of servers that are no longer configured.
    pub fn keep(&mut self, servers: &BTreeSet<Arc<str>>) {
        self.0.retain(|(_, server, _), _| servers.contains(server));
    }

    /// Makes room: of a server with too many names, those it does not list now are forgotten.
    fn forget(&mut self, wanted: &BTreeSet<Named>) {
        let mut counts: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        for (_, server, _) in self.0.keys() {
            *counts.entry(Arc::clone(server)).or_default() += 1;
        }
        counts.retain(|_, count| *count > NAMES);
        if !counts.is_empty() {
            self.0.retain(|named, _| !counts.contains_key(&named.1) || wanted.contains(named));
        }
    }

    /// Gives names to those that have none yet, in an order that does not depend on who came first. Says which are new.
    pub fn give(&mut self, wanted: &BTreeSet<Named>, several: bool, findings: &mut Vec<Finding>) -> Vec<Named> {
        self.forget(wanted);
        let mut taken: BTreeMap<(Kind, Arc<str>), Named> =
            self.0.iter().map(|(named, name)| ((named.0, Arc::clone(name)), named.clone())).collect();
        let mut owners: BTreeMap<(Kind, Arc<str>), BTreeSet<Arc<str>>> = BTreeMap::new();
        for (kind, server, real) in wanted.iter().chain(self.0.keys()) {
            owners.entry((*kind, Arc::clone(real))).or_default().insert(Arc::clone(server));
        }
        let mut new = Vec::new();
        for named in wanted {
            if self.0.contains_key(named) {
                continue;
            }
            let (kind, server, real) = named;
            let unique = owners.get(&(*kind, Arc::clone(real))).is_none_or(|owners| owners.len() == 1);
            let bare = (!several || unique).then(|| fitting(real, named));
            let choices = [bare, Some(fitting(&format!("{server}__{real}"), named)), Some(hashed(real, named))];
            let mut choices = choices.into_iter().flatten();
            let free = choices.find_map(|choice| {
                let choice: Arc<str> = Arc::from(choice);
                match taken.get(&(*kind, Arc::clone(&choice))) {
                    None => Some(choice),
                    Some(other) => {
                        findings.push(collision(named, other, &choice));
                        None
                    }
                }
            });
            if let Some(name) = free {
                taken.insert((*kind, Arc::clone(&name)), named.clone());
                self.0.insert(named.clone(), name);
                new.push(named.clone());
            }
        }
        new
    }
}

fn collision(named: &Named, other: &Named, choice: &str) -> Finding {
    Finding {
        severity: Severity::Medium,
        code: "name_collision",
        server: Arc::clone(&named.1),
        kind: named.0,
        item: Arc::clone(&named.2),
        message: format!(
            "The name {choice} is that of {}.{} already, so this one has a longer name. Calls to {choice} go on to where they \
             went; give one of the two an alias in a toolset.",
            other.1, other.2
        ),
    }
}

/// The name itself if every model's API takes it; else with other characters replaced, or its tail behind a hash.
fn fitting(name: &str, named: &Named) -> String {
    let clean: String = name.chars().map(|each| if is_plain(each) { each } else { '_' }).collect();
    if clean.len() <= NAME_CHARS { clean } else { hashed(&clean, named) }
}

/// A hash of whose name it is and the tail of the name: the tail is what tells tools apart.
fn hashed(name: &str, named: &Named) -> String {
    let clean: String = name.chars().map(|each| if is_plain(each) { each } else { '_' }).collect();
    let hash = digest(&SHA256, format!("{}\0{}\0{}", named.0, named.1, named.2).as_bytes());
    let hash: String = hash.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let tail = clean.len().saturating_sub(NAME_CHARS - hash.len() - 2);
    format!("x{hash}_{}", clean.get(tail..).unwrap_or_default())
}

fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(server: &str, real: &str) -> Named {
        (Kind::Tool, server.into(), real.into())
    }

    fn given(book: &mut NameBook, several: bool, wanted: &[(&str, &str)]) -> Vec<String> {
        let set = wanted.iter().map(|(server, real)| tool(server, real)).collect();
        book.give(&set, several, &mut Vec::new());
        wanted.iter().map(|(server, real)| book.0[&tool(server, real)].to_string()).collect()
    }

    #[test]
    fn unique_names_are_bare_and_shared_ones_carry_their_server() {
        let names = given(&mut NameBook::default(), true, &[("a", "search"), ("b", "search"), ("b", "now")]);
        assert_eq!(names, ["a__search", "b__search", "now"]);
    }

    #[test]
    fn a_name_once_given_stays_when_a_second_server_brings_the_same() {
        let mut book = NameBook::default();
        assert_eq!(given(&mut book, true, &[("b", "search")]), ["search"]);
        assert_eq!(given(&mut book, true, &[("a", "search"), ("b", "search")]), ["a__search", "search"]);
    }

    #[test]
    fn a_long_name_keeps_its_tail() {
        let long = format!("{}_delete_everything", "x".repeat(80));
        let names = given(&mut NameBook::default(), true, &[("s", &long)]);
        assert!(names[0].len() == NAME_CHARS && names[0].ends_with("_delete_everything"), "{names:?}");
    }

    #[test]
    fn names_have_only_characters_that_every_model_takes() {
        let names = given(&mut NameBook::default(), false, &[("s", "files.read/ü"), ("s", "files_read__")]);
        assert_eq!(names[0], "files_read__");
        assert!(names[1] == "s__files_read__" && names.iter().all(|name| name.chars().all(is_plain)), "{names:?}");
    }

    #[test]
    fn a_collision_is_reported_and_the_older_name_keeps_its_place() {
        let (mut book, mut findings) = (NameBook::default(), Vec::new());
        book.insert(tool("b", "a__x"), "a__x".into());
        let wanted = [tool("a", "x"), tool("c", "x")].into();
        book.give(&wanted, true, &mut findings);
        assert_eq!(&*book.0[&tool("b", "a__x")], "a__x");
        assert!(book.0[&tool("a", "x")].starts_with('x') && findings[0].code == "name_collision");
    }

    #[test]
    fn of_two_stored_names_that_are_the_same_the_first_stays() {
        let mut book = NameBook::default();
        book.insert(tool("a", "x"), "x".into());
        book.insert(tool("b", "x"), "x".into());
        assert_eq!(given(&mut book, true, &[("a", "x"), ("b", "x")]), ["x", "b__x"]);
    }
}

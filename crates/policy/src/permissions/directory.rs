//! What is known of the things policies talk about: where each stands and what is true of it.

use std::collections::{BTreeMap, HashMap};

use super::words::{Kind, Named};

/// Something a caller may ask for, with what policies may know of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thing {
    /// What it is in: a model's providers, a tool's server and toolsets.
    pub parents: Vec<Named>,
    /// Its attributes besides `name`.
    pub facts: BTreeMap<&'static str, Fact>,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A text.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// A set of texts.
    Texts(Vec<String>),
}

/// Things by kind and name. A name that ends in `*` stands for every name that starts so.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    exact: HashMap<Named, Thing>,
    /// Longest first.
    families: Vec<(Named, Thing)>,
}

impl Directory {
    /// Adds a thing; what was known of that name is forgotten.
    pub fn insert(&mut self, named: Named, thing: Thing) {
        match named.name.strip_suffix('*') {
            Some(start) => {
                self.families.push((Named::new(named.kind, start), thing));
                self.families.sort_by_key(|(named, _)| std::cmp::Reverse(named.name.len()));
            }
            None => _ = self.exact.insert(named, thing),
        }
    }

    /// What is known of a thing; nothing but its name if it is not in here.
    #[must_use]
    pub fn find(&self, named: &Named) -> Option<&Thing> {
        self.exact.get(named).or_else(|| {
            let family =
                |(start, _): &&(Named, Thing)| start.kind == named.kind && named.name.starts_with(&*start.name);
            self.families.iter().find(family).map(|(_, thing)| thing)
        })
    }

    /// The names of one kind that are known, families with their `*`.
    #[must_use]
    pub fn names(&self, kind: Kind) -> Vec<String> {
        let exact = self.exact.keys().filter(|named| named.kind == kind).map(|named| named.name.to_string());
        let families = self.families.iter().filter(|(named, _)| named.kind == kind);
        exact.chain(families.map(|(named, _)| format!("{}*", named.name))).collect()
    }
}

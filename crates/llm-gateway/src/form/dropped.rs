//! What a translation could not carry.

/// Most names kept: they are told in a header, and a hostile request could bring any number.
const NAMES_MAX: usize = 64;

/// Names of fields that did not cross, in the caller's words (`logit_bias`, `tools[web_search]`), without duplicates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped(Vec<String>);

impl Dropped {
    /// Notes a field, once; the 65th and later ones are not kept.
    pub fn note(&mut self, field: impl Into<String>) {
        let field = field.into();
        if self.0.len() < NAMES_MAX && !self.0.contains(&field) {
            self.0.push(field);
        }
    }

    /// Notes a field if it was set.
    pub fn note_if(&mut self, set: bool, field: &str) {
        if set {
            self.note(field);
        }
    }

    /// The names, in the order in which they were met.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Nothing was lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

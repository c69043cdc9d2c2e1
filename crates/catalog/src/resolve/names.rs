//! Names of the items of a list: unique, and plain enough for a header and a path.

use std::collections::HashMap;

use crate::check::{Check, nth};

/// Names ride in headers.
const CHARS_MAX: usize = 64;

/// The names taken so far in one section.
pub(super) struct PlainNames {
    section: &'static str,
    taken: HashMap<String, usize>,
}

impl PlainNames {
    /// Nobody has a name yet.
    pub(super) fn of(section: &'static str) -> Self {
        Self { section, taken: HashMap::new() }
    }

    /// The item `n` has this name: reports what is wrong with it.
    pub(super) fn take(&mut self, n: usize, name: &str, check: &mut Check) {
        let path = format!("{}.name", nth(self.section, n));
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.len() > CHARS_MAX || !name.chars().all(plain) {
            let message = format!("not a name of 1 to {CHARS_MAX} letters, digits and `._-`");
            check.error_at(&path, message, Some("it rides in a header: no spaces, no commas".to_owned()));
        }
        if let Some(first) = self.taken.insert(name.to_owned(), n) {
            let message = format!("{} has the name `{name}` already", nth(self.section, first));
            check.error_at(&path, message, Some("names are unique".to_owned()));
        }
    }
}

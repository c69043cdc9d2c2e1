//! The secrets that `${secret:NAME}` may name: stored sealed by the gateway, opened by whoever loads a configuration.

use std::collections::BTreeMap;

use gatehouse_domain::Secret;

/// The longest name.
const NAME_BYTES_MAX: usize = 128;

/// Where a load finds them.
#[derive(Clone, Copy, Debug)]
pub enum Secrets<'a> {
    /// Nobody can look yet: where they are kept is known when the file is read. Any name is taken to be there, a text of no
    /// meaning stands in for it, and [`Loaded::stands_in`](crate::Loaded::stands_in) says so.
    NotOpen,
    /// Here.
    Open(&'a OpenSecrets),
}

/// Secrets by organisation and name: nobody refers to those of another organisation.
#[derive(Clone, Debug, Default)]
pub struct OpenSecrets(BTreeMap<String, BTreeMap<String, Result<Secret, String>>>);

impl OpenSecrets {
    /// Adds one, or replaces it; for one that does not open, why. Nobody needs to know unless it is referred to.
    pub fn insert(&mut self, organisation: &str, name: String, secret: Result<Secret, String>) {
        self.0.entry(organisation.to_owned()).or_default().insert(name, secret);
    }

    /// Takes one out.
    pub fn remove(&mut self, organisation: &str, name: &str) {
        if let Some(secrets) = self.0.get_mut(organisation) {
            secrets.remove(name);
        }
    }

    pub(crate) fn get(&self, organisation: &str, name: &str) -> Option<&Result<Secret, String>> {
        self.0.get(organisation)?.get(name)
    }

    pub(crate) fn names(&self, organisation: &str) -> impl Iterator<Item = &str> {
        self.0.get(organisation).into_iter().flat_map(|secrets| secrets.keys().map(String::as_str))
    }
}

/// Can a secret of this name be referred to?
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain)
}

//! Who logged in, or for whom a token was taken: what sessions, grants and access tokens carry of a person or key.

use serde::{Deserialize, Serialize};

/// Somebody, as known where they proved who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Subject {
    /// The subject: the name the issuer knows, or the id of the key.
    pub name: String,
    /// The issuer that knows it; `None`: this gateway.
    pub issuer: Option<String>,
    /// The key they logged in with. They are as good as it, and no better.
    pub key: Option<String>,
    /// Teams, as the issuer names them.
    pub groups: Vec<String>,
    /// The organisation, as the issuer names it.
    pub organisation: Option<String>,
    /// Who acts for them, the one that acts now first (RFC 8693 §4.1).
    pub act: Vec<String>,
}

impl Subject {
    /// The holder of a key.
    #[must_use]
    pub fn of_key(id: &str) -> Self {
        Self { name: id.to_owned(), key: Some(id.to_owned()), ..Self::default() }
    }

    /// A person this gateway itself vouches for.
    #[must_use]
    pub fn own(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Whose consent and grants are whose: the same for one person or key at every login, and for no other. Who acts for them does
    /// not matter.
    #[must_use]
    pub fn id(&self) -> String {
        match (&self.key, &self.issuer) {
            (Some(key), _) => format!("key:{key}"),
            (None, Some(issuer)) => format!("{issuer}#{}", self.name),
            (None, None) => format!("own:{}", self.name),
        }
    }

    /// The same, with one more who acts for them.
    #[must_use]
    pub fn through(mut self, actor: &str) -> Self {
        if self.act.first().is_none_or(|first| first != actor) {
            self.act.insert(0, actor.to_owned());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_a_person_and_a_person_of_another_issuer_are_three() {
        let elsewhere = Subject { issuer: Some("https://a.example".to_owned()), ..Subject::own("ann") };
        let ids = [Subject::of_key("ann").id(), Subject::own("ann").id(), elsewhere.id()];
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
        assert_eq!(elsewhere.clone().through("bot").id(), elsewhere.id());
    }
}

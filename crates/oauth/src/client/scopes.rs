//! Sets of scopes, in the order they were first named (RFC 6749 §3.3), and which to ask for.

use std::fmt;
use std::sync::Arc;

/// Scopes in one set.
const COUNT_MAX: usize = 100;
/// Bytes of one scope.
const BYTES_MAX: usize = 256;
/// What says that a refresh token is wanted (OpenID Connect Core §11).
const OFFLINE: &str = "offline_access";

/// A set of scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Arc<str>>);

impl Scopes {
    /// Reads scopes between spaces; what cannot be one is left out.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self::of(text.split(' '))
    }

    /// The set of these texts, without those that cannot be scopes.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut set = Self::default();
        for text in texts {
            set.add(text);
        }
        set
    }

    /// Adds one, if it can be a scope and is not there yet.
    pub fn add(&mut self, scope: &str) {
        let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        let fits = (1..=BYTES_MAX).contains(&scope.len()) && scope.bytes().all(allowed);
        if fits && self.0.len() < COUNT_MAX && !self.has(scope) {
            self.0.push(scope.into());
        }
    }

    /// These and the others.
    #[must_use]
    pub fn union(mut self, others: &Self) -> Self {
        others.iter().for_each(|scope| self.add(scope));
        self
    }

    /// Is it one of them?
    #[must_use]
    pub fn has(&self, scope: &str) -> bool {
        self.iter().any(|known| known == scope)
    }

    /// Are all of the others among them?
    #[must_use]
    pub fn cover(&self, others: &Self) -> bool {
        others.iter().all(|scope| self.has(scope))
    }

    /// Are there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|scope| &**scope)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

/// What to ask for: what is challenged, else what the server lists; besides it what the configuration adds and what was asked
/// for before, so that a step up loses nothing; and `offline_access` where the issuer knows it, for a refresh token. `None`:
/// leave the parameter out.
#[must_use]
pub fn scopes_to_ask(
    challenged: Option<&Scopes>,
    listed: Option<&Scopes>,
    configured: &Scopes,
    before: &Scopes,
    known_to_issuer: &Scopes,
) -> Option<Scopes> {
    let mut scopes = before.clone();
    scopes = scopes.union(challenged.or(listed).unwrap_or(&Scopes::default())).union(configured);
    // Alone it would make a request for some scopes out of one for the usual ones.
    if known_to_issuer.has(OFFLINE) && !scopes.is_empty() {
        scopes.add(OFFLINE);
    }
    (!scopes.is_empty()).then_some(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(challenged: Option<&str>, listed: Option<&str>, before: &str, issuer: &str) -> Option<String> {
        let read = |text: Option<&str>| text.map(Scopes::read);
        let (challenged, listed) = (read(challenged), read(listed));
        let known = Scopes::read(issuer);
        let none = Scopes::default();
        scopes_to_ask(challenged.as_ref(), listed.as_ref(), &none, &Scopes::read(before), &known).map(|s| s.to_string())
    }

    #[test]
    fn the_challenge_counts_before_the_list() {
        assert_eq!(ask(Some("a"), Some("a b c"), "", ""), Some("a".into()));
        assert_eq!(ask(None, Some("a b"), "", ""), Some("a b".into()));
        assert_eq!(ask(None, None, "", ""), None);
    }

    #[test]
    fn a_step_up_keeps_what_was_asked_for_before() {
        assert_eq!(ask(Some("write"), Some("profile"), "read", ""), Some("read write".into()));
    }

    #[test]
    fn a_refresh_token_is_asked_for_only_where_the_issuer_knows_how() {
        assert_eq!(ask(Some("a"), None, "", "a offline_access"), Some("a offline_access".into()));
        assert_eq!(ask(Some("a"), None, "", "a"), Some("a".into()));
        assert_eq!(ask(None, None, "", "offline_access"), None);
    }

    #[test]
    fn what_cannot_be_a_scope_is_left_out_and_sets_are_bounded() {
        assert_eq!(Scopes::read("a  a \"b\" c\u{7f} d\\ ü e").to_string(), "a e");
        let many: String = (0..1000).map(|n| format!("s{n} ")).collect();
        assert_eq!(Scopes::read(&many).iter().count(), COUNT_MAX);
    }
}

//! What a key may use, and whether it still counts.

use std::net::IpAddr;

use gatehouse_domain::{Code, Fault, IpRange, Now};

/// Names a key may use: lists of exact ones and prefixes (`gpt-*`), every one of which must have the name. No list means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns(Vec<List>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct List {
    exact: Vec<Box<str>>,
    prefixes: Vec<Box<str>>,
}

impl Patterns {
    /// Reads a list as written in the configuration. A `*` means something at the end of a name only.
    pub fn new(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self::default().narrowed(names)
    }

    /// Only what is on this list, too. An empty list narrows nothing.
    #[must_use]
    pub fn narrowed(mut self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut list = List::default();
        for name in names {
            let name = name.as_ref();
            match name.strip_suffix('*') {
                Some(prefix) => list.prefixes.push(prefix.into()),
                None => list.exact.push(name.into()),
            }
        }
        list.exact.sort_unstable();
        if list != List::default() {
            self.0.push(list);
        }
        self
    }

    /// Is the name on every list?
    #[must_use]
    pub fn match_name(&self, name: &str) -> bool {
        self.0.iter().all(|list| list.has(name))
    }
}

impl List {
    fn has(&self, name: &str) -> bool {
        self.exact.binary_search_by(|known| (**known).cmp(name)).is_ok()
            || self.prefixes.iter().any(|prefix| name.starts_with(&**prefix))
    }
}

/// What one key may do.
#[derive(Clone, Debug, Default)]
pub struct Permit {
    /// Models it may use.
    pub models: Patterns,
    /// Addresses it may be used from; none means any.
    pub ip_ranges: Vec<IpRange>,
    /// Unix milliseconds from which on it is no longer good.
    pub expires_unix_ms: Option<u64>,
    /// Unix milliseconds from which on it is taken back.
    pub revoked_unix_ms: Option<u64>,
}

/// Proof that a permit was asked about a model and said yes. Only [`Permit::model`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Permitted<'a> {
    model: &'a str,
}

impl<'a> Permitted<'a> {
    /// The model the proof is about.
    #[must_use]
    pub fn model(self) -> &'a str {
        self.model
    }
}

impl Permit {
    /// Does the key still count?
    ///
    /// # Errors
    /// `RevokedKey` once it was taken back, `ExpiredKey` past its date.
    pub fn standing(&self, now: Now) -> Result<(), Fault> {
        let now = now.unix_ms();
        if self.revoked_unix_ms.is_some_and(|moment| moment <= now) {
            let message = "This key was revoked. Ask whoever runs the gateway for a new one.";
            return Err(Fault::new(Code::RevokedKey, message));
        }
        if self.expires_unix_ms.is_some_and(|moment| moment <= now) {
            let message = "This key has expired. Ask whoever runs the gateway for a new one, or to extend it.";
            return Err(Fault::new(Code::ExpiredKey, message));
        }
        Ok(())
    }

    /// May the key be used from this address?
    ///
    /// # Errors
    /// `NotAllowed` if not.
    pub fn address(&self, address: IpAddr) -> Result<(), Fault> {
        if self.ip_ranges.is_empty() || self.ip_ranges.iter().any(|range| range.contains(address)) {
            return Ok(());
        }
        let message = format!(
            "This key may not be used from the address {address}. Ask whoever runs the gateway to add it to the key's ip_ranges."
        );
        Err(Fault::new(Code::NotAllowed, message))
    }

    /// May the key use this model?
    ///
    /// # Errors
    /// `NotAllowed` if not.
    pub fn model<'a>(&self, model: &'a str) -> Result<Permitted<'a>, Fault> {
        if self.models.match_name(model) {
            return Ok(Permitted { model });
        }
        let message = "This key may not use this model. GET /v1/models lists those it may use; ask whoever runs the \
                       gateway to add this one.";
        Err(Fault::new(Code::NotAllowed, message).at("model"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn permit(models: &[&str]) -> Permit {
        Permit { models: Patterns::new(models), ..Permit::default() }
    }

    fn at(unix_ms: u64) -> Now {
        Now(SystemTime::UNIX_EPOCH + Duration::from_millis(unix_ms))
    }

    #[test]
    fn an_empty_list_permits_every_model() {
        assert_eq!(permit(&[]).model("anything").unwrap().model(), "anything");
    }

    #[test]
    fn a_name_on_the_list_is_permitted_and_its_neighbours_are_not() {
        let permit = permit(&["fast", "backup"]);
        assert!(permit.model("fast").is_ok() && permit.model("backup").is_ok());
        assert_eq!(permit.model("faster").unwrap_err().code, Code::NotAllowed);
        assert_eq!(permit.model("").unwrap_err().status, 403);
    }

    #[test]
    fn a_star_at_the_end_permits_a_family() {
        let permit = permit(&["gpt-5*"]);
        assert!(permit.model("gpt-5").is_ok() && permit.model("gpt-5-mini").is_ok());
        assert!(permit.model("gpt-4").is_err());
    }

    #[test]
    fn a_star_anywhere_else_is_only_a_character() {
        assert!(permit(&["a*b"]).model("axb").is_err());
    }

    #[test]
    fn a_name_must_be_on_the_lists_of_everybody_the_key_belongs_to() {
        let models = Patterns::new(["gpt-*", "fast"]).narrowed(["gpt-5"]).narrowed(Vec::<&str>::new());
        assert!(models.match_name("gpt-5"));
        assert!(!models.match_name("gpt-4") && !models.match_name("fast"));
    }

    #[test]
    fn a_key_is_used_from_its_addresses_only() {
        let permit = Permit { ip_ranges: vec!["10.0.0.0/8".parse().unwrap()], ..Permit::default() };
        assert!(permit.address("10.1.2.3".parse().unwrap()).is_ok());
        let refused = permit.address("203.0.113.9".parse().unwrap()).unwrap_err();
        assert_eq!(refused.code, Code::NotAllowed);
        assert!(refused.message.contains("203.0.113.9"), "{}", refused.message);
        assert!(Permit::default().address("203.0.113.9".parse().unwrap()).is_ok());
    }

    #[test]
    fn a_key_counts_until_the_moment_it_expires() {
        let permit = Permit { expires_unix_ms: Some(1000), ..Permit::default() };
        assert!(permit.standing(at(999)).is_ok());
        assert_eq!(permit.standing(at(1000)).unwrap_err().code, Code::ExpiredKey);
    }

    #[test]
    fn a_revoked_key_says_so_even_when_it_has_expired_too() {
        let permit = Permit { expires_unix_ms: Some(10), revoked_unix_ms: Some(5), ..Permit::default() };
        assert_eq!(permit.standing(at(20)).unwrap_err().code, Code::RevokedKey);
    }
}

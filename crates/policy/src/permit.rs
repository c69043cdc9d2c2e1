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
        let list = List::of(names);
        if list != List::default() {
            self.0.push(list);
        }
        self
    }

    /// Is nothing written, so that everything is taken?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Is the name on every list?
    #[must_use]
    pub fn match_name(&self, name: &str) -> bool {
        self.0.iter().all(|list| list.has(name))
    }
}

impl List {
    fn of(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut list = Self::default();
        for name in names {
            let name = name.as_ref();
            match name.strip_suffix('*') {
                Some(prefix) => list.prefixes.push(prefix.into()),
                None => list.exact.push(name.into()),
            }
        }
        list.exact.sort_unstable();
        list
    }

    fn has(&self, name: &str) -> bool {
        self.exact.binary_search_by(|known| (**known).cmp(name)).is_ok()
            || self.prefixes.iter().any(|prefix| name.starts_with(&**prefix))
    }
}

/// Tools a key may use: by their server, or by a toolset they are in. Of several pairs of lists every one must have the tool;
/// a pair of empty lists has all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolLists(Vec<(List, List)>);

impl ToolLists {
    /// Only what these lists have, too. Two empty ones narrow nothing.
    #[must_use]
    pub fn narrowed(
        mut self,
        servers: impl IntoIterator<Item = impl AsRef<str>>,
        toolsets: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Self {
        let lists = (List::of(servers), List::of(toolsets));
        if lists != Default::default() {
            self.0.push(lists);
        }
        self
    }

    /// Are there no lists, so that every tool may be used?
    #[must_use]
    pub fn permit_all(&self) -> bool {
        self.0.is_empty()
    }

    /// May a tool be used that is of this server and in these toolsets? Likewise a prompt or resource.
    #[must_use]
    pub fn permit<'t>(&self, server: &str, toolsets: impl Iterator<Item = &'t str> + Clone) -> bool {
        let listed = |of: &List| toolsets.clone().any(|toolset| of.has(toolset));
        self.0.iter().all(|(servers, of)| servers.has(server) || listed(of))
    }

    /// May this toolset be entered? Who has a list of servers alone may enter each, and finds its own servers' tools there.
    #[must_use]
    pub fn permit_toolset(&self, toolset: &str) -> bool {
        self.0.iter().all(|(_, toolsets)| *toolsets == List::default() || toolsets.has(toolset))
    }
}

/// What one key may do.
#[derive(Clone, Debug, Default)]
pub struct Permit {
    /// Models it may use.
    pub models: Patterns,
    /// Tools it may use.
    pub tools: ToolLists,
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

    /// May the key use this tool, prompt or resource of a server, which is in these toolsets?
    ///
    /// # Errors
    /// `NotAllowed` if not.
    pub fn of_server<'t>(&self, server: &str, toolsets: impl Iterator<Item = &'t str> + Clone) -> Result<(), Fault> {
        if self.tools.permit(server, toolsets) {
            return Ok(());
        }
        let message = "This key may not use this. The lists (tools/list and the others) show what it may use; ask whoever runs \
                       the gateway to add the server or a toolset.";
        Err(Fault::new(Code::NotAllowed, message).at("name"))
    }

    /// May the key enter this toolset?
    ///
    /// # Errors
    /// `NotAllowed` if not.
    pub fn toolset(&self, toolset: &str) -> Result<(), Fault> {
        if self.tools.permit_toolset(toolset) {
            return Ok(());
        }
        let message =
            "This key may not use this toolset. Ask whoever runs the gateway to add it to the key's `toolsets`.";
        Err(Fault::new(Code::NotAllowed, message))
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
    fn a_tool_is_permitted_by_its_server_or_by_a_toolset_it_is_in() {
        let tools = ToolLists::default().narrowed(["time"], ["support"]);
        let (none, support) = ([].into_iter(), ["support"].into_iter());
        assert!(tools.permit("time", none.clone()) && tools.permit("github", support.clone()));
        assert!(!tools.permit("github", none.clone()) && !tools.permit("github", ["other"].into_iter()));
        assert!(ToolLists::default().permit("github", none.clone()));
        let only_a_toolset = ToolLists::default().narrowed(Vec::<&str>::new(), ["support"]);
        assert!(only_a_toolset.permit("github", support) && !only_a_toolset.permit("time", none));
    }

    #[test]
    fn a_tool_must_be_permitted_by_everybody_the_key_belongs_to() {
        let tools =
            ToolLists::default().narrowed(["time", "github"], Vec::<&str>::new()).narrowed(["time"], ["support"]);
        assert!(tools.permit("time", [].into_iter()));
        assert!(tools.permit("github", ["support"].into_iter()) && !tools.permit("slack", ["support"].into_iter()));
    }

    #[test]
    fn a_toolset_is_entered_by_those_who_have_it_and_by_those_who_have_servers_alone() {
        let lists = |servers: &[&str], toolsets: &[&str]| ToolLists::default().narrowed(servers, toolsets);
        assert!(lists(&[], &["support"]).permit_toolset("support") && !lists(&[], &["support"]).permit_toolset("ops"));
        assert!(lists(&["time"], &[]).permit_toolset("ops") && ToolLists::default().permit_toolset("ops"));
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

//! How an endpoint presents itself: the union of what its servers can do, as far as the gateway carries it, and their
//! instructions one after the other.

use std::sync::Arc;

use bytes::Bytes;

use super::entry::raw_text;
use super::finding::Kind;
use super::json;
use super::offer::{Offer, Route};
use super::{Catalogue, ServerView};
use crate::bridge::tasks;
use crate::wire::Raw;

/// The longest instructions of one server among several, in bytes.
const EACH: usize = 4 << 10;
/// The longest instructions of an endpoint.
const TOTAL: usize = 32 << 10;

/// Extensions the gateway knows how to carry; of others it says nothing.
const CARRIED: [&str; 3] = ["io.modelcontextprotocol/ui", "io.modelcontextprotocol/skills", tasks::EXTENSION];

impl Catalogue {
    /// The `capabilities` of an endpoint, in the words of the caller's era, over the servers the caller may use.
    #[must_use]
    pub fn capabilities(&self, route: &Route, modern: bool, allowed: &dyn Fn(&str) -> bool) -> Raw {
        let Some(offer) = self.offer(route) else { return Raw::trusted(Bytes::from_static(b"{}")) };
        let views: Vec<&ServerView> = self.views_of(offer, allowed).collect();
        let has = |name: &str| views.iter().any(|view| view.declares(&[name]));
        // Of a server that has not answered yet nobody knows; its lists may come, and a client that was told there are none
        // would never ask.
        let lists = |name: &str| has(name) || views.iter().any(|view| view.fetched.is_none());
        let mut members: Vec<(&str, String)> = Vec::new();
        let searches = offer.search().is_some();
        if searches || lists("tools") {
            members.push(("tools", r#"{"listChanged":true}"#.to_owned()));
        }
        if offer.resources_offered {
            if lists("prompts") {
                members.push(("prompts", r#"{"listChanged":true}"#.to_owned()));
            }
            if lists("resources") {
                let subscribe = views.iter().any(|view| view.subscribes());
                members.push(("resources", format!(r#"{{"subscribe":{subscribe},"listChanged":true}}"#)));
            }
            if has("completions") {
                members.push(("completions", "{}".to_owned()));
            }
        }
        if has("logging") {
            members.push(("logging", "{}".to_owned()));
        }
        if modern {
            let extensions = extensions(&views);
            if !extensions.is_empty() {
                members.push(("extensions", format!("{{{}}}", extensions.join(","))));
            }
        } else if let Some(tasks) =
            views.iter().filter(|view| !view.modern()).find_map(|view| view.capability(&["tasks"]))
        {
            members.push(("tasks", tasks.to_owned()));
        }
        let members: Vec<String> = members.into_iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
        Raw::trusted(Bytes::from(format!("{{{}}}", members.join(","))))
    }

    /// The instructions of an endpoint: those of one server as they are, those of several under their names.
    #[must_use]
    pub fn instructions(&self, route: &Route, allowed: &dyn Fn(&str) -> bool) -> Option<Arc<str>> {
        let offer = self.offer(route)?;
        let mut said = self
            .views_of(offer, allowed)
            .filter_map(|view| view.instructions.as_ref().map(|text| (&view.standing.server, text)));
        if matches!(route, Route::Server(_)) || offer.servers.len() == 1 {
            return said.next().map(|(_, text)| Arc::from(cut(text, TOTAL)));
        }
        let mut out = String::new();
        for (server, text) in said {
            let part = format!("# {server}\n{}\n\n", cut(text, EACH).trim_end());
            if out.len() + part.len() > TOTAL {
                break;
            }
            out.push_str(&part);
        }
        let out = out.trim_end();
        (!out.is_empty()).then(|| Arc::from(out))
    }

    fn views_of<'a>(
        &'a self,
        offer: &'a Offer,
        allowed: &'a dyn Fn(&str) -> bool,
    ) -> impl Iterator<Item = &'a ServerView> {
        offer.servers().filter(move |server| allowed(server)).filter_map(|server| self.servers.get(server))
    }
}

impl ServerView {
    fn capability(&self, path: &[&str]) -> Option<&str> {
        json::reach(raw_text(&self.fetched.as_ref()?.capabilities), path)
    }
    fn declares(&self, path: &[&str]) -> bool {
        self.capability(path).is_some_and(|value| value.starts_with('{'))
    }
    fn modern(&self) -> bool {
        self.fetched.as_ref().is_some_and(|fetched| fetched.modern)
    }
    fn makes_tasks(&self) -> bool {
        self.fetched.as_ref().is_some_and(|fetched| fetched.makes_tasks())
    }
    fn subscribes(&self) -> bool {
        self.capability(&["resources", "subscribe"]) == Some("true")
    }
}

/// The first server that declares an extension says with which settings. Tasks of the older era are offered as the extension.
fn extensions(views: &[&ServerView]) -> Vec<String> {
    let declared = |name: &&str| {
        let found = views.iter().find_map(|view| view.capability(&["extensions", name]));
        let bridged = || (*name == tasks::EXTENSION && views.iter().any(|view| view.makes_tasks())).then_some("{}");
        Some(format!("{}:{}", json::quoted(name), found.or_else(bridged)?))
    };
    CARRIED.iter().filter_map(declared).collect()
}

/// The beginning of a text, cut between characters.
fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

impl ServerView {
    /// How many items of a kind are offered.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        super::offer::index_of(kind).and_then(|index| self.counts.get(index)).copied().unwrap_or(0)
    }
}

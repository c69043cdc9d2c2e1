//! Resource URIs of several servers under one endpoint: each carries its server where a URI can be read back from, and what
//! the server wrote stands in it unchanged, so that templates stay templates and hosts still know `ui://` and `skill://`.
//!
//! | the server's | the client's |
//! |---|---|
//! | `ui://card/view.html` | `ui://server/card/view.html` |
//! | `skill://a/b/SKILL.md` | `skill://server/a/b/SKILL.md` |
//! | anything else, `u` | `mcp://server/u` |
//!
//! An endpoint that leads to one server only leaves every URI alone.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::json::{self, Cuts};
use crate::wire::Raw;

/// Schemes that stay in front, because clients look for them.
const KEPT: [&str; 2] = ["ui://", "skill://"];
/// What carries all others.
const CARRIER: &str = "mcp://";
/// URIs of the gateway itself (results it keeps): never another server's, never wrapped.
pub const OWN: &str = "gatehouse://";

/// How the URIs of one endpoint are written.
#[derive(Clone, Debug, Default)]
pub struct Uris {
    servers: BTreeSet<Arc<str>>,
}

impl Uris {
    /// For an endpoint that leads to these servers.
    #[must_use]
    pub fn new(servers: impl IntoIterator<Item = Arc<str>>) -> Self {
        Self { servers: servers.into_iter().collect() }
    }

    /// Do clients see other URIs than the servers?
    #[must_use]
    pub fn wraps(&self) -> bool {
        self.servers.len() > 1
    }

    /// A server's URI, or URI template, as clients see it.
    #[must_use]
    pub fn expose<'a>(&self, server: &str, uri: &'a str) -> Cow<'a, str> {
        if !self.wraps() || uri.starts_with(OWN) {
            return Cow::Borrowed(uri);
        }
        for scheme in KEPT {
            if let Some(rest) = uri.strip_prefix(scheme) {
                return Cow::Owned(format!("{scheme}{server}/{rest}"));
            }
        }
        Cow::Owned(format!("{CARRIER}{server}/{uri}"))
    }

    /// A URI as clients see it, back to its server and what that server calls it. `None` where it carries no server of this
    /// endpoint.
    #[must_use]
    pub fn resolve<'a>(&self, uri: &'a str) -> Option<(Arc<str>, Cow<'a, str>)> {
        if uri.starts_with(OWN) {
            return None;
        }
        if !self.wraps() {
            return self.servers.first().map(|only| (Arc::clone(only), Cow::Borrowed(uri)));
        }
        let carried = |scheme: &str| {
            let (server, rest) = uri.strip_prefix(scheme)?.split_once('/')?;
            self.servers.get(server).map(|server| (Arc::clone(server), rest))
        };
        let kept = KEPT
            .iter()
            .find_map(|scheme| carried(scheme).map(|(server, rest)| (server, Cow::Owned(format!("{scheme}{rest}")))));
        kept.or_else(|| carried(CARRIER).map(|(server, rest)| (server, Cow::Borrowed(rest))))
    }

    /// A result, or the params of a notification, of one server with its URIs as clients see them: of `contents`, resource
    /// links, embedded resources, `uri` itself and `_meta.ui.resourceUri`. The same bytes where there is nothing to change.
    #[must_use]
    pub fn rewrite(&self, server: &str, raw: &Raw) -> Raw {
        if !self.wraps() {
            return raw.clone();
        }
        let Ok(text) = std::str::from_utf8(raw.bytes()) else { return raw.clone() };
        if !text.contains("uri") && !text.contains("Uri") && !text.contains('\\') {
            return raw.clone();
        }
        let mut cuts = Cuts::of(text);
        self.rewrite_outer(server, text, &mut cuts);
        if cuts.is_empty() { raw.clone() } else { Raw::trusted(cuts.apply()) }
    }

    fn rewrite_outer(&self, server: &str, text: &str, cuts: &mut Cuts<'_>) {
        for (name, value) in json::members(text).unwrap_or_default() {
            match &*name {
                "uri" => self.uri(server, value, cuts),
                "contents" => {
                    for content in json::elements(value).unwrap_or_default() {
                        self.holder(server, content, cuts);
                    }
                }
                "content" => self.blocks(server, value, cuts),
                "messages" => {
                    for message in json::elements(value).unwrap_or_default() {
                        if let Some(content) = json::member(message, "content") {
                            self.blocks(server, content, cuts);
                        }
                    }
                }
                "_meta" => self.meta(server, value, cuts),
                _ => {}
            }
        }
    }

    /// Content blocks: one, or a list of them.
    fn blocks(&self, server: &str, value: &str, cuts: &mut Cuts<'_>) {
        for block in json::elements(value).unwrap_or_else(|| vec![value]) {
            match json::member(block, "type").and_then(json::text).as_deref() {
                Some("resource_link") => self.holder(server, block, cuts),
                Some("resource") => {
                    if let Some(resource) = json::member(block, "resource") {
                        self.holder(server, resource, cuts);
                    }
                }
                // The results of tools within a conversation.
                Some("tool_result") => {
                    if let Some(content) = json::member(block, "content") {
                        self.blocks(server, content, cuts);
                    }
                }
                _ => {}
            }
        }
    }

    /// An object with a `uri`, and perhaps a `_meta`.
    pub(crate) fn holder(&self, server: &str, object: &str, cuts: &mut Cuts<'_>) {
        for (name, value) in json::members(object).unwrap_or_default() {
            match &*name {
                "uri" | "uriTemplate" => self.uri(server, value, cuts),
                "_meta" => self.meta(server, value, cuts),
                _ => {}
            }
        }
    }

    /// The resource an app's tool is shown in (`_meta.ui.resourceUri`, formerly `_meta["ui/resourceUri"]`).
    pub(crate) fn meta(&self, server: &str, meta: &str, cuts: &mut Cuts<'_>) {
        for at in
            [json::reach(meta, &["ui", "resourceUri"]), json::member(meta, "ui/resourceUri")].into_iter().flatten()
        {
            self.uri(server, at, cuts);
        }
    }

    fn uri(&self, server: &str, value: &str, cuts: &mut Cuts<'_>) {
        let Some(uri) = json::text(value) else { return };
        if let Cow::Owned(exposed) = self.expose(server, &uri) {
            cuts.replace(value, json::quoted(&exposed));
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn two() -> Uris {
        Uris::new(["fs".into(), "web".into()])
    }

    fn rewritten(text: &'static str) -> String {
        let raw = two().rewrite("fs", &Raw::trusted(Bytes::from_static(text.as_bytes())));
        String::from_utf8(raw.bytes().to_vec()).unwrap()
    }

    #[test]
    fn what_is_exposed_is_read_back() {
        for uri in ["file:///a/../b?x#y", "ui://card/v.html", "skill://a/b/SKILL.md", "mcp://web/x", "a:%2f..%0d", "x"]
        {
            let uris = two();
            let exposed = uris.expose("fs", uri);
            assert_eq!(uris.resolve(&exposed), Some(("fs".into(), Cow::from(uri))), "{exposed}");
        }
    }

    #[test]
    fn shapes_that_hosts_look_for_stay() {
        assert_eq!(two().expose("fs", "ui://card/v.html"), "ui://fs/card/v.html");
        assert_eq!(two().expose("fs", "skill://a/b/SKILL.md"), "skill://fs/a/b/SKILL.md");
        assert_eq!(two().expose("fs", "test://t/{id}/data"), "mcp://fs/test://t/{id}/data");
    }

    #[test]
    fn one_server_keeps_its_uris() {
        let one = Uris::new(["fs".into()]);
        assert_eq!(one.expose("fs", "a:b"), "a:b");
        assert_eq!(one.resolve("a:b"), Some(("fs".into(), "a:b".into())));
    }

    #[test]
    fn a_server_that_is_not_offered_is_not_reached() {
        assert_eq!(two().resolve("mcp://secret/file:///x"), None);
        assert_eq!(two().resolve("gatehouse://results/1"), None);
    }

    #[test]
    fn results_carry_the_uris_clients_know() {
        assert_eq!(
            rewritten(
                r#"{"content":[{"type":"resource_link","uri":"a:1","name":"uri"},{"type":"resource","resource":{"uri":"a:2","text":"uri a:2"}},{"type":"text","text":"a:1"}],"structuredContent":{"uri":"a:1"}}"#
            ),
            r#"{"content":[{"type":"resource_link","uri":"mcp://fs/a:1","name":"uri"},{"type":"resource","resource":{"uri":"mcp://fs/a:2","text":"uri a:2"}},{"type":"text","text":"a:1"}],"structuredContent":{"uri":"a:1"}}"#
        );
        assert_eq!(rewritten(r#"{"contents":[{"uri":"a:1"}]}"#), r#"{"contents":[{"uri":"mcp://fs/a:1"}]}"#);
        assert_eq!(rewritten(r#"{"uri":"a:1"}"#), r#"{"uri":"mcp://fs/a:1"}"#);
    }

    #[test]
    fn messages_of_prompts_and_apps_are_rewritten_too() {
        assert_eq!(
            rewritten(r#"{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"a:1"}}}]}"#),
            r#"{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"mcp://fs/a:1"}}}]}"#
        );
        assert_eq!(
            rewritten(r#"{"content":[],"_meta":{"ui":{"resourceUri":"ui://v"}}}"#),
            r#"{"content":[],"_meta":{"ui":{"resourceUri":"ui://fs/v"}}}"#
        );
    }

    #[test]
    fn an_escaped_name_is_the_same_name() {
        assert_eq!(rewritten(r#"{"contents":[{"\u0075ri":"a:1"}]}"#), r#"{"contents":[{"\u0075ri":"mcp://fs/a:1"}]}"#);
    }
}

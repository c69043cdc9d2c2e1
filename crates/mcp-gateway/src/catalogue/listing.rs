//! One page of a list as text: the items are ready, so a list is their texts in a row.

use std::sync::Arc;

use bytes::Bytes;

use super::entry::{Entry, raw_text};
use super::finding::Kind;
use super::json;
use crate::wire::Raw;

/// Items of a page, where nothing else is asked for.
pub const PAGE_ITEMS: usize = 500;
/// Bytes of a page after which a new one begins.
pub const PAGE_BYTES: usize = 4 << 20;

/// Which page.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The exposed name of the last item of the page before; `None` for the first page. Comes out of [`Listing::next`], sealed on
    /// its way through the client.
    pub after: Option<&'a str>,
    /// At most so many items.
    pub items: usize,
    /// Does everybody see the same list here? Where policies or keys may leave something out, no page of it is public.
    pub same_for_all: bool,
}

impl Default for Page<'_> {
    fn default() -> Self {
        Self { after: None, items: PAGE_ITEMS, same_for_all: false }
    }
}

/// One page.
#[derive(Clone, Debug)]
pub struct Listing {
    kind: Kind,
    items: Bytes,
    /// How many items it has.
    pub count: usize,
    /// Tokens its items take in a model's context, about.
    pub weight: u32,
    /// The exposed name the next page comes after; `None` if this is the last.
    pub next: Option<Arc<str>>,
    /// For how long it may be kept: the least that any server of the endpoint says.
    pub ttl_ms: u64,
    /// May it be shown to others than who asked? Only if all see the same here and every server says so.
    pub public: bool,
}

impl Listing {
    pub(crate) fn of(
        kind: Kind,
        entries: &[Arc<Entry>],
        allowed: &dyn Fn(&Entry) -> bool,
        page: &Page<'_>,
        (ttl_ms, public): (u64, bool),
    ) -> Self {
        let mut items = Vec::with_capacity(entries.iter().map(|entry| entry.json.bytes().len() + 1).sum::<usize>() + 2);
        let (mut count, mut weight, mut last, mut next) = (0, 0_u32, None, None);
        items.push(b'[');
        for entry in entries {
            if !allowed(entry) {
                continue;
            }
            if count > 0 && (count >= page.items || items.len() + entry.json.bytes().len() > PAGE_BYTES) {
                next = last;
                break;
            }
            if count > 0 {
                items.push(b',');
            }
            items.extend_from_slice(entry.json.bytes());
            count += 1;
            weight = weight.saturating_add(entry.weight);
            last = Some(Arc::clone(&entry.exposed));
        }
        items.push(b']');
        Self { kind, items: Bytes::from(items), count, weight, next, ttl_ms, public: public && page.same_for_all }
    }

    /// A list that is not a server's (`find_tools`, `call_tool`).
    pub(crate) fn fixed(kind: Kind, items: &[Raw]) -> Self {
        let texts: Vec<&str> = items.iter().map(raw_text).collect();
        let text = format!("[{}]", texts.join(","));
        let weight = crate::weight::tokens(&text);
        Self { kind, items: Bytes::from(text), count: items.len(), weight, next: None, ttl_ms: 0, public: false }
    }

    /// The array of items alone.
    #[must_use]
    pub fn items(&self) -> &Bytes {
        &self.items
    }

    /// The `result` of the request. `cursor` is [`Listing::next`], sealed. Modern clients get `resultType`, `ttlMs` and `cacheScope`.
    #[must_use]
    pub fn result(&self, modern: bool, cursor: Option<&str>) -> Raw {
        let mut out = Vec::with_capacity(self.items.len() + 160);
        out.push(b'{');
        if modern {
            let scope = if self.public { "public" } else { "private" };
            let caching = format!(r#""resultType":"complete","ttlMs":{},"cacheScope":"{scope}","#, self.ttl_ms);
            out.extend_from_slice(caching.as_bytes());
        }
        out.extend_from_slice(format!(r#""{}":"#, list_member(self.kind)).as_bytes());
        out.extend_from_slice(&self.items);
        if let Some(cursor) = cursor {
            out.extend_from_slice(format!(r#","nextCursor":{}"#, json::quoted(cursor)).as_bytes());
        }
        out.push(b'}');
        Raw::trusted(Bytes::from(out))
    }
}

/// The member of a result that has the list.
pub(crate) const fn list_member(kind: Kind) -> &'static str {
    match kind {
        Kind::Tool => "tools",
        Kind::Prompt => "prompts",
        Kind::Resource => "resources",
        Kind::Template => "resourceTemplates",
        Kind::Instructions => "instructions",
    }
}

//! One page of a list as text: the items are ready, so a list is their texts in a row.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::entry::Entry;
use super::finding::Kind;
use super::json;
use crate::era::Revision;
use crate::era::meta::key::SERVER_INFO;
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
    /// The revision of who asks; tools of servers of another are put into its words. `None`: as they are.
    pub to: Option<Revision>,
    /// At most so many items.
    pub items: usize,
    /// Does everybody see the same list here? Where policies or keys may leave something out, no page of it is public.
    pub same_for_all: bool,
}

impl Default for Page<'_> {
    fn default() -> Self {
        Self { after: None, to: None, items: PAGE_ITEMS, same_for_all: false }
    }
}

/// One page.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The result as far as it is the same for everybody: `{"tools":[…]`.
    text: Vec<u8>,
    /// Where in it the array begins.
    array: usize,
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
        let room: usize = entries.iter().map(|entry| entry.json.bytes().len() + 1).sum();
        let mut text = Vec::with_capacity(room.min(PAGE_BYTES) + ENDS);
        let array = begin(&mut text, kind);
        let (mut count, mut weight, mut last, mut next) = (0, 0_u32, None, None);
        text.push(b'[');
        for entry in entries {
            if !allowed(entry) {
                continue;
            }
            let json = page.to.map_or(Cow::Borrowed(&entry.json), |to| entry.json_for(to));
            if count > 0 && (count >= page.items || text.len() + json.bytes().len() > PAGE_BYTES) {
                next = last;
                break;
            }
            if count > 0 {
                text.push(b',');
            }
            text.extend_from_slice(json.bytes());
            count += 1;
            weight = weight.saturating_add(entry.weight);
            last = Some(Arc::clone(&entry.exposed));
        }
        text.push(b']');
        Self { text, array, count, weight, next, ttl_ms, public: public && page.same_for_all }
    }

    /// A list that is not a server's (`find_tools`, `call_tool`).
    pub(crate) fn fixed(kind: Kind, items: &[Raw]) -> Self {
        let list = Raw::array(items);
        let mut text = Vec::with_capacity(list.bytes().len() + ENDS);
        let array = begin(&mut text, kind);
        text.extend_from_slice(list.bytes());
        let weight = crate::weight::tokens(list.as_json());
        Self { text, array, count: items.len(), weight, next: None, ttl_ms: 0, public: false }
    }

    /// The array of items alone.
    #[must_use]
    pub fn items(&self) -> &[u8] {
        self.text.get(self.array..).unwrap_or_default()
    }

    /// The `result` of the request. `cursor` is [`Listing::next`], sealed. Modern clients are told who answers, too: `modern` is our
    /// `serverInfo`, which they get with `resultType`, `ttlMs` and `cacheScope`.
    #[must_use]
    pub fn result(self, modern: Option<&Raw>, cursor: Option<&str>) -> Raw {
        let mut text = self.text;
        if let Some(cursor) = cursor {
            text.extend_from_slice(format!(r#","nextCursor":{}"#, json::quoted(cursor)).as_bytes());
        }
        if let Some(server_info) = modern {
            let scope = if self.public { "public" } else { "private" };
            let caching = format!(r#","resultType":"complete","ttlMs":{},"cacheScope":"{scope}""#, self.ttl_ms);
            text.extend_from_slice(caching.as_bytes());
            text.extend_from_slice(format!(r#","_meta":{{"{SERVER_INFO}":{}}}"#, server_info.as_json()).as_bytes());
        }
        text.push(b'}');
        Raw::trusted(Bytes::from(text))
    }
}

/// Room for what stands around the array, a sealed cursor included.
const ENDS: usize = 1024;

/// `{"tools":`; says where the array begins.
fn begin(text: &mut Vec<u8>, kind: Kind) -> usize {
    text.extend_from_slice(format!(r#"{{"{}":"#, list_member(kind)).as_bytes());
    text.len()
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

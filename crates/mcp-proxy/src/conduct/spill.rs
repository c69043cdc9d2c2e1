//! Results too large to send. A result that would fill a model's context is kept here for a while, and its client gets the
//! beginning of it and a link: a resource of ours that is read page by page.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatehouse_domain::KeyId;
use gatehouse_mcp_gateway::bridge::answers::{Dress, dressed};
use gatehouse_mcp_gateway::era::Method;
use gatehouse_mcp_gateway::gateway::Refusal;
use gatehouse_mcp_gateway::wire::code;
use gatehouse_mcp_gateway::{Raw, RpcError};

use super::desk::random_name;
use super::errand::{Cargo, boxed};
use super::local::dress;
use super::talk::Context;
use super::voice::Outcome;

/// What the URIs of kept results begin with.
pub(super) const URIS: &str = "gatehouse://results/";
/// How long a result is kept, and how much of all of them.
const KEPT_FOR: Duration = Duration::from_secs(3600);
const KEPT_BYTES_MAX: usize = 256 << 20;
/// The beginning that goes to the client at once, and the most of one page.
const BEGINNING_BYTES: usize = 2 << 10;
const PAGE_BYTES: usize = 256 << 10;

/// Every result that is kept.
#[derive(Default)]
pub(super) struct Spilled(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    results: HashMap<Arc<str>, One>,
    order: VecDeque<Arc<str>>,
    bytes: usize,
}

struct One {
    principal: KeyId,
    since: Instant,
    text: Bytes,
}

impl Spilled {
    /// The result itself, or what stands in its place.
    pub(super) fn keep_if_large(&self, context: &Context, cargo: &Cargo, result: Raw) -> Outcome {
        let size = result.bytes().len();
        if size <= cargo.server.caps.result_bytes || cargo.method != Method::ToolsCall {
            return Ok(result);
        }
        let name = random_name().map_err(boxed)?;
        let content = whole_text(&result);
        let beginning = beginning(&content);
        let said = format!(
            "The result of this call has {size} bytes, more than are sent at once. It begins:\n\n{beginning}\n\n\
             All of it can be read for an hour as the resource {URIS}{name}, page by page."
        );
        self.keep(
            name.clone(),
            One {
                principal: Arc::clone(&context.caller.principal.key),
                since: Instant::now(),
                text: content.clone().into(),
            },
        );
        let text = Raw::object([("type", Raw::text("text")), ("text", Raw::text(&said))]);
        let link = Raw::object([
            ("type", Raw::text("resource_link")),
            ("uri", Raw::text(&format!("{URIS}{name}"))),
            ("name", Raw::text(&format!("result of {}", cargo.exposed))),
            ("mimeType", Raw::text("text/plain")),
            ("size", Raw::trusted(content.len().to_string().into())),
        ]);
        let has_links = context.speaker.revision.has_resource_links();
        let blocks = if has_links { vec![text, link] } else { vec![text] };
        // What its schema promises, it cannot hold: clients check that of every result but an error.
        let promised = cargo.entry.as_ref().and_then(|entry| entry.tool.as_ref()?.output_schema.as_ref()).is_some();
        let failed = result.get(&["isError"]).and_then(|failed| failed.as_bool()).unwrap_or(false);
        let is_error = Raw::of(&(failed || promised).into());
        let short = Raw::object([("content", Raw::array(&blocks)), ("isError", is_error)]);
        Ok(dressed(context.speaker.revision, cargo.method, &short, &dress(context)))
    }

    fn keep(&self, name: Arc<str>, one: One) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += one.text.len();
        kept.results.insert(Arc::clone(&name), one);
        kept.order.push_back(name);
        loop {
            let oldest = kept.order.front().and_then(|name| kept.results.get(name));
            let stale = oldest.is_some_and(|one| one.since.elapsed() > KEPT_FOR);
            if !stale && (kept.bytes <= KEPT_BYTES_MAX || kept.order.len() <= 1) {
                return;
            }
            let Some(gone) = kept.order.pop_front().and_then(|name| kept.results.remove(&name)) else { return };
            kept.bytes -= gone.text.len();
        }
    }

    /// A page of a kept result: `gatehouse://results/{name}`, `…?from={byte}` for the pages behind the first.
    pub(super) fn read(&self, context: &Context, uri: &str) -> Outcome {
        let (name, from) = address(uri);
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = kept
            .results
            .get(name)
            .filter(|one| one.principal == context.caller.principal.key && one.since.elapsed() <= KEPT_FOR);
        let text = one.map(|one| one.text.clone());
        drop(kept);
        let Some(text) = text else {
            let number = if context.is_modern() { code::INVALID_PARAMS } else { code::RESOURCE_NOT_FOUND };
            let message = "Resource not found: results are kept for an hour, for who called. Call the tool again.";
            return Err(Box::new(Refusal::rpc(200, RpcError::new(number, message))));
        };
        let text = std::str::from_utf8(&text).unwrap_or_default();
        let start = floor_char(text, from);
        let end = floor_char(text, start.saturating_add(PAGE_BYTES)).max(start);
        let mut content = vec![
            ("uri", Raw::text(uri)),
            ("mimeType", Raw::text("text/plain")),
            ("text", Raw::text(text.get(start..end).unwrap_or_default())),
        ];
        if end < text.len() {
            let next = Raw::object([("gatehouse/next", Raw::text(&format!("{URIS}{name}?from={end}")))]);
            content.push(("_meta", next));
        }
        let result = Raw::object([("contents", Raw::array(&[Raw::object(content)]))]);
        let dress = Dress { ttl_ms: 60_000, ..dress(context) };
        Ok(dressed(context.speaker.revision, Method::ResourcesRead, &result, &dress))
    }
}

/// What a person would call the result: its structure, or else its texts.
fn whole_text(result: &Raw) -> String {
    if let Some(structure) = result.get(&["structuredContent"]) {
        return structure.as_json().to_owned();
    }
    let blocks = result.get(&["content"]).map(|content| content.elements()).unwrap_or_default();
    let texts: Option<Vec<String>> = blocks.iter().map(|block| block.text_at(&["text"])).collect();
    texts.map_or_else(|| result.as_json().to_owned(), |texts| texts.join("\n"))
}

fn address(uri: &str) -> (&str, usize) {
    let rest = uri.strip_prefix(URIS).unwrap_or_default();
    match rest.split_once("?from=") {
        Some((name, from)) => (name, from.parse().unwrap_or(0)),
        None => (rest, 0),
    }
}

fn beginning(text: &str) -> &str {
    text.get(..floor_char(text, BEGINNING_BYTES)).unwrap_or_default()
}

/// The last place at or before this one where a character begins.
fn floor_char(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (at.saturating_sub(3)..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_which_result_and_from_where() {
        assert_eq!(address("gatehouse://results/abc"), ("abc", 0));
        assert_eq!(address("gatehouse://results/abc?from=12"), ("abc", 12));
        assert_eq!(address("gatehouse://results/abc?from=x"), ("abc", 0));
    }

    #[test]
    fn pages_are_cut_between_characters() {
        assert_eq!(floor_char("aäb", 2), 1);
        assert_eq!(floor_char("aäb", 3), 3);
        assert_eq!(floor_char("aäb", 99), 4);
    }

    #[test]
    fn the_text_of_a_result_is_its_structure_or_its_texts() {
        let raw = |text: &'static str| Raw::trusted(Bytes::from_static(text.as_bytes()));
        let both = raw(r#"{"content":[{"type":"text","text":"{}"}],"structuredContent":{"a":1}}"#);
        assert_eq!(whole_text(&both), r#"{"a":1}"#);
        assert_eq!(whole_text(&raw(r#"{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#)), "a\nb");
        let image = raw(r#"{"content":[{"type":"image","data":""}]}"#);
        assert_eq!(whole_text(&image), image.as_json());
    }
}

//! Cache breakpoints, where only so many are taken.

use serde::Serialize;

use crate::form::{Ask, Block, CacheMark, Content, Tool};

/// Deals out marks in the order tools, system, messages. The last ones win: they cover the longest prefixes.
#[derive(Debug)]
pub(in crate::dialects) struct Marks {
    skip: usize,
}

impl Marks {
    /// For a request with this many marks where `max` are taken.
    pub(in crate::dialects) fn new(count: usize, max: usize) -> Self {
        Self { skip: count.saturating_sub(max) }
    }

    /// For a whole request where `max` are taken.
    pub(in crate::dialects) fn of(ask: &Ask, max: usize) -> Self {
        let tools = ask.tools.iter().filter(|tool| matches!(tool, Tool::Function { cache: Some(_), .. })).count();
        let blocks = ask.system.iter().chain(ask.turns.iter().flat_map(|turn| &turn.blocks));
        Self::new(tools + blocks.filter(|block| mark_of(block).is_some()).count(), max)
    }

    /// Whether some will be left out.
    pub(in crate::dialects) fn are_short(&self) -> bool {
        self.skip > 0
    }

    /// The mark, if it may be written.
    pub(in crate::dialects) fn take(&mut self, mark: Option<CacheMark>) -> Option<CacheMark> {
        let mark = mark?;
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        Some(mark)
    }
}

/// The mark of a block: its own, or for a tool result one inside it, where none may be written.
pub(in crate::dialects) fn mark_of(block: &Block) -> Option<CacheMark> {
    match &block.content {
        Content::Reasoning(_) | Content::Native { .. } => None,
        Content::ToolResult(result) => block.cache.or_else(|| result.blocks.iter().rev().find_map(|inner| inner.cache)),
        _ => block.cache,
    }
}

/// `cache_control`, as Anthropic writes it and those who serve Claude models in other dialects take it.
#[derive(Clone, Copy, Serialize)]
pub(in crate::dialects) struct CacheOut {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
}

impl From<CacheMark> for CacheOut {
    fn from(mark: CacheMark) -> Self {
        Self { kind: "ephemeral", ttl: (mark == CacheMark::OneHour).then_some("1h") }
    }
}

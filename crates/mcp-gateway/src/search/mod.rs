//! Few tools in context: a toolset with `search: true` lists two tools, `find_tools` and `call_tool`, and what a model would
//! otherwise read at the start of every conversation it looks up when it needs it. The search is local and needs no model: words
//! by BM25 ([`index`]), spelling by trigrams. Only tools the caller may use are ever ranked.

mod index;
mod tools;
mod words;

pub use index::{Hit, Index};
pub use tools::{CALL, FIND, call_arguments, definitions, find_arguments, find_result};

#[cfg(test)]
mod evaluation;

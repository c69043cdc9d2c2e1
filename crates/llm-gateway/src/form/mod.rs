//! The superset form: what any of the six dialects can say, in one set of types with disjoint usage counters.
//!
//! A dialect reads its bytes into the form and writes its bytes out of it; nothing is ever translated by way of another
//! dialect. What a dialect cannot say is named in [`Dropped`], never lost silently. JSON that belongs to the user (tool
//! schemas, tool arguments) stays raw text, so key order and numbers survive.

mod answer;
mod ask;
mod carry;
mod dropped;
mod embed;
mod event;
mod fold;

pub use answer::{Answer, Choice, Stop, TokenLogprob};
pub use ask::{
    Ask, Block, CacheMark, Citation, Content, Effort, Format, Issuer, Media, MediaKind, RawJson, Reasoning,
    ReasoningAsk, Role, Signature, Source, Thinking, Tool, ToolCall, ToolChoice, ToolResult, Turn,
};
pub use carry::{pack_call_id, unpack_call_id};
pub use dropped::Dropped;
pub use embed::{EmbedAnswer, EmbedAsk, EmbedInput, EmbedTask, Encoding, Vector};
pub use event::{Delta, Event, Open};
pub use fold::Fold;

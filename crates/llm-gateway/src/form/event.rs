//! What a model answers, as it comes.
//!
//! The order every decoder keeps and every encoder may rely on, for each choice: `Start` once for the whole stream;
//! then blocks, one after the other and never interleaved within a choice: `Open`, any number of `Delta`, `Close`; then
//! `Stop` once per choice; `Usage` any number of times, cumulative, the last one counts; `End` once, last. A decoder
//! that meets interleaved tool calls (Chat allows it) closes a block only when it is certain that nothing more follows
//! for it, and may buffer to keep the order.

use gatehouse_domain::{Fault, Usage};

use super::{Citation, RawJson, Signature, Stop, TokenLogprob};

/// One event of a streamed answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The answer begins.
    Start {
        /// The provider's id.
        id: String,
        /// The model that answers.
        model: String,
        /// Unix seconds; 0 where the dialect has none.
        created: u64,
    },
    /// A block begins.
    Open {
        /// Which alternative.
        choice: u32,
        /// What kind of block.
        block: Open,
    },
    /// More of the open block.
    Delta {
        /// Which alternative.
        choice: u32,
        /// What.
        delta: Delta,
    },
    /// The open block is whole.
    Close {
        /// Which alternative.
        choice: u32,
    },
    /// The alternative is whole.
    Stop {
        /// Which alternative.
        choice: u32,
        /// Why.
        stop: Stop,
        /// The provider's own word.
        native: Option<String>,
        /// The stop sequence that was hit.
        sequence: Option<String>,
    },
    /// What it took so far, cumulative and disjoint.
    Usage(Usage),
    /// A sign of life.
    Ping,
    /// The provider reported an error in mid-stream. Nothing follows.
    Failed(Fault),
    /// The terminal event of the dialect was seen: the answer is whole.
    End,
}

/// The kinds of block that can be opened.
#[derive(Clone, Debug, PartialEq)]
pub enum Open {
    /// Text.
    Text,
    /// A thought.
    Reasoning {
        /// Is it a summary?
        summary: bool,
        /// The item's id in the dialect of origin.
        id: Option<String>,
    },
    /// A tool call. Arguments follow as deltas.
    ToolCall {
        /// Never empty.
        id: String,
        /// Never empty.
        name: String,
        /// Gemini's thought signature of the call.
        signature: Option<Signature>,
    },
    /// A refusal in the model's words; text follows as deltas.
    Refusal,
    /// A block only one dialect knows, whole.
    Native {
        /// The dialect's name.
        dialect: &'static str,
        /// Its type there.
        kind: String,
        /// The block.
        raw: RawJson,
    },
}

/// More of the open block.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// Text of a text, reasoning or refusal block.
    Text(String),
    /// A piece of the arguments' JSON text. Pieces may cut anywhere.
    Arguments(String),
    /// Signature of the reasoning block.
    Signature(Signature),
    /// Encrypted form of the reasoning block.
    Encrypted(Signature),
    /// A source the text cites.
    Citation(Citation),
    /// Log probabilities of tokens of the text block.
    Logprobs(Vec<TokenLogprob>),
}

//! The seam between a gateway, which knows where the texts of a call stand, and guardrails, which know what may not stand
//! in them. Neither knows the other: a gateway shows [`Passage`]s, and is told what shall stand in their place.

use std::borrow::Cow;

use crate::Fault;

/// A place on a call's way where text is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// What a caller sends to a model.
    Request,
    /// What a model answers.
    Response,
    /// What a tool is called with.
    ToolArgs,
    /// What a tool answers.
    ToolResult,
    /// What an agent is sent or answers.
    AgentMessage,
}

impl Point {
    /// Every point, in the order of a call.
    pub const ALL: [Self; 5] = [Self::Request, Self::Response, Self::ToolArgs, Self::ToolResult, Self::AgentMessage];

    /// The word in configuration, records and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
            Self::ToolArgs => "tool_args",
            Self::ToolResult => "tool_result",
            Self::AgentMessage => "agent_message",
        }
    }
}

/// What a text is a part of, and what of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The side of the call: [`Point::Request`] or [`Point::Response`]. A guardrail of the whole side sees every part of it.
    pub side: Point,
    /// Which part of it: the side itself for what people and models say.
    pub point: Point,
    /// The tool that is called, or answers.
    pub tool: Option<&'a str>,
    /// Is it the answer itself, and not a thought, a source or a call?
    pub spoken: bool,
    /// Is it JSON text? What stands in its place must then be JSON, too.
    pub json: bool,
}

/// A whole text and what it is.
#[derive(Clone, Debug)]
pub struct Passage<'a> {
    /// What it is.
    pub place: Place<'a>,
    /// The text, unescaped and decoded.
    pub text: Cow<'a, str>,
}

/// What a body holds, in some case of its letters, wherever a text in it may stand encoded (base64). Every other text stands in
/// it as a JSON string, or is a JSON value of it: who has looked at all of its bytes has looked at those.
pub const ENCODED: [&str; 6] = ["base64", "bytes\"", "file_data\"", "media_type\"", "mimetype\"", "mime_type\""];

/// Looks at a whole text. `Some` is the text that shall stand in its place; an error ends the call.
pub type Look<'a> = dyn FnMut(&Passage<'_>) -> Result<Option<String>, Fault> + 'a;

/// Looks at the texts of one answer on their way to the caller, whole or as they come. A streamed text has a lane of its
/// own, which is opened, fed and closed; lanes are used again.
pub trait Screen: Send {
    /// May it change texts or end the answer? If not, the answer passes as it is and is shown beside.
    fn acts(&self) -> bool;
    /// Is it certain, from a body as it is written, that nothing would be found in any text of it? It has then been looked at, and
    /// its texts need not be shown. See [`ENCODED`].
    fn clears(&mut self, json: &[u8]) -> bool {
        _ = json;
        false
    }
    /// A whole text; see [`Look`].
    ///
    /// # Errors
    /// `GuardrailBlocked` when the answer may not go on.
    fn whole(&mut self, passage: &Passage<'_>) -> Result<Option<String>, Fault>;
    /// A text begins.
    fn open(&mut self, lane: u32, place: Place<'_>);
    /// More of it. `Some` is what may go on instead: less, while something may still become a finding, or what was held.
    ///
    /// # Errors
    /// `GuardrailBlocked` when the answer may not go on.
    fn push(&mut self, lane: u32, text: &str) -> Result<Option<String>, Fault>;
    /// It is whole.
    ///
    /// # Errors
    /// `GuardrailBlocked` when the answer may not go on.
    fn close(&mut self, lane: u32) -> Result<Closed, Fault>;
    /// The answer can no longer be read beside: what comes from here on is not looked at.
    fn lost(&mut self);
}

/// A text that was streamed is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closed {
    /// What was held back of it.
    pub rest: String,
    /// Does what went on differ from what came?
    pub changed: bool,
}

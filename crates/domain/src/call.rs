//! A call on its way in: the door it came through, the request as read off the wire, and what it needs.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::{Now, RequestId};

/// What a caller wants to do: the `action` of policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Have a model answer.
    CallModel,
    /// See which models there are.
    ListModels,
    /// Read or delete something the gateway keeps for the caller (a stored response).
    ReadStored,
    /// Have an MCP server run a tool.
    CallTool,
    /// See which tools there are.
    ListTools,
    /// Read a resource of an MCP server, or be told of its changes.
    ReadResource,
    /// Get a prompt of an MCP server.
    GetPrompt,
}

impl Action {
    /// The name policies, logs and tables use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CallModel => "call_model",
            Self::ListModels => "list_models",
            Self::ReadStored => "read_stored",
            Self::CallTool => "call_tool",
            Self::ListTools => "list_tools",
            Self::ReadResource => "read_resource",
            Self::GetPrompt => "get_prompt",
        }
    }
}

/// Which entrance of a gateway a request came through. Decided by method and path alone, before anything is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// The wire format of the answer, errors included (`openai_chat`, `anthropic`, …). Bounded: it is a metric label.
    pub dialect: &'static str,
    /// What is asked for (`chat`, `embeddings`, `count_tokens`, `models`, …). Bounded: it is a metric label.
    pub operation: &'static str,
    /// The gateway's own number for this entrance.
    pub code: u16,
    /// A name carried in the path (model or object id), percent-decoded.
    pub subject: Option<String>,
}

/// A request, read off the wire whole, with its caller's credential headers already removed.
#[derive(Clone, Debug)]
pub struct Request {
    /// The gateway's id of the call.
    pub id: RequestId,
    /// When its head had been read.
    pub now: Now,
    /// HTTP method.
    pub method: Method,
    /// The entrance.
    pub door: Door,
    /// Query string without `?` and without `key=`.
    pub query: Option<String>,
    /// Headers as the client sent them.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
}

/// What the admit stage must know of a call before it may pass.
#[derive(Clone, Debug)]
pub struct Need {
    /// What is to be done.
    pub action: Action,
    /// To what: the model as the client named it; empty for listings.
    pub resource: Arc<str>,
    /// Does the gateway know what the resource is? Decided before anything is permitted, told only after.
    pub known: bool,
    /// Does the answer come as a stream?
    pub stream: bool,
    /// Estimated input tokens.
    pub input_tokens: u64,
    /// The most output tokens the call can cause, where it says so.
    pub output_cap: Option<u64>,
}

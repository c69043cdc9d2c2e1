//! Headers that repeat parts of the body (2026-07-28, streamable HTTP, request metadata), on requests that come in and on
//! those that go out.

use std::borrow::Cow;
use std::sync::Arc;

use http::HeaderMap;

use crate::wire::Raw;

use super::Refusal;

/// `MCP-Protocol-Version`
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// `Mcp-Method`
pub const METHOD: &str = "mcp-method";
/// `Mcp-Name`
pub const NAME: &str = "mcp-name";
/// `Mcp-Session-Id` (legacy)
pub const SESSION_ID: &str = "mcp-session-id";
/// What the name of a header that mirrors an argument begins with.
pub const PARAM_PREFIX: &str = "mcp-param-";

/// One argument that a tool wants repeated in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The header's name, in lower case: `mcp-param-region`.
    pub header: Arc<str>,
    /// The way to the argument, through `properties` only.
    pub path: Vec<Arc<str>>,
}

/// An `x-mcp-header` annotation that may not be. The tool it belongs to is left out of lists.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("x-mcp-header: {0}")]
pub struct BadMirror(pub String);

/// The arguments that a tool's `inputSchema` wants repeated.
///
/// # Errors
/// When any annotation breaks a rule.
pub fn mirrors(_input_schema: &Raw) -> Result<Vec<Mirror>, BadMirror> {
    todo!()
}

/// Compares the `Mcp-Param-*` headers of a call with its arguments. Integers are compared as numbers.
///
/// # Errors
/// `HeaderMismatch`.
pub fn check_params(_headers: &HeaderMap, _mirrors: &[Mirror], _arguments: Option<&Raw>) -> Result<(), Refusal> {
    todo!()
}

/// The `Mcp-Param-*` headers to send with these arguments, ready for the wire. An argument that is missing or `null` has none.
#[must_use]
pub fn params(_mirrors: &[Mirror], _arguments: Option<&Raw>) -> Vec<(Arc<str>, Arc<str>)> {
    todo!()
}

/// A value as it stands in a header: itself where it is plain, else `=?base64?…?=`.
#[must_use]
pub fn encode(_value: &str) -> Cow<'_, str> {
    todo!()
}

/// What a header's value says. `None` when it is neither plain nor well-formed base64 of UTF-8.
#[must_use]
pub fn decode(_value: &[u8]) -> Option<Cow<'_, str>> {
    todo!()
}

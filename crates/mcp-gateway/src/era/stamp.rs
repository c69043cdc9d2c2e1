//! What goes on a request on its way to a server, by the server's era.

use std::sync::Arc;

use crate::wire::{Raw, Request};

use super::Revision;

/// Who asks: what the server is told of the client. The fields are those of a link's client.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its `capabilities` object, in the words of the server's era.
    pub capabilities: &'a Raw,
    /// Its `clientInfo` object.
    pub info: Option<&'a Raw>,
    /// The log messages it wants.
    pub log_level: Option<&'a str>,
    /// The trace to go on with.
    pub traceparent: Option<&'a str>,
}

/// Puts on a request what its revision wants in `_meta`, and takes off what belongs to the other era only. A progress token
/// and members nobody here knows stay.
#[must_use]
pub fn body(_revision: Revision, _request: Request, _facts: Facts<'_>) -> Request {
    todo!()
}

/// The headers that repeat the body: `mcp-protocol-version`, and for a modern server `mcp-method` and `mcp-name`. Made
/// from the request as it goes out. Names are in lower case.
#[must_use]
pub fn headers(_revision: Revision, _request: &Request) -> Vec<(&'static str, Arc<str>)> {
    todo!()
}

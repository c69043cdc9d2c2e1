//! The wire format: JSON-RPC 2.0 as MCP uses it. A message is read strictly ([`read()`]), its envelope is typed
//! ([`Message`]), and everything inside stays the text it came as ([`Raw`]), which is looked into and spliced, never rebuilt.

mod error;
mod id;
mod index;
mod marks;
mod message;
mod raw;
mod read;
mod scan;
mod strict;
#[cfg(test)]
mod tests;
pub(crate) mod walk;

pub(crate) use error::shown;
pub use error::{Malformed, Unread, code};
pub use id::Id;
pub use message::{Message, Notification, Request, Response, RpcError};
pub use raw::{Kind, Raw};
use read::lookalike;
pub use read::{BATCH_MAX, read, read_batch};
pub use strict::DEPTH_MAX;

use std::borrow::Cow;

/// The string that JSON text with its quotes says. `None` if it is no string.
pub(crate) fn unquote(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(json).ok().map(Cow::Owned)
}

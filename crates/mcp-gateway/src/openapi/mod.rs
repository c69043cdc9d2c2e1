//! HTTP APIs as tools: an OpenAPI document (3.0 or 3.1) becomes tools, a tool call becomes an HTTP request, an HTTP answer
//! becomes a tool result.
//!
//! - `document`: the operations of a document, and why some are left out.
//! - `refs`: what a `$ref` means. Only what is in the document: nothing is ever fetched.
//! - `schema`: schemas of a document as JSON Schema 2020-12 that stands alone.
//! - `names`: names of tools and arguments.
//! - `parameter`: one parameter, and how its value is written (`style`, `explode`).
//! - `path`: the way of an operation, and how values stand in it without leaving their place.
//! - `body`: the body of a request.
//! - `request`: arguments to a request.
//! - `answer`: an answer to a result.

mod answer;
mod body;
mod document;
mod names;
mod parameter;
mod path;
mod refs;
mod request;
mod schema;

#[cfg(test)]
mod tests;

pub use answer::{refusal, result};
pub use document::{Api, ApiFault, Operation, Skipped};
pub use path::Base;
pub use request::{ArgumentFault, HttpRequest};

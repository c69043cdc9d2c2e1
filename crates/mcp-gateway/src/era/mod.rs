//! Revisions of the protocol and the two families they fall into: up to 2025-11-25 a conversation is opened by `initialize`
//! and has a session (legacy); from 2026-07-28 on each request says everything itself (modern).
//!
//! [`revision`] what each can · [`method`] which methods exist where · [`arrive`] of which era a request is, and whether it
//! says what that era wants · [`headers`] headers that mirror the body · [`meta`] what a request says in `_meta` ·
//! [`stamp`] what goes on a request on its way out · [`probe`] of which era a server is.

pub mod arrive;
pub mod headers;
pub mod meta;
pub mod method;
pub mod probe;
mod refusal;
pub mod revision;
pub mod stamp;
#[cfg(test)]
mod tests;

pub use meta::{LogLevel, Speaker};
pub use method::Method;
pub use refusal::Refusal;
pub use revision::{Era, Revision};

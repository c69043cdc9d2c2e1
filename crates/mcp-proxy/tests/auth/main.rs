//! Tokens for MCP servers, held against a scripted authorization server on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at what must not be")]

mod consent;
mod house;
mod issuer;
mod machine;
mod refresh;

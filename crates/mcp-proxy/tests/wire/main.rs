//! Links at the wire: scripted servers on loopback and scripted children, good ones and bad ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that cannot go on stops the test, like the test itself"
)]

mod http_legacy;
mod http_modern;
mod links;
mod people;
mod relay;
mod script;
mod sse;
mod stdio;

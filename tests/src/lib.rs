//! The test harness: everything that stands outside the gateway and talks to it over the wire.
//!
//! A test starts a scripted provider ([`Upstream`]), describes a house around it ([`House`]), starts the built binary ([`Gate`])
//! and calls it like any client ([`Client`]). Nothing of the gateway is linked in here: what these tests see is what a user
//! sees. Read in this order: `wire` (the six dialects as bytes), `reply` (what a provider shall do), `serving` (what every
//! scripted server is), `upstream` (the provider), `house` (configuration), `gate` (the process), `client` (the caller).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness reports a broken expectation by panicking: that is a failed test"
)]

pub mod browser;
mod canary;
mod client;
pub mod examiner;
mod gate;
mod house;
mod http1;
mod login;
pub mod mcp;
mod reply;
mod serving;
mod tls;
mod upstream;
pub mod wire;

pub use canary::Canaries;
pub use client::{Carrier, Client, Raw, Response, Stream};
pub use gate::{Gate, LedgerRow, binary, run_cli};
pub use house::{House, KEY, KEY_OF_ADMIN};
pub use login::{AUDIENCE, ISSUER, Login};
pub use reply::{Reply, gzip_of_spaces};
pub use tls::TlsFront;
pub use upstream::{Received, Upstream};
pub use wire::{Answer, Dialect};

/// How long an expectation may take to come true before the test fails. Nothing waits this long when all is well.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

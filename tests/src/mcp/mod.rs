//! MCP from both ends: a scripted server ([`McpServer`]) that a gateway stands before, and a client ([`Mcp`]) that stands before
//! the gateway. Both speak every era and both can do what an SDK would refuse to do. Read in this order: `offer` (what a
//! server has), `turn` (what it shall do with a request), `server`, `stream`, `client`; `bin/mcp_stdio_script.rs` is the server
//! as a child process.

mod client;
mod offer;
mod person;
mod server;
mod stdio;
mod stream;
mod turn;

pub use client::{Answer, Live, Mcp};
pub use offer::{Era, LEGACY, MODERN, Offer, echo_tool};
pub use person::{Page, Person, encoded};
pub use server::{McpServer, Seen};
pub use stdio::StdioScript;
pub use turn::{Drip, Turn};

/// `_meta` names of the stateless era begin so.
pub const META: &str = "io.modelcontextprotocol/";

//! Tools under the rules of the house: who may use which, how often, for how much, with which texts, and what is on record of it.
//! Before the gateway's own demo server where any server will do, before a scripted one where it must be seen what arrives.

mod configuration;
mod guardrails;
mod limits;
mod permits;
mod policies;
mod records;
mod rounds;
mod sampling;

use gatehouse_tests::mcp::Mcp;
use gatehouse_tests::{Client, Gate, House};
use serde_json::json;

/// The secret of a second key, whose lists and owners a test chooses.
pub(crate) const BOT: &str = "gk_test_bot_51c07fe2a98b4d63905e1f";

/// A house with the demo server.
pub(crate) fn house() -> House {
    House::new().set("/mcp_servers/demo", json!({"builtin": "demo"}))
}

/// A stateless client of everything.
pub(crate) fn tools(client: &Client) -> Mcp {
    Mcp::modern(client, "/mcp")
}

/// The second key's caller.
pub(crate) fn bot(gate: &Gate) -> Client {
    gate.stranger().key(BOT)
}

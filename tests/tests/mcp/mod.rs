//! MCP through the gateway: what a client of either era may rely on before a server of either era, and what an attacker may not.
//!
//! Every attack that broke a gateway in the field is a test here (the rows are those of the project's research on MCP):
//!
//! | row | attack | tests |
//! |---|---|---|
//! | 1, 2 | a command line through an API, a shell, a placeholder | `commands`, `tools::configuration` |
//! | 3, 14, 16, 17, 24 | metadata, redirects, endpoints and addresses that lead elsewhere; a caller's token passed on | `tokens`, `oauth::doors` |
//! | 4 | rebinding | `doors`, `admin::guests` |
//! | 5, 6, 26, 27 | smuggling, header against body, path tricks, loops | `doors` |
//! | 7, 8, 9, 19, 22 | sessions, states and tasks of others | `sessions` |
//! | 10, 11, 12 | poisoned tools, changed tools, shadowed tools | `contents`, `pins` |
//! | 13, 18, 20, 28 | results, schemas, caches, pages | `contents` |
//! | 15, 23 | somebody else's consent | `consent`, `people` |
//! | 21 | a client made more capable than it is | `bridge` |
//! | 25 | servers and callers without end | `exhaustion`, `listens` |
//!
//! The rest is what people rely on: [`bridge`] every feature on every crossing, [`tasks`] calls that become tasks, [`people`]
//! servers in somebody's name, [`search`] few tools in place of all, [`explain`] why one is not there, [`proxy`] one server for
//! any client, [`kill`] a death under load.

mod bridge;
mod commands;
mod consent;
mod contents;
mod doors;
mod exhaustion;
mod explain;
mod itself;
mod kill;
mod listens;
mod people;
mod pins;
mod proxy;
mod search;
mod sessions;
mod tasks;
mod tokens;

use gatehouse_tests::mcp::{Mcp, McpServer};
use gatehouse_tests::{Client, Gate, House};
use serde_json::{Value, json};

/// Where the server `s` alone is found, its names untouched.
pub(crate) const ONE: &str = "/mcp/servers/s";
/// The secret of a second key, `other`, that every house of these tests has.
pub(crate) const OTHER_KEY: &str = "gk_test_other_86e1d05c7b934fa2c8d4";

/// A stateless client of everything.
pub(crate) fn modern(client: &Client) -> Mcp {
    Mcp::modern(client, "/mcp")
}

/// A client with a session for everything, and with these capabilities.
#[track_caller]
pub(crate) fn legacy_with(client: &Client, capabilities: Value) -> Mcp {
    Mcp::legacy_with(client, "/mcp", capabilities)
}

/// A house with these servers; new and changed tools are offered at once.
pub(crate) fn house(servers: &[(&str, &McpServer)]) -> House {
    let house = House::new().key(json!({"name": "other", "secret": OTHER_KEY})).set("/mcp/pins", json!("allow_new"));
    servers
        .iter()
        .fold(house, |house, (name, server)| house.set(&format!("/mcp_servers/{name}"), json!({"url": server.url()})))
}

/// The house at a port that is known beforehand, so that it can say where it is.
pub(crate) fn at_home(house: House) -> House {
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    house.set("/listen", json!(free.to_string())).set("/public_url", json!(format!("http://{free}")))
}

/// A gateway before one server, `s`.
pub(crate) fn before(server: &McpServer) -> Gate {
    house(&[("s", server)]).start()
}

/// The second key's caller.
pub(crate) fn other(gate: &Gate) -> Client {
    gate.stranger().key(OTHER_KEY)
}

/// A stateless client of the server `s` alone.
pub(crate) fn modern_one(gate: &Gate) -> Mcp {
    Mcp::modern(&gate.client(), ONE)
}

/// A client with a session for the server `s` alone.
#[track_caller]
pub(crate) fn legacy_one(gate: &Gate) -> Mcp {
    Mcp::legacy(&gate.client(), ONE)
}

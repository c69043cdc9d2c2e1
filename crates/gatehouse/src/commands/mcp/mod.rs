//! `gatehouse mcp`: one MCP server made reachable for any client, and the endpoint of a gateway looked at and used by hand.

mod call;
mod client;
mod list;
mod proxy;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Format;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Make one MCP server reachable: over HTTP, or over standard input and output, for clients of every revision.
    Proxy(proxy::Arguments),
    /// List what an MCP endpoint of a gateway offers.
    List(list::Arguments),
    /// Call a tool.
    Call(call::Arguments),
}

/// Runs one of them.
pub(crate) fn run(action: Action, output: Format) -> Result<(), Failure> {
    match action {
        Action::Proxy(arguments) => proxy::run_command(arguments),
        Action::List(arguments) => crate::wait_for(list::run(arguments, output)),
        Action::Call(arguments) => crate::wait_for(call::run(arguments, output)),
    }
}

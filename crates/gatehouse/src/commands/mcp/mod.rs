//! `gatehouse mcp`: one MCP server made reachable for any client, and the endpoint of a gateway looked at and used by hand.

mod call;
mod client;
mod connections;
mod list;
mod pins;
mod proxy;
mod standing;

use clap::Subcommand;

use crate::cli::PlaceArguments;
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
    /// Show how the MCP servers of a gateway stand and what they offer.
    Servers {
        /// Where.
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Show what is odd about what MCP servers offer: texts that look like an attack, names that collide, items left out.
    Findings(standing::Findings),
    /// Versions of what MCP servers offer: list them, compare them, let them through, take them back.
    Pins {
        /// What to do.
        #[command(subcommand)]
        action: pins::Action,
        /// Where.
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Who has agreed that an MCP server is used in their name: list them, revoke one.
    Connections {
        /// What to do.
        #[command(subcommand)]
        action: connections::Action,
        /// Where.
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Say why a caller sees a tool, or does not.
    Explain(standing::Explain),
}

/// Runs one of them.
pub(crate) fn run(action: Action, output: Format) -> Result<(), Failure> {
    match action {
        Action::Proxy(arguments) => proxy::run_command(arguments),
        Action::List(arguments) => crate::wait_for(list::run(arguments, output)),
        Action::Call(arguments) => crate::wait_for(call::run(arguments, output)),
        Action::Servers { place } => crate::wait_for(standing::servers(place, output)),
        Action::Findings(wanted) => crate::wait_for(standing::findings(wanted, output)),
        Action::Pins { action, place } => crate::wait_for(pins::run(action, &place, output)),
        Action::Connections { action, place } => crate::wait_for(connections::run(action, &place, output)),
        Action::Explain(wanted) => crate::wait_for(standing::explain(wanted, output)),
    }
}

//! MCP on the move: what `gatehouse-mcp-gateway` thinks, this crate does with sockets, children and tasks. It is of the moving
//! wing and the one crate there that knows its product: a conversation is sessions, subscriptions and questions that servers ask
//! their clients, and a story of that kind is told best by code that can wait.

pub mod auth;
pub mod builtin;
pub mod conduct;
pub mod link;
pub mod links;
pub mod refresh;
pub mod relay;

pub use links::Links;
pub use refresh::Refresher;

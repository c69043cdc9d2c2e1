//! The wire format: JSON-RPC 2.0 as MCP uses it.

mod message;

pub use message::{Id, Message, Notification, Raw, Request, Response, RpcError};

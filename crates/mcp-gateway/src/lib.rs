//! MCP as values. Messages are read strictly and carried as the bytes they came in; only the envelope is typed
//! ([`wire`]).

pub mod blueprint;
pub mod openapi;
pub mod wire;

pub use blueprint::Blueprint;
pub use wire::{Id, Message, Notification, Raw, Request, Response, RpcError};

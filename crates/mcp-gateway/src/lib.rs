//! MCP as values. Messages are read strictly and carried as the bytes they came in; only the envelope is typed
//! ([`wire`]). Two families of revisions are spoken ([`era`]) and each translated into the other ([`bridge`]). What a client
//! keeps for us, it keeps sealed ([`seal`]).

pub mod blueprint;
pub mod bridge;
pub mod catalogue;
pub mod era;
pub mod gateway;
pub mod openapi;
pub mod pins;
pub mod poison;
pub mod seal;
pub mod search;
pub mod sse;
pub mod texts;
pub mod weight;
pub mod wire;

pub use blueprint::Blueprint;
pub use wire::{Id, Message, Notification, Raw, Request, Response, RpcError};

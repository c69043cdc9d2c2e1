//! MCP at the roof: the plan of its gateway out of the configuration, what of it lives as long as the process, and the servers
//! that are part of the gateway.

mod admin;
mod demo;
mod itself;
mod plan;
mod room;

pub(super) use admin::changes;
use demo::Demo;
pub(crate) use plan::blueprint;
pub(crate) use room::Room;

//! MCP at the roof: the plan of its gateway out of the configuration, and the servers that are part of the gateway.

mod demo;
mod plan;

pub(crate) use demo::Demo;
pub(crate) use plan::blueprint;

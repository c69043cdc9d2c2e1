//! What of MCP lives as long as the process: the links to servers, the desk conversations share, and the catalogue.

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use gatehouse_catalog::mcp::{Builtin as Kind, McpTransport};
use gatehouse_catalog::{Config, Loaded};
use gatehouse_domain::{Principal, Secret};
use gatehouse_mcp_gateway::blueprint::Server;
use gatehouse_mcp_gateway::seal::Sealer;
use gatehouse_mcp_gateway::{Blueprint, Raw};
use gatehouse_mcp_proxy::Links;
use gatehouse_mcp_proxy::builtin::{Answers, Builtin};
use gatehouse_mcp_proxy::conduct::{Desk, DeskParts, Gate};
use gatehouse_mcp_proxy::link::{Challenge, Doing, Failure, Link, TokenSource};
use gatehouse_mcp_proxy::links::{Elsewhere, Means};
use gatehouse_pipeline::Talks;
use gatehouse_store::{DataDir, TokenKey};
use gatehouse_upstream::child::Supervisor;
use gatehouse_upstream::{Egress, Pool};
use serde_json::json;
use tokio::runtime::Handle;

use super::Demo;
use crate::failure::Failure as Stopped;

/// The links, the desk and the catalogue.
pub(crate) struct Mcp {
    links: Arc<Links>,
    desk: Arc<Desk>,
}

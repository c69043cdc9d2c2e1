//! One file per table: its questions, as methods of [`crate::Store`].

pub(crate) mod corrections;
mod inserts;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod mcp_catalogue;
pub(crate) mod mcp_connections;
pub(crate) mod mcp_pins;
pub(crate) mod mcp_results;
mod meta;
pub(crate) mod oauth;
pub(crate) mod objects;
pub(crate) mod requests;
pub(crate) mod responses;
pub(crate) mod spending;
pub(crate) mod usage;

//! One file per command.

pub(crate) mod audit;
pub(crate) mod budgets;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod connect;
pub(crate) mod doctor;
pub(crate) mod guardrails;
pub(crate) mod keys;
pub(crate) mod mcp;
pub(crate) mod oauth;
pub(crate) mod objects;
pub(crate) mod policy;
pub(crate) mod prices;
pub(crate) mod requests;
pub(crate) mod schema;
pub(crate) mod secrets;
pub(crate) mod serve;
pub(crate) mod up;
pub(crate) mod up_text;
pub(crate) mod usage;

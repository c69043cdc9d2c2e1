//! The gateway's own MCP server, `gatehouse`: what a caller may use and has used, and the admin API as tools for those whose role
//! opens it. It is called like every other server, through every stage; what it does it does as its caller, and nothing is kept
//! between two calls.
//!
//! - [`mine`]: tools for every caller.
//! - [`administration`]: routes of the admin API as tools; [`routes`] is their table.
//! - [`shape`]: how tools look in a list, and what results and refusals are.

mod administration;
mod mine;
mod routes;
mod shape;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};

use gatehouse_catalog::mcp::OWN_SERVER;
use gatehouse_domain::{Code, Now};
use gatehouse_mcp_gateway::blueprint::{Auth, Caps, Own, PinPolicy, Server, Transport};
use gatehouse_mcp_gateway::wire::code;
use gatehouse_mcp_gateway::{Raw, Request, RpcError};
use gatehouse_mcp_proxy::builtin::Answers;
use gatehouse_mcp_proxy::link::{Doing, Hello};
use gatehouse_pipeline::Visit;
use gatehouse_server::admin::Inside;
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;

use crate::house::House;
pub(super) use administration::is_for;
use shape::{Outcome, Refused};

/// The revision it speaks.
const REVISION: &str = "2026-07-28";
/// For how long what it lists may be kept, in milliseconds: it changes with the binary only.
const TTL_MS: u64 = 3_600_000;
const INSTRUCTIONS: &str = "What this gateway has for you: `list_models`, `list_servers` and `search_tools` say what you may use, \
                            `usage` and `list_limits` what you have used and what is left. Callers with a role also find what \
                            their role lets them administer.";

/// Where the house is found, once it is built: its server is there before it.
pub(in crate::house) type Address = Arc<OnceLock<Weak<House>>>;

/// The server.
pub(in crate::house) struct Itself {
    house: Address,
    /// Where the database is waited for: never on the core of a call.
    control: Handle,
    tools: Vec<Value>,
}

impl House {
    /// The admin API from within, once it is served.
    fn inside(&self) -> Result<Inside, Refused> {
        let starting = || Refused::new(Code::Draining, "The gateway is starting.", "Try again in a moment.");
        self.inside.get().cloned().ok_or_else(starting)
    }
}

/// What of it stands in the plan of all servers.
pub(crate) fn server(apart: bool) -> Server {
    let terms: BTreeMap<_, _> = administration::terms().collect();
    Server {
        name: OWN_SERVER.into(),
        transport: Transport::Gatehouse(Own { apart, terms }),
        auth: Auth::None,
        trusted: true,
        pins: PinPolicy::AllowNew,
        park: false,
        sampling_model: None,
        // Each request says who calls, and nothing is kept: one link serves everybody.
        shared: true,
        caps: Caps::default(),
        prices: Vec::new(),
        tool_timeouts: Vec::new(),
    }
}

impl Itself {
    /// The server of the house that will be found there.
    pub(in crate::house) fn new(house: Address, control: Handle) -> Self {
        let tools = mine::definitions().into_iter().chain(administration::definitions()).collect();
        Self { house, control, tools }
    }

    async fn call(&self, params: &Value, visit: Option<&Visit>) -> Result<Value, RpcError> {
        let name = params["name"].as_str().unwrap_or_default();
        let Some(tool) = self.tools.iter().find(|tool| tool["name"] == name) else {
            return Err(RpcError::new(code::INVALID_PARAMS, format!("Unknown tool: {name}")));
        };
        let nothing = Map::new();
        let arguments = params["arguments"].as_object().unwrap_or(&nothing);
        let outcome = match (visit, self.house.get().and_then(Weak::upgrade)) {
            (Some(visit), Some(house)) => self.answered(&house, visit, tool, arguments).await,
            _ => Err(Refused::new(Code::Draining, "The gateway is starting.", "Try again in a moment.")),
        };
        Ok(shape::result(outcome))
    }

    async fn answered(
        &self,
        house: &Arc<House>,
        visit: &Visit,
        tool: &Value,
        arguments: &Map<String, Value>,
    ) -> Outcome {
        shape::check(tool, arguments)?;
        let name = tool["name"].as_str().unwrap_or_default();
        match mine::Tool::named(name) {
            Some(tool) => mine::answer(house, &self.control, visit, tool, arguments).await,
            None => administration::answer(house, &self.control, visit, name, arguments).await,
        }
    }
}

impl Answers for Itself {
    fn hello(&self) -> Hello {
        Hello {
            revision: REVISION.into(),
            modern: true,
            capabilities: Raw::of(&capabilities()),
            server_info: Some(Raw::of(&json!({
                "name": OWN_SERVER, "title": "Gatehouse", "version": env!("CARGO_PKG_VERSION")
            }))),
            instructions: Some(Arc::from(INSTRUCTIONS)),
            incarnation: 1,
        }
    }

    fn answer<'a>(
        &'a self,
        request: &'a Request,
        visit: Option<&'a Visit>,
        _: Now,
    ) -> Doing<'a, Result<Raw, RpcError>> {
        Box::pin(async move {
            let params = request.params.as_ref().map(Raw::value).unwrap_or_default();
            let result = match &*request.method {
                "server/discover" => listed(json!({
                    "supportedVersions": [REVISION],
                    "capabilities": capabilities(),
                    "instructions": INSTRUCTIONS,
                })),
                "tools/list" => listed(json!({ "tools": self.tools })),
                "tools/call" => self.call(&params, visit).await?,
                method => {
                    return Err(RpcError::new(code::METHOD_NOT_FOUND, format!("This server has no `{method}`.")));
                }
            };
            Ok(Raw::of(&result))
        })
    }
}

fn capabilities() -> Value {
    json!({ "tools": {} })
}

/// A list that may be kept by who asked: it has tools in it that not everybody sees.
fn listed(mut result: Value) -> Value {
    result["ttlMs"] = TTL_MS.into();
    result["cacheScope"] = "private".into();
    result["resultType"] = "complete".into();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn itself() -> Vec<Value> {
        mine::definitions().into_iter().chain(administration::definitions()).collect()
    }

    #[test]
    fn every_tool_says_what_it_takes_what_it_gives_and_what_it_does() {
        for tool in itself() {
            assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
            assert_eq!(tool["outputSchema"]["type"], "object", "{tool}");
            assert!(tool["annotations"]["readOnlyHint"].is_boolean() && tool["description"].is_string(), "{tool}");
            let named = tool["inputSchema"]["required"].as_array().unwrap().iter();
            let properties = &tool["inputSchema"]["properties"];
            assert!(named.clone().all(|name| properties[name.as_str().unwrap()].is_object()), "{tool}");
        }
    }

    #[test]
    fn tools_that_change_something_are_for_some_roles_only() {
        let server = server(true);
        let terms = &server.own().unwrap().terms;
        for tool in itself().iter().filter(|tool| tool["annotations"]["readOnlyHint"] == false) {
            let roles = terms[tool["name"].as_str().unwrap()].roles.as_ref().unwrap();
            assert!(!roles.is_empty() && !roles.contains(&gatehouse_domain::Role::Viewer), "{tool}");
        }
    }
}

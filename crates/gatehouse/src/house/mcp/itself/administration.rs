//! Routes of the admin API as tools: the way from a call to a request, by the table in [`routes`](super::routes). The API does everything
//! else, so that a tool may do what its caller may do there, and is written down as there.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_catalog::KINDS;
use gatehouse_domain::{Code, Principal};
use gatehouse_mcp_gateway::blueprint::ToolTerms;
use gatehouse_pipeline::Visit;
use gatehouse_server::admin::{self, Audience, Inside};
use http::header::{CONTENT_TYPE, IF_MATCH};
use http::{HeaderValue, Request};
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;

use super::routes::Goes::{Body, Field, IfMatch, Kind, Path, Query};
use super::routes::{Argument, Gives, ROUTES, Route};
use super::shape::{self, Outcome, Refused, Shown};
use crate::admin_client::encoded;
use crate::house::House;

/// As `tools/list` has them.
pub(super) fn definitions() -> impl Iterator<Item = Value> {
    ROUTES.iter().map(Route::definition)
}

/// For whom each is, and whether its results hold a secret.
pub(super) fn terms() -> impl Iterator<Item = (Arc<str>, ToolTerms)> {
    ROUTES.iter().map(|route| (route.tool.into(), route.terms()))
}

/// Is a tool of the gateway's own for this caller?
pub(in crate::house::mcp) fn is_for(tool: &str, who: &Principal) -> bool {
    ROUTES.iter().find(|route| route.tool == tool).is_none_or(|route| route.terms().admit(who))
}

/// Asks the API for the caller. Once begun it is carried through, whether the caller waits or not.
pub(super) async fn answer(
    house: &Arc<House>,
    control: &Handle,
    visit: &Visit,
    tool: &str,
    arguments: &Map<String, Value>,
) -> Outcome {
    let route = ROUTES.iter().find(|route| route.tool == tool);
    let route =
        route.ok_or_else(|| Refused::new(Code::NotFound, "There is no such tool.", "tools/list lists them."))?;
    let request = route.request(arguments)?;
    let inside: Inside = house.inside()?;
    let (caller, address) = (Arc::clone(&visit.caller().principal), visit.address());
    let asked = control.spawn(async move { inside.ask(&caller, address, request).await });
    shape::outcome(&asked.await.map_err(|_| broke_off())?)
}

/// The refusal of a call whose work ended early.
pub(super) fn broke_off() -> Refused {
    Refused::new(Code::Internal, "The gateway failed on this call.", "Its log says why; try again.")
}

impl Route {
    fn terms(&self) -> ToolTerms {
        let Audience { roles, instance } = admin::audience(self.method, self.path);
        ToolTerms { roles: Some(roles), instance, secret: self.gives == Gives::Secret }
    }

    fn definition(&self) -> Value {
        let arguments = self.arguments.iter().map(|argument| (argument.name, argument.required, argument.schema()));
        let output = match self.gives {
            Gives::Rows => shape::rows(),
            Gives::Object => json!({ "type": "object" }),
            Gives::Secret => json!({
                "type": "object",
                "properties": {
                    "secret": { "type": "string", "description": "What callers present. It cannot be shown again." },
                    "key": { "type": "object" },
                },
                "required": ["secret", "key"],
            }),
        };
        let (title, description, effect) = (self.title, self.description, self.effect);
        Shown { name: self.tool, title, description, effect, arguments: arguments.collect(), output }.definition()
    }

    /// The request that a call is.
    fn request(&self, arguments: &Map<String, Value>) -> Result<Request<Bytes>, Refused> {
        let mut path = self.path.to_owned();
        let mut query: Vec<String> = Vec::new();
        if !self.query.is_empty() {
            query.push(self.query.to_owned());
        }
        let mut fields = Map::new();
        let mut body = None;
        let mut request = Request::builder().method(self.method);
        for Argument { name, goes, .. } in self.arguments {
            let Some(value) = arguments.get(*name).filter(|value| !value.is_null()) else { continue };
            match goes {
                Kind if !KINDS.iter().any(|kind| *value == *kind.name) => return Err(no_kind()),
                Path | Kind => path = path.replace(&format!("{{{name}}}"), &encoded(&text(name, value)?)),
                Query => query.push(format!("{name}={}", encoded(&text(name, value)?))),
                Field => drop(fields.insert((*name).to_owned(), value.clone())),
                Body => body = Some(value.clone()),
                IfMatch => {
                    let version = HeaderValue::try_from(format!("\"{}\"", text(name, value)?));
                    request = request.header(IF_MATCH, version.map_err(|_| no_argument(name))?);
                }
            }
        }
        let takes_fields = self.arguments.iter().any(|argument| argument.goes == Field);
        let body = body.or_else(|| takes_fields.then_some(Value::Object(fields)));
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let uri = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        request.uri(uri).body(body).map_err(|_| Refused::arguments("These arguments make no request."))
    }
}

impl Argument {
    fn schema(&self) -> Value {
        // The table is written by hand, and a test reads all of it.
        let mut schema: Value = serde_json::from_str(self.schema).unwrap_or_default();
        if self.goes == Kind {
            schema["enum"] = KINDS.iter().map(|kind| kind.name).collect();
        }
        schema
    }
}

/// A value as it stands in an address.
fn text(name: &str, value: &Value) -> Result<String, Refused> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(no_argument(name)),
    }
}

fn no_argument(name: &str) -> Refused {
    Refused::arguments(format!("`{name}` is not of the kind that its schema says."))
}

fn no_kind() -> Refused {
    let known: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
    Refused::arguments(format!("There is no such kind of object. There are {}.", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(tool: &str, arguments: Value) -> Result<Request<Bytes>, Refused> {
        let route = ROUTES.iter().find(|route| route.tool == tool).unwrap();
        route.request(arguments.as_object().unwrap())
    }

    fn line(tool: &str, arguments: Value) -> String {
        let request = request(tool, arguments).unwrap();
        format!("{} {} {}", request.method(), request.uri(), String::from_utf8_lossy(request.body()))
    }

    #[test]
    fn the_table_is_in_order_and_every_schema_in_it_can_be_read() {
        assert!(ROUTES.is_sorted_by_key(|route| route.tool));
        for argument in ROUTES.iter().flat_map(|route| route.arguments) {
            assert!(argument.schema()["type"].is_string(), "{}", argument.name);
        }
    }

    #[test]
    fn every_tool_is_a_route_that_some_role_may_take() {
        for (tool, terms) in terms() {
            assert!(terms.roles.is_some_and(|roles| !roles.is_empty()), "{tool}");
        }
    }

    #[test]
    fn arguments_go_where_the_route_has_them() {
        assert_eq!(line("revoke_key", json!({ "id": "key_1" })), "DELETE /keys/key_1 ");
        assert_eq!(line("list_pending", json!({ "server": "a b" })), "GET /mcp/pins?state=pending&server=a%20b ");
        assert_eq!(line("create_key", json!({ "name": "ci" })), r#"POST /keys {"name":"ci"}"#);
        assert_eq!(line("reload_config", json!({})), "POST /config/reload ");
        let put = json!({ "kind": "models", "name": "fast", "body": { "targets": [] }, "dry_run": true });
        assert_eq!(line("put_object", put), r#"PUT /models/fast?dry_run=true {"targets":[]}"#);
    }

    #[test]
    fn a_version_becomes_the_condition_of_the_request() {
        let delete = json!({ "kind": "models", "name": "fast", "if_version": "3" });
        assert_eq!(request("delete_object", delete).unwrap().headers()[IF_MATCH], "\"3\"");
        assert!(request("delete_object", json!({ "kind": "models", "name": "x", "if_version": "3\n" })).is_err());
    }

    #[test]
    fn a_name_never_leaves_its_place_in_the_path_and_a_kind_is_one() {
        let get = |kind: &str, name: &str| request("get_object", json!({ "kind": kind, "name": name }));
        assert_eq!(get("models", "../keys?a=b").unwrap().uri(), "/models/..%2Fkeys%3Fa%3Db");
        assert!(get("keys", "key_1").is_err() && get("config/reload", "x").is_err());
        assert!(request("revoke_key", json!({ "id": { "a": 1 } })).is_err());
    }
}

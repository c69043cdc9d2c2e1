//! Routes of the admin API as tools: a table, and the way from a call to a request. The API does everything else, so that a tool
//! may do what its caller may do there, and is written down as there.

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

use super::shape::{self, Effect, Outcome, Refused, Shown};
use crate::admin_client::encoded;
use crate::house::House;

/// A route as a tool.
struct Route {
    tool: &'static str,
    title: &'static str,
    description: &'static str,
    method: &'static str,
    /// Behind `/api/v1`.
    path: &'static str,
    /// What is always asked.
    query: &'static str,
    effect: Effect,
    arguments: &'static [Argument],
    gives: Gives,
}

/// An argument: its name, whether it must be there, where it goes, and its schema as JSON.
struct Argument(&'static str, bool, Goes, &'static str);

/// Where an argument goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goes {
    Path,
    /// Into the path; a kind of object.
    Kind,
    Query,
    /// A field of the body.
    Field,
    /// The body.
    Body,
    IfMatch,
}

/// What a route answers with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gives {
    Rows,
    Object,
    /// A key with its secret, shown this once.
    Secret,
}

use Goes::{Body, Field, IfMatch, Kind, Path, Query};

const CURSOR: Argument =
    Argument("cursor", false, Query, r#"{"type": "string", "description": "`next_cursor` of the page before."}"#);
const LIMIT: Argument =
    Argument("limit", false, Query, r#"{"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}"#);
const SINCE: Argument = Argument(
    "since",
    false,
    Query,
    r#"{"type": "string", "description": "At or after this: a time, a day (UTC), or how long ago (`7d`, `24h`, `30m`)."}"#,
);
const UNTIL: Argument = Argument("until", false, Query, r#"{"type": "string", "description": "Before this."}"#);
const KEY_ID: Argument =
    Argument("id", true, Path, r#"{"type": "string", "description": "The key's public id, as list_keys has it."}"#);
const KIND: Argument = Argument("kind", true, Kind, r#"{"type": "string", "description": "The kind of object."}"#);
const NAME: Argument = Argument("name", true, Path, r#"{"type": "string", "minLength": 1, "maxLength": 128}"#);
const DRY_RUN: Argument =
    Argument("dry_run", false, Query, r#"{"type": "boolean", "description": "Only say what would change."}"#);
const VERSION: Argument = Argument(
    "if_version",
    false,
    IfMatch,
    r#"{"type": "string", "description": "Only if the object is in this `version`, as get_object has it."}"#,
);
const ITEM_KIND: &str = r#"{"type": "string", "enum": ["tool", "prompt", "template", "instructions"]}"#;
const NAMES: &str = r#"{"type": "array", "items": {"type": "string"}, "description": "None means all."}"#;
const TEXT: &str = r#"{"type": "string"}"#;

/// Every one, in the order of their names.
const ROUTES: &[Route] = &[
    Route {
        tool: "approve_contract",
        title: "Approve a contract",
        description: "Lets a new or changed version of what an MCP server offers through: one item, or with `server` alone \
                      everything of it that is pending. diff_contract shows what changed.",
        method: "POST",
        path: "/mcp/pins/approve",
        query: "",
        effect: Effect::Adds,
        arguments: &[
            Argument("server", true, Field, TEXT),
            Argument("kind", false, Field, ITEM_KIND),
            Argument("name", false, Field, r#"{"type": "string", "description": "The item's name on its server."}"#),
            Argument(
                "hash",
                false,
                Field,
                r#"{"type": "string", "description": "The version; the newest if not given."}"#,
            ),
        ],
        gives: Gives::Rows,
    },
    Route {
        tool: "audit_tail",
        title: "Read the audit log",
        description: "The latest entries of the audit log, newest first: who did what to which object, and what came of it.",
        method: "GET",
        path: "/audit",
        query: "",
        effect: Effect::Reads,
        arguments: &[
            Argument("actor", false, Query, TEXT),
            Argument(
                "action",
                false,
                Query,
                r#"{"type": "string", "description": "`keys.create`; `keys.*` for all that begin so."}"#,
            ),
            Argument("object", false, Query, TEXT),
            Argument("outcome", false, Query, r#"{"type": "string", "enum": ["begun", "done", "failed", "refused"]}"#),
            SINCE,
            UNTIL,
            CURSOR,
            LIMIT,
        ],
        gives: Gives::Rows,
    },
    Route {
        tool: "config_status",
        title: "Show the configuration's state",
        description: "Which configuration is in force, since when, and why the last change was refused, if it was.",
        method: "GET",
        path: "/config",
        query: "",
        effect: Effect::Reads,
        arguments: &[],
        gives: Gives::Object,
    },
    Route {
        tool: "create_key",
        title: "Create a key",
        description: "Makes a key. The result holds its secret, which is shown this once. Without an owner it is yours, or your \
                      team's.",
        method: "POST",
        path: "/keys",
        query: "",
        effect: Effect::Adds,
        arguments: &[
            Argument("name", true, Field, r#"{"type": "string", "description": "What people call it."}"#),
            Argument("organisation", false, Field, TEXT),
            Argument("team", false, Field, r#"{"type": "string", "description": "The team that pays."}"#),
            Argument("user", false, Field, TEXT),
            Argument("service_account", false, Field, TEXT),
            Argument("agent", false, Field, TEXT),
            Argument("models", false, Field, NAMES),
            Argument("mcp_servers", false, Field, NAMES),
            Argument("toolsets", false, Field, NAMES),
            Argument("agents", false, Field, NAMES),
            Argument("ip_ranges", false, Field, NAMES),
            Argument("tags", false, Field, r#"{"type": "string", "description": "`env=prod,job=nightly`"}"#),
            Argument(
                "role",
                false,
                Field,
                r#"{"type": "string", "enum": ["owner", "admin", "auditor", "team_lead", "developer", "viewer"]}"#,
            ),
            Argument(
                "limits",
                false,
                Field,
                r#"{"type": "array", "items": {"type": "object"}, "description": "`{\"requests\": 600, \"per\": \"minute\"}`, `{\"tokens\": …, \"per\": …}`, `{\"concurrent\": 5}`"}"#,
            ),
            Argument(
                "budgets",
                false,
                Field,
                r#"{"type": "array", "items": {"type": "object"}, "description": "`{\"usd\": 10, \"per\": \"month\"}`"}"#,
            ),
            Argument(
                "expires",
                false,
                Field,
                r#"{"type": "string", "description": "The first moment it no longer works: `2027-01-01` (UTC)."}"#,
            ),
        ],
        gives: Gives::Secret,
    },
    Route {
        tool: "delete_object",
        title: "Delete an object",
        description: "Deletes an object of the database, unless something refers to it. Those of the file are changed in the file.",
        method: "DELETE",
        path: "/{kind}/{name}",
        query: "",
        effect: Effect::Replaces,
        arguments: &[KIND, NAME, DRY_RUN, VERSION],
        gives: Gives::Object,
    },
    Route {
        tool: "diff_contract",
        title: "Compare two versions of a contract",
        description: "What changed between two versions of an item of an MCP server: without hashes, the newest against the last \
                      approved one before it.",
        method: "GET",
        path: "/mcp/pins/diff",
        query: "",
        effect: Effect::Reads,
        arguments: &[
            Argument("server", true, Query, TEXT),
            Argument("kind", true, Query, ITEM_KIND),
            Argument("name", false, Query, r#"{"type": "string", "description": "The item's name on its server."}"#),
            Argument("from", false, Query, TEXT),
            Argument("to", false, Query, TEXT),
        ],
        gives: Gives::Object,
    },
    Route {
        tool: "get_object",
        title: "Show an object",
        description: "One declared object, its secrets masked. `version` is what put_object and delete_object take as \
                      `if_version`.",
        method: "GET",
        path: "/{kind}/{name}",
        query: "",
        effect: Effect::Reads,
        arguments: &[KIND, NAME],
        gives: Gives::Object,
    },
    Route {
        tool: "list_findings",
        title: "List findings",
        description: "What somebody should know of MCP servers: texts that look like an attack, names that collide, items that \
                      are left out and why.",
        method: "GET",
        path: "/mcp/findings",
        query: "",
        effect: Effect::Reads,
        arguments: &[
            Argument("server", false, Query, TEXT),
            Argument("severity", false, Query, r#"{"type": "string", "enum": ["low", "medium", "high"]}"#),
        ],
        gives: Gives::Rows,
    },
    Route {
        tool: "list_keys",
        title: "List keys",
        description: "The keys you may see, without their secrets: those of the file first, then the others by age.",
        method: "GET",
        path: "/keys",
        query: "",
        effect: Effect::Reads,
        arguments: &[CURSOR, LIMIT],
        gives: Gives::Rows,
    },
    Route {
        tool: "list_objects",
        title: "List objects",
        description: "The declared objects of one kind, by name: those of the file and those of the database.",
        method: "GET",
        path: "/{kind}",
        query: "",
        effect: Effect::Reads,
        arguments: &[KIND, CURSOR, LIMIT],
        gives: Gives::Rows,
    },
    Route {
        tool: "list_pending",
        title: "List contracts that wait for approval",
        description: "Versions of tools, prompts, templates and instructions of MCP servers that nobody has approved yet.",
        method: "GET",
        path: "/mcp/pins",
        query: "state=pending",
        effect: Effect::Reads,
        arguments: &[Argument("server", false, Query, TEXT), Argument("kind", false, Query, ITEM_KIND), CURSOR, LIMIT],
        gives: Gives::Rows,
    },
    Route {
        tool: "put_object",
        title: "Put an object",
        description: "Makes an object, or replaces it. In force when the result is there; one that would not work is refused with \
                      its reasons.",
        method: "PUT",
        path: "/{kind}/{name}",
        query: "",
        effect: Effect::Replaces,
        arguments: &[
            KIND,
            NAME,
            Argument(
                "body",
                true,
                Body,
                r#"{"type": "object", "description": "The object in the words of the configuration file."}"#,
            ),
            DRY_RUN,
            VERSION,
        ],
        gives: Gives::Object,
    },
    Route {
        tool: "reload_config",
        title: "Reload the configuration",
        description: "Reads the configuration file again. A good one is in force when the result is there; a bad one is refused \
                      with its reasons, and the last good one stays.",
        method: "POST",
        path: "/config/reload",
        query: "",
        effect: Effect::Replaces,
        arguments: &[],
        gives: Gives::Object,
    },
    Route {
        tool: "revoke_key",
        title: "Revoke a key",
        description: "Takes a key back, at once and for good.",
        method: "DELETE",
        path: "/keys/{id}",
        query: "",
        effect: Effect::Replaces,
        arguments: &[KEY_ID],
        gives: Gives::Object,
    },
    Route {
        tool: "rotate_key",
        title: "Rotate a key",
        description: "Gives a key a new secret under the same id. The result holds it, and it is shown this once; the old one \
                      stays good for a while.",
        method: "POST",
        path: "/keys/{id}/rotate",
        query: "",
        effect: Effect::Renews,
        arguments: &[
            KEY_ID,
            Argument(
                "overlap_secs",
                false,
                Field,
                r#"{"type": "integer", "minimum": 0, "maximum": 2592000, "description": "Seconds for which the old secret stays good: 3,600 if not given."}"#,
            ),
        ],
        gives: Gives::Secret,
    },
    Route {
        tool: "usage_report",
        title: "Report usage",
        description: "What was used by everybody you may see: attempts, tokens and cost from the ledger, summed up by the \
                      dimensions asked for.",
        method: "GET",
        path: "/usage",
        query: "",
        effect: Effect::Reads,
        arguments: &[
            Argument(
                "by",
                false,
                Query,
                r#"{"type": "string", "description": "Dimensions, separated by commas: key, organisation, team, user, agent, tags, run, model, provider, upstream_model, mcp_server, tool, operation, status, day, hour."}"#,
            ),
            SINCE,
            UNTIL,
            Argument("key", false, Query, TEXT),
            Argument("team", false, Query, TEXT),
            Argument("user", false, Query, TEXT),
            Argument("run", false, Query, TEXT),
            Argument("limit", false, Query, r#"{"type": "integer", "minimum": 1, "maximum": 10000}"#),
        ],
        gives: Gives::Rows,
    },
];

/// As `tools/list` has them.
pub(super) fn definitions() -> impl Iterator<Item = Value> {
    ROUTES.iter().map(Route::definition)
}

/// For whom each is, and whether its results hold a secret.
pub(super) fn terms() -> impl Iterator<Item = (Arc<str>, ToolTerms)> {
    ROUTES.iter().map(|route| {
        let Audience { roles, instance } = admin::audience(route.method, route.path);
        let secret = route.gives == Gives::Secret;
        (route.tool.into(), ToolTerms { roles: Some(roles), instance, secret })
    })
}

/// Is a tool of the gateway's own for this caller?
pub(in crate::house::mcp) fn is_for(tool: &str, who: &Principal) -> bool {
    terms().find(|(name, _)| **name == *tool).is_none_or(|(_, terms)| terms.admit(who))
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
    fn definition(&self) -> Value {
        let arguments = self.arguments.iter().map(|argument| (argument.0, argument.1, argument.schema()));
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
        for Argument(name, _, goes, _) in self.arguments {
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
        let takes_fields = self.arguments.iter().any(|argument| argument.2 == Field);
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
        let mut schema: Value = serde_json::from_str(self.3).unwrap_or_default();
        if self.2 == Kind {
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
            assert!(argument.schema()["type"].is_string(), "{}", argument.0);
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

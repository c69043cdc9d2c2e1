//! The table of the admin API's routes that are tools, in the order of their names.

use super::shape::Effect;
use Goes::{Body, Field, IfMatch, Kind, Path, Query};

/// A route as a tool.
pub(super) struct Route {
    pub(super) tool: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) method: &'static str,
    /// Behind `/api/v1`.
    pub(super) path: &'static str,
    /// What is always asked.
    pub(super) query: &'static str,
    pub(super) effect: Effect,
    pub(super) arguments: &'static [Argument],
    pub(super) gives: Gives,
}

/// An argument of a tool.
pub(super) struct Argument {
    pub(super) name: &'static str,
    /// Must it be there?
    pub(super) required: bool,
    pub(super) goes: Goes,
    /// Its JSON Schema.
    pub(super) schema: &'static str,
}

const fn must(name: &'static str, goes: Goes, schema: &'static str) -> Argument {
    Argument { name, required: true, goes, schema }
}

const fn may(name: &'static str, goes: Goes, schema: &'static str) -> Argument {
    Argument { name, required: false, goes, schema }
}

/// Where an argument goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Goes {
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
pub(super) enum Gives {
    Rows,
    Object,
    /// A key with its secret, shown this once.
    Secret,
}

const CURSOR: Argument =
    may("cursor", Query, r#"{"type": "string", "description": "`next_cursor` of the page before."}"#);
const LIMIT: Argument = may("limit", Query, r#"{"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}"#);
const SINCE: Argument = may(
    "since",
    Query,
    r#"{"type": "string", "description": "At or after this: a time, a day (UTC), or how long ago (`7d`, `24h`, `30m`)."}"#,
);
const UNTIL: Argument = may("until", Query, r#"{"type": "string", "description": "Before this."}"#);
const KEY_ID: Argument =
    must("id", Path, r#"{"type": "string", "description": "The key's public id, as list_keys has it."}"#);
const KIND: Argument = must("kind", Kind, r#"{"type": "string", "description": "The kind of object."}"#);
const NAME: Argument = must("name", Path, r#"{"type": "string", "minLength": 1, "maxLength": 128}"#);
const DRY_RUN: Argument = may("dry_run", Query, r#"{"type": "boolean", "description": "Only say what would change."}"#);
const VERSION: Argument = may(
    "if_version",
    IfMatch,
    r#"{"type": "string", "description": "Only if the object is in this `version`, as get_object has it."}"#,
);
const ITEM_KIND: &str = r#"{"type": "string", "enum": ["tool", "prompt", "template", "instructions"]}"#;
const NAMES: &str = r#"{"type": "array", "items": {"type": "string"}, "description": "None means all."}"#;
const TEXT: &str = r#"{"type": "string"}"#;

/// Every one, in the order of their names.
pub(super) const ROUTES: &[Route] = &[
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
            must("server", Field, TEXT),
            may("kind", Field, ITEM_KIND),
            may("name", Field, r#"{"type": "string", "description": "The item's name on its server."}"#),
            may("hash", Field, r#"{"type": "string", "description": "The version; the newest if not given."}"#),
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
            may("actor", Query, TEXT),
            may(
                "action",
                Query,
                r#"{"type": "string", "description": "`keys.create`; `keys.*` for all that begin so."}"#,
            ),
            may("object", Query, TEXT),
            may("outcome", Query, r#"{"type": "string", "enum": ["begun", "done", "failed", "refused"]}"#),
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
            must("name", Field, r#"{"type": "string", "description": "What people call it."}"#),
            may("organisation", Field, TEXT),
            may("team", Field, r#"{"type": "string", "description": "The team that pays."}"#),
            may("user", Field, TEXT),
            may("service_account", Field, TEXT),
            may("agent", Field, TEXT),
            may("models", Field, NAMES),
            may("mcp_servers", Field, NAMES),
            may("toolsets", Field, NAMES),
            may("agents", Field, NAMES),
            may("ip_ranges", Field, NAMES),
            may("tags", Field, r#"{"type": "string", "description": "`env=prod,job=nightly`"}"#),
            may(
                "role",
                Field,
                r#"{"type": "string", "enum": ["owner", "admin", "auditor", "team_lead", "developer", "viewer"]}"#,
            ),
            may(
                "limits",
                Field,
                r#"{"type": "array", "items": {"type": "object"}, "description": "`{\"requests\": 600, \"per\": \"minute\"}`, `{\"tokens\": …, \"per\": …}`, `{\"concurrent\": 5}`"}"#,
            ),
            may(
                "budgets",
                Field,
                r#"{"type": "array", "items": {"type": "object"}, "description": "`{\"usd\": 10, \"per\": \"month\"}`"}"#,
            ),
            may(
                "expires",
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
            must("server", Query, TEXT),
            must("kind", Query, ITEM_KIND),
            may("name", Query, r#"{"type": "string", "description": "The item's name on its server."}"#),
            may("from", Query, TEXT),
            may("to", Query, TEXT),
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
            may("server", Query, TEXT),
            may("severity", Query, r#"{"type": "string", "enum": ["low", "medium", "high"]}"#),
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
        arguments: &[may("server", Query, TEXT), may("kind", Query, ITEM_KIND), CURSOR, LIMIT],
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
            must(
                "body",
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
            may(
                "overlap_secs",
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
            may(
                "by",
                Query,
                r#"{"type": "string", "description": "Dimensions, separated by commas: key, organisation, team, user, agent, tags, run, model, provider, upstream_model, mcp_server, tool, operation, status, day, hour."}"#,
            ),
            SINCE,
            UNTIL,
            may("key", Query, TEXT),
            may("team", Query, TEXT),
            may("user", Query, TEXT),
            may("run", Query, TEXT),
            may("limit", Query, r#"{"type": "integer", "minimum": 1, "maximum": 10000}"#),
        ],
        gives: Gives::Rows,
    },
];

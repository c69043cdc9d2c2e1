//! Tools for every caller: what there is for this caller, what it has used, and what is left.

use std::sync::Arc;

use gatehouse_catalog::Config;
use gatehouse_catalog::mcp::OWN_SERVER;
use gatehouse_domain::{Action, Now};
use gatehouse_llm_gateway::prices;
use gatehouse_llm_gateway::providers;
use gatehouse_mcp_gateway::Raw;
use gatehouse_mcp_gateway::catalogue::{Catalogue, Entry, Kind, Route};
use gatehouse_pipeline::Visit;
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;

use super::shape::{self, Effect, Outcome, Refused, Shown};
use super::{administration, shape::rows};
use crate::house::{House, limits, wiring};

/// Results of a search where nothing else is asked for, and the most.
const RESULTS: u64 = 5;
const RESULTS_MAX: u64 = 20;
/// What usage is summed up by where nobody says.
const USAGE_BY: &str = "model,tool";

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Models,
    Servers,
    Search,
    Usage,
    Limits,
}

impl Tool {
    const ALL: [(&'static str, Self); 5] = [
        ("list_limits", Self::Limits),
        ("list_models", Self::Models),
        ("list_servers", Self::Servers),
        ("search_tools", Self::Search),
        ("usage", Self::Usage),
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, tool)| *tool)
    }
}

/// As `tools/list` has them.
pub(super) fn definitions() -> Vec<Value> {
    Tool::ALL.iter().map(|(name, tool)| shown(name, *tool).definition()).collect()
}

fn shown(name: &'static str, tool: Tool) -> Shown {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let (title, description, arguments, output) = match tool {
        Tool::Models => (
            "List models",
            "The models you may use, with their providers, the dialects these speak, and context and prices where they are known.",
            vec![],
            rows(),
        ),
        Tool::Servers => (
            "List MCP servers",
            "The MCP servers you may use: how each stands, how many of its tools are for you, and how many tokens these take in a \
             model's context.",
            vec![],
            rows(),
        ),
        Tool::Search => (
            "Search tools",
            "Finds tools by what they do, among all that you may use. Each result has the name to call, the endpoint to call it \
             at, and its input schema.",
            vec![
                ("query", true, text("What the tool should do, in a few words.")),
                (
                    "limit",
                    false,
                    json!({ "type": "integer", "minimum": 1, "maximum": RESULTS_MAX, "default": RESULTS }),
                ),
            ],
            json!({
                "type": "object",
                "properties": { "tools": { "type": "array", "items": { "type": "object" } } },
                "required": ["tools"],
            }),
        ),
        Tool::Usage => (
            "Show usage",
            "What you have used yourself: attempts, tokens and cost from the ledger, dearest first.",
            vec![
                (
                    "by",
                    false,
                    text(
                        "Dimensions, separated by commas: model, tool, mcp_server, provider, upstream_model, operation, status, \
                         run, tags, day, hour. `model,tool` if not given.",
                    ),
                ),
                ("since", false, text("At or after this: a time, a day (UTC), or how long ago (`7d`, `24h`, `30m`).")),
                ("until", false, text("Before this.")),
                ("run", false, text("Only this run.")),
                ("limit", false, json!({ "type": "integer", "minimum": 1, "maximum": 10_000 })),
            ],
            rows(),
        ),
        Tool::Limits => (
            "List limits",
            "The limits and budgets that your calls count against, by payer, with what is used and what is left.",
            vec![],
            rows(),
        ),
    };
    Shown { name, title, description, effect: Effect::Reads, arguments, output }
}

/// Answers a call.
pub(super) async fn answer(
    house: &Arc<House>,
    control: &Handle,
    visit: &Visit,
    tool: Tool,
    arguments: &Map<String, Value>,
) -> Outcome {
    match tool {
        Tool::Models => models(house, control, visit).await,
        Tool::Servers => Ok(servers(house, visit)),
        Tool::Search => search(house, control, visit, arguments).await,
        Tool::Usage => usage(house, control, visit, arguments).await,
        Tool::Limits => Ok(own_limits(visit)),
    }
}

/// What `/v1/models` lists for the same caller. The configuration is looked at where a reload may hold it.
async fn models(house: &Arc<House>, control: &Handle, visit: &Visit) -> Outcome {
    let (names, now, house) = (visit.models(), visit.now(), Arc::clone(house));
    let read = control.spawn(async move {
        house.config(|config| {
            let prices = wiring::catalogue(config);
            names.iter().map(|name| model(config, &prices, name, now)).collect::<Vec<_>>()
        })
    });
    let rows = read.await.map_err(|_| administration::broke_off())?;
    Ok(json!({ "rows": rows.unwrap_or_default() }))
}

/// A model by its targets; limits and prices are those of the first.
fn model(config: &Config, prices: &prices::Catalogue, name: &Arc<str>, now: Now) -> Value {
    let mut row = json!({ "name": name });
    let Some(model) = config.models.get(name) else { return row };
    let mut dialects = Vec::new();
    let mut providers = Vec::new();
    for target in &model.targets {
        if !providers.contains(&&target.provider) {
            providers.push(&target.provider);
        }
        let kind = config.providers.get(&target.provider).and_then(|provider| providers::kind(&provider.kind));
        for native in kind.into_iter().flat_map(|kind| kind.native).filter(|native| (native.covers)(&target.model)) {
            if !dialects.contains(&native.dialect.as_str()) {
                dialects.push(native.dialect.as_str());
            }
        }
    }
    row["providers"] = json!(providers);
    row["dialects"] = json!(dialects);
    let Some(first) = model.targets.first() else { return row };
    let Some(provider) = config.providers.get(&first.provider) else { return row };
    let list = prices.find(&first.provider, &provider.kind, &first.model);
    let mut known = |member: &str, value: Option<Value>| {
        if let Some(value) = value {
            row[member] = value;
        }
    };
    known("context_tokens", list.max_input.map(Value::from));
    known("output_tokens", list.max_output.map(Value::from));
    known("usd_per_million_tokens", list.at(now).map(|price| usd(price.base())));
    row
}

/// Prices as people write them.
fn usd(rates: &prices::Rates) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "shown to people, never summed")]
    let usd = |rate: gatehouse_domain::PicoPerToken| rate.0 as f64 / 1e6;
    json!({
        "input": usd(rates.input), "output": usd(rates.output),
        "cache_read": usd(rates.cache_read), "cache_write": usd(rates.cache_write_5m),
    })
}

/// Is a tool for this caller: by key, policies, and, of the gateway's own, by role?
fn is_shown(visit: &Visit, entry: &Entry) -> bool {
    let who = visit.caller();
    let own = *entry.server == *OWN_SERVER;
    // The gateway's own server is called on its own path, which a toolset does not open.
    let opened = !own || (may_enter(visit, OWN_SERVER) && administration::is_for(&entry.real, &who.principal));
    opened && visit.lists(Action::CallTool, &entry.canonical)
}

fn may_enter(visit: &Visit, server: &str) -> bool {
    visit.caller().permit.of_server(server, std::iter::empty()).is_ok()
}

/// The servers the caller may enter, or has a tool of through a toolset.
fn servers(house: &House, visit: &Visit) -> Value {
    let catalogue = house.mcp.known_to(&visit.caller().principal);
    let rows = catalogue.servers().filter_map(|view| {
        let name = &view.standing.server;
        let offer = catalogue.offer(&Route::Server(Arc::clone(name)));
        let tools = offer.into_iter().flat_map(|offer| offer.entries(Kind::Tool));
        let (count, tokens) = tools
            .filter(|entry| is_shown(visit, entry))
            .fold((0_u32, 0_u32), |(count, tokens), entry| (count + 1, tokens.saturating_add(entry.weight)));
        let enters = may_enter(visit, name);
        let mut row = json!({
            "name": name, "state": view.standing.state.as_str(), "tools": count, "tool_tokens": tokens,
        });
        if enters {
            row["endpoint"] = format!("/mcp/servers/{name}").into();
        }
        (enters || count > 0).then_some(row)
    });
    json!({ "rows": rows.collect::<Vec<_>>() })
}

async fn search(house: &House, control: &Handle, visit: &Visit, arguments: &Map<String, Value>) -> Outcome {
    let query = arguments.get("query").and_then(Value::as_str).filter(|query| !query.trim().is_empty());
    let query = query.ok_or_else(|| Refused::arguments("`query` says in a few words what the tool should do."))?;
    let limit = arguments.get("limit").and_then(Value::as_u64).unwrap_or(RESULTS).clamp(1, RESULTS_MAX);
    let catalogue = house.mcp.known_to(&visit.caller().principal);
    // Reading thousands of descriptions for the first search takes a while.
    let read = Arc::clone(&catalogue);
    let made = control.spawn_blocking(move || _ = read.search()).await;
    made.map_err(|_| administration::broke_off())?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let hits = catalogue.search().find(query, limit, &|entry| is_shown(visit, entry));
    let tools: Vec<Value> = hits.iter().map(|hit| found(&catalogue, &hit.tool)).collect();
    Ok(json!({ "tools": tools }))
}

/// What it takes to call a tool that was found.
fn found(catalogue: &Catalogue, tool: &Entry) -> Value {
    let joined = catalogue.offer(&Route::All).is_some_and(|all| all.servers().any(|server| *server == tool.server));
    let endpoint = if joined { "/mcp".to_owned() } else { format!("/mcp/servers/{}", tool.server) };
    json!({
        "tool": tool.canonical, "name": tool.exposed, "endpoint": endpoint,
        "description": tool.description(), "inputSchema": tool.json.get(&["inputSchema"]).as_ref().map(Raw::value),
    })
}

async fn usage(house: &House, control: &Handle, visit: &Visit, arguments: &Map<String, Value>) -> Outcome {
    let inside = house.inside()?;
    let mut question = arguments.clone();
    question.entry("by").or_insert_with(|| USAGE_BY.into());
    let caller = Arc::clone(&visit.caller().principal);
    let asked = control.spawn(async move { inside.own_usage(&caller, question.into()).await });
    shape::outcome(&asked.await.map_err(|_| administration::broke_off())?)
}

fn own_limits(visit: &Visit) -> Value {
    let meters = visit.caller().meters.iter();
    let rows = meters.flat_map(|meter| limits::standings(meter, visit.now()));
    json!({ "rows": rows.collect::<Vec<_>>() })
}

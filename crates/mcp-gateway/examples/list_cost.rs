//! What a list out of the catalogue costs: `cargo run --release -p gatehouse-mcp-gateway --example list_cost`. The promise is 100 µs
//! for a list, whoever asks; composing is what happens on a change.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "an example prints what it finds")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use gatehouse_domain::Now;
use gatehouse_mcp_gateway::Raw;
use gatehouse_mcp_gateway::blueprint::{Auth, Blueprint, Caps, PinPolicy, Server, Transport};
use gatehouse_mcp_gateway::catalogue::{
    Catalogue, Fetched, Kind, NameBook, Page, Parts, Route, Sheet, Standing, State,
};
use gatehouse_mcp_gateway::pins::PinBook;
use serde_json::json;

const SERVERS: usize = 10;
const TOOLS: usize = 20;
const ROUNDS: u32 = 200;

fn main() {
    let standings: Vec<_> = (0..SERVERS).map(server).collect();
    let servers = standings.iter().map(|(standing, _)| configured(&standing.server)).collect();
    let blueprint = Blueprint { servers, ..Blueprint::default() };
    let (pins, mut names) = (PinBook::default(), NameBook::default());
    let compose = |names: &mut NameBook| {
        let parts = Parts { blueprint: &blueprint, standings: &standings, pins: &pins, generation: 1 };
        Catalogue::compose(&parts, names).catalogue
    };
    let catalogue = compose(&mut names);
    let offer = catalogue.offer(&Route::All).expect("there is one");
    let page = || offer.list(Kind::Tool, &|entry| !entry.real.is_empty(), &Page::default()).expect("the first page");
    let info = Raw::object([("name", Raw::text("gatehouse"))]);
    let bytes = page().result(Some(&info), None).bytes().len();
    println!("{} tools of {SERVERS} servers, {bytes} bytes", offer.entries(Kind::Tool).len());
    println!("list     {:?}", of(|| drop(black_box(page().result(Some(&info), None)))));
    println!(
        "find     {:?}",
        of(|| {
            black_box(offer.find(Kind::Tool, "tool_7_3"));
        })
    );
    println!("compose  {:?}", of(|| drop(black_box(compose(&mut names)))));
    println!("read     {:?} (one server's lists: hashes and scan)", of(|| drop(black_box(server(3)))));
}

fn of(mut run: impl FnMut()) -> Duration {
    run();
    let began = Instant::now();
    (0..ROUNDS).for_each(|_| run());
    began.elapsed() / ROUNDS
}

fn server(number: usize) -> (Standing, Option<Arc<Sheet>>) {
    let name: Arc<str> = format!("server{number}").into();
    let tool = |tool: usize| {
        let text = "Searches what there is and returns what fits best, page by page. ".repeat(8);
        let properties =
            json!({"query": {"type": "string", "description": text}, "limit": {"type": "integer", "minimum": 1}});
        Raw::of(&json!({
            "name": format!("tool_{number}_{tool}"),
            "description": text,
            "inputSchema": {"type": "object", "properties": properties, "required": ["query"]},
        }))
    };
    let fetched = Fetched {
        server: Arc::clone(&name),
        revision: "2026-07-28".into(),
        modern: true,
        capabilities: Raw::of(&json!({"tools": {}})),
        instructions: None,
        tools: (0..TOOLS).map(tool).collect(),
        prompts: Vec::new(),
        resources: Vec::new(),
        templates: Vec::new(),
        at: Now(SystemTime::UNIX_EPOCH),
        ttl_ms: 0,
        public: false,
    };
    let standing = Standing { server: name, state: State::Up, last_error: None };
    (standing, Some(Arc::new(Sheet::read(Arc::new(fetched)))))
}

fn configured(name: &Arc<str>) -> Arc<Server> {
    Arc::new(Server {
        name: Arc::clone(name),
        transport: Transport::Builtin,
        auth: Auth::None,
        trusted: false,
        pins: PinPolicy::HoldChanged,
        park: false,
        sampling_model: None,
        shared: false,
        caps: Caps::default(),
        prices: Vec::new(),
        tool_timeouts: Vec::new(),
    })
}

//! The gateway as an MCP server of its own: who sees which of its tools, that they do what the admin API does and no more, and that
//! what they say is what the rest of the gateway says.

use std::time::Instant;

use gatehouse_tests::mcp::{Answer, Mcp, McpServer, echo_tool};
use gatehouse_tests::{Client, Dialect, Gate, House, Login, PATIENCE, Upstream, run_cli};
use serde_json::{Value, json};

use super::modern;

const OWN: &str = "/mcp/servers/gatehouse";
/// What every caller has there.
const MINE: [&str; 5] = ["list_limits", "list_models", "list_servers", "search_tools", "usage"];
/// The demo server's tools.
const DEMO: [&str; 3] = ["add", "clock", "echo"];

fn secret(key: &str) -> String {
    format!("gk_test_{key}_7c1f0e94ab53d826")
}

/// A house with the demo server and a key for each role, named after it.
fn staffed() -> House {
    let roles = ["owner", "admin", "auditor", "team_lead", "developer", "viewer"];
    let house = House::new().set("/mcp_servers/demo", json!({"builtin": "demo", "prices": {"*": 0.01}}));
    roles.iter().fold(house, |house, role| house.key(json!({"name": role, "secret": secret(role), "role": role})))
}

fn caller(gate: &Gate, key: &str) -> Client {
    gate.stranger().key(&secret(key))
}

fn itself(client: &Client) -> Mcp {
    Mcp::modern(client, OWN)
}

fn of(gate: &Gate, key: &str) -> Mcp {
    itself(&caller(gate, key))
}

/// The data of a result.
#[track_caller]
fn data(answer: &Answer) -> Value {
    let result = answer.result();
    assert_eq!(result["isError"], false, "{}", answer.text);
    assert_eq!(serde_json::from_str::<Value>(&answer.said()).unwrap(), result["structuredContent"]);
    result["structuredContent"].clone()
}

/// One field of every row.
#[track_caller]
fn each(answer: &Answer, field: &str) -> Vec<String> {
    let data = data(answer);
    data["rows"].as_array().unwrap().iter().map(|row| row[field].as_str().unwrap_or_default().to_owned()).collect()
}

/// The code of a tool's refusal, whose text also says what to do.
#[track_caller]
fn refusal(answer: &Answer) -> String {
    let told: Value = serde_json::from_str(&answer.complaint()).unwrap_or_else(|_| panic!("{}", answer.text));
    assert!(told["error"]["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{told}");
    told["error"]["code"].as_str().unwrap().to_owned()
}

/// The entries of an action in the audit log, newest first, as soon as there are so many.
#[track_caller]
fn audited(gate: &Gate, action: &str, at_least: usize) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let listing = gate.admin().get(&format!("/api/v1/audit?action={action}")).json();
        let rows = listing["rows"].as_array().unwrap().clone();
        if rows.len() >= at_least {
            return rows;
        }
        assert!(Instant::now() < deadline, "{at_least} entries of {action}, not {rows:?}");
    }
}

#[test]
fn every_role_sees_the_tools_it_may_use_and_no_other() {
    let gate = staffed().start();
    let keys = ["create_key", "get_object", "list_keys", "list_objects", "revoke_key", "rotate_key", "usage_report"];
    let reads = [
        "audit_tail",
        "config_status",
        "diff_contract",
        "get_object",
        "list_findings",
        "list_keys",
        "list_objects",
        "list_pending",
        "usage_report",
    ];
    let changes =
        ["approve_contract", "create_key", "delete_object", "put_object", "reload_config", "revoke_key", "rotate_key"];
    let everything = [&reads[..], &changes].concat();
    let nearly: Vec<_> = everything.iter().copied().filter(|tool| *tool != "reload_config").collect();
    for (key, more) in [
        ("viewer", &["get_object", "list_objects"][..]),
        ("developer", &keys),
        ("team_lead", &keys),
        ("auditor", &reads),
        ("admin", &nearly),
        ("owner", &everything),
    ] {
        let mut expected = [&MINE[..], more].concat();
        expected.sort_unstable();
        let mut seen = of(&gate, key).names("tools");
        seen.sort_unstable();
        assert_eq!(seen, expected, "{key}");
    }
    assert_eq!(itself(&gate.client()).names("tools"), MINE);
}

#[test]
fn clients_of_both_eras_find_and_call_it() {
    let gate = staffed().start();
    let mut legacy = Mcp::legacy(&gate.client(), OWN);
    assert_eq!(legacy.names("tools"), itself(&gate.client()).names("tools"));
    assert_eq!(each(&legacy.call("list_servers", json!({})), "name"), ["demo", "gatehouse"]);
    assert_eq!(each(&itself(&gate.client()).call("list_servers", json!({})), "name"), ["demo", "gatehouse"]);
    assert!(legacy.call("create_key", json!({"name": "x"})).is_refused());
}

#[test]
fn other_endpoints_offer_what_they_did_unless_told_otherwise() {
    let gate = staffed().set("/toolsets/all", json!({"tools": ["*"]})).start();
    assert_eq!(modern(&gate.client()).names("tools"), DEMO);
    assert_eq!(modern(&gate.client()).at("/mcp/toolsets/all").names("tools"), DEMO);
    let everywhere = staffed().set("/mcp/gatehouse", json!("everywhere")).start();
    assert_eq!(modern(&everywhere.client()).names("tools").len(), DEMO.len() + MINE.len());
    let off = staffed().set("/mcp/gatehouse", json!("off")).start();
    assert_eq!(itself(&off.client()).hello().status, 404);
}

#[test]
fn a_toolset_that_names_its_tools_has_them_for_whose_role_opens_them() {
    let gate = staffed().set("/toolsets/ops", json!({"tools": ["demo.add", "gatehouse.list_*"]})).start();
    let ops = |client: &Client| modern(client).at("/mcp/toolsets/ops");
    assert_eq!(ops(&gate.client()).names("tools"), ["add", "list_limits", "list_models", "list_servers"]);
    assert!(ops(&caller(&gate, "admin")).names("tools").contains(&"list_keys".to_owned()));
    assert_eq!(ops(&gate.client()).call("list_models", json!({})).status, 200);
}

#[test]
fn a_key_with_a_list_of_servers_enters_only_if_it_names_this_one() {
    let key = |name: &str, servers: Value| json!({"name": name, "secret": secret(name), "mcp_servers": servers});
    let gate = staffed().key(key("some", json!(["demo"]))).key(key("both", json!(["demo", "gatehouse"]))).start();
    assert_eq!(of(&gate, "some").hello().status, 404);
    assert_eq!(each(&of(&gate, "both").call("list_servers", json!({})), "name"), ["demo", "gatehouse"]);
}

#[test]
fn somebody_without_a_key_has_what_every_caller_has_where_such_may_come() {
    let gate = staffed().set("/auth/anonymous", json!(true)).start();
    assert_eq!(itself(&gate.stranger()).names("tools"), MINE);
    assert_eq!(refusal(&itself(&gate.stranger()).call("list_keys", json!({}))), "not_allowed");
    let closed = staffed().start();
    assert_eq!(itself(&closed.stranger()).hello().status, 401);
}

#[test]
fn a_tool_that_is_hidden_is_refused_to_who_calls_it_and_the_audit_log_has_it() {
    let gate = staffed().start();
    for key in ["viewer", "auditor"] {
        assert_eq!(refusal(&of(&gate, key).call("create_key", json!({"name": "mine"}))), "not_allowed");
    }
    assert_eq!(refusal(&of(&gate, "admin").call("reload_config", json!({}))), "not_allowed");
    assert_eq!(refusal(&itself(&gate.client()).call("revoke_key", json!({"id": "viewer"}))), "not_allowed");
    let refused = audited(&gate, "keys.create", 2);
    assert!(refused.iter().all(|row| row["outcome"] == "refused" && row["code"] == "not_allowed"), "{refused:?}");
}

#[test]
fn a_developer_makes_no_key_for_others_and_nobody_gives_more_than_there_is_to_give() {
    let ann = json!({"name": "ann", "secret": secret("ann"), "user": "ann", "role": "developer"});
    let gate = staffed().set("/users", json!({"ann": {}, "bob": {}})).key(ann).start();
    assert_eq!(refusal(&of(&gate, "developer").call("create_key", json!({"name": "x"}))), "not_allowed");
    assert_eq!(refusal(&of(&gate, "ann").call("create_key", json!({"name": "x", "user": "bob"}))), "not_allowed");
    assert_eq!(refusal(&of(&gate, "ann").call("create_key", json!({"name": "x", "role": "admin"}))), "not_allowed");
    assert_eq!(data(&of(&gate, "ann").call("create_key", json!({"name": "own"})))["key"]["user"], "ann");
}

#[test]
fn a_created_key_works_at_once_and_its_secret_is_in_one_answer_alone() {
    let gate = staffed().start();
    let made = of(&gate, "admin").call("create_key", json!({"name": "robot"}));
    let secret = data(&made)["secret"].as_str().unwrap().to_owned();
    assert_eq!(gate.stranger().key(&secret).get("/v1/models").status, 200);
    let id = data(&made)["key"]["id"].as_str().unwrap().to_owned();
    assert!(each(&of(&gate, "admin").call("list_keys", json!({})), "id").contains(&id));
    assert!(!of(&gate, "admin").call("list_keys", json!({})).text.contains(&secret) && !gate.logs().contains(&secret));
    assert!(!gate.admin().get("/api/v1/requests?limit=100").text().contains(&secret));
    assert_eq!(data(&of(&gate, "admin").call("revoke_key", json!({"id": id})))["state"], "revoked");
    assert_eq!(gate.stranger().key(&secret).get("/v1/models").status, 401);
}

#[test]
fn no_guardrail_is_shown_the_secret_of_a_new_key() {
    let anything = json!([{"name": "all", "on": ["tool_result"], "detect": "regex", "action": "block",
        "patterns": [{"name": "secret", "regex": "secret|builtin"}]}]);
    let gate = staffed().set("/guardrails", anything).start();
    assert!(data(&of(&gate, "admin").call("create_key", json!({"name": "robot"})))["secret"].is_string());
    let blocked = of(&gate, "admin").call("get_object", json!({"kind": "mcp_servers", "name": "demo"}));
    assert!(blocked.complaint().contains("`all`"), "{}", blocked.text);
}

#[test]
fn the_audit_log_names_the_caller_and_where_it_came_from() {
    let gate = staffed().start();
    drop(data(&of(&gate, "admin").call("create_key", json!({"name": "robot"}))));
    let rows = audited(&gate, "keys.create", 2);
    let outcomes: Vec<_> = rows.iter().map(|row| row["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["done", "begun"]);
    assert_eq!(rows[0]["actor"], json!({"who": "admin", "key": "admin", "role": "admin", "address": "127.0.0.1"}));
    assert_eq!(data(&of(&gate, "auditor").call("audit_tail", json!({"limit": 2})))["rows"], json!(rows));
}

#[test]
fn another_organisation_is_administered_by_its_own_people() {
    let acme =
        |name: &str, role: &str| json!({"name": name, "secret": secret(name), "organisation": "acme", "role": role});
    let gate =
        staffed().set("/organisations/acme", json!({})).key(acme("boss", "owner")).key(acme("wile", "viewer")).start();
    assert_eq!(each(&of(&gate, "boss").call("list_keys", json!({})), "id"), ["boss", "wile"]);
    assert_eq!(data(&of(&gate, "boss").call("create_key", json!({"name": "x"})))["key"]["organisation"], "acme");
    assert_eq!(refusal(&of(&gate, "boss").call("revoke_key", json!({"id": "viewer"}))), "not_found");
    for tool in ["config_status", "reload_config", "list_pending"] {
        assert!(!of(&gate, "boss").names("tools").contains(&tool.to_owned()), "{tool}");
        assert_eq!(refusal(&of(&gate, "boss").call(tool, json!({}))), "not_allowed");
    }
}

#[test]
fn a_person_with_a_token_has_the_role_in_it_and_an_agent_for_that_person_has_none() {
    let login = Login::start();
    let gate = staffed().set("/auth/jwt", json!([login.entry()])).start();
    let with = |claims: Value| gate.stranger().key(&login.token("ann", &claims));
    let person = with(json!({"role": "admin"}));
    greeted(&person);
    assert_eq!(data(&itself(&person).call("create_key", json!({"name": "robot"})))["key"]["name"], "robot");
    assert_eq!(audited(&gate, "keys.create", 2)[0]["actor"]["who"], "ann");
    let agent = with(json!({"role": "admin", "act": {"sub": "billing"}}));
    assert_eq!(refusal(&itself(&agent).call("create_key", json!({"name": "robot"}))), "not_allowed");
    assert_eq!(itself(&agent).names("tools"), MINE);
}

/// Comes again until the issuer's keys are fetched.
fn greeted(client: &Client) {
    let deadline = Instant::now() + PATIENCE;
    while itself(client).hello().status == 503 {
        assert!(Instant::now() < deadline, "the keys of the issuer never came");
    }
}

#[test]
fn objects_are_put_under_the_rules_of_the_admin_api() {
    let gate = staffed().start();
    let mut admin = of(&gate, "admin");
    let body = json!({"url": "https://example.com/mcp"});
    let put = |name: &str| json!({"kind": "mcp_servers", "name": name, "body": body});
    let mut dry = put("web");
    dry["dry_run"] = json!(true);
    assert_eq!(data(&admin.call("put_object", dry))["dry_run"], true);
    assert_eq!(each(&admin.call("list_objects", json!({"kind": "mcp_servers"})), "name"), ["demo"]);
    assert_eq!(data(&admin.call("put_object", put("web")))["change"], "created");
    let version = data(&admin.call("get_object", json!({"kind": "mcp_servers", "name": "web"})))["version"].clone();
    let stale = json!({"kind": "mcp_servers", "name": "web", "if_version": "999"});
    assert_eq!(refusal(&admin.call("delete_object", stale)), "version_mismatch");
    let delete = json!({"kind": "mcp_servers", "name": "web", "if_version": version});
    assert_eq!(data(&admin.call("delete_object", delete))["change"], "deleted");
    assert_eq!(refusal(&admin.call("put_object", put("demo"))), "declared_in_file");
    assert_eq!(refusal(&admin.call("put_object", put("gatehouse"))), "invalid_object");
}

#[test]
fn wrong_arguments_are_told_and_reach_nothing() {
    let gate = staffed().start();
    let mut owner = of(&gate, "owner");
    for (tool, arguments) in [
        ("create_key", json!({})),
        ("create_key", json!({"name": "x", "admin": true})),
        ("list_objects", json!({"kind": "keys"})),
        ("list_objects", json!({"kind": "config/reload"})),
        ("usage", json!({"by": "colour"})),
        ("usage", json!({"key": "admin"})),
        ("search_tools", json!({"query": "  "})),
        ("audit_tail", json!({"limit": "many"})),
    ] {
        assert_eq!(refusal(&owner.call(tool, arguments)), "invalid_request", "{tool}");
    }
    assert!(audited(&gate, "keys.create", 0).is_empty());
}

#[test]
fn models_are_those_of_the_list_of_models() {
    let upstream = Upstream::start();
    let house = House::with_one(Dialect::OpenAiChat, &upstream).model("slow", &["only/upstream-model"]);
    let gate = house.key(json!({"name": "bot", "secret": secret("bot"), "models": ["fast"]})).start();
    for client in [gate.client(), caller(&gate, "bot")] {
        let listed = client.get("/v1/models").json();
        let listed: Vec<_> = listed["data"].as_array().unwrap().iter().map(|model| model["id"].clone()).collect();
        assert_eq!(json!(each(&itself(&client).call("list_models", json!({})), "name")), json!(listed));
    }
    let fast = &data(&of(&gate, "bot").call("list_models", json!({})))["rows"][0];
    assert_eq!((&fast["providers"], &fast["dialects"]), (&json!(["only"]), &json!(["openai_chat"])));
}

#[test]
fn usage_is_what_the_ledger_has_of_the_caller_and_of_nobody_else() {
    let gate = staffed().start();
    for key in ["viewer", "viewer", "admin"] {
        assert!(!modern(&caller(&gate, key)).call("add", json!({"a": 1, "b": 2})).is_refused());
    }
    assert_eq!(gate.ledger_of(3).len(), 3);
    let own = data(&of(&gate, "viewer").call("usage", json!({"by": "tool"})))["rows"].clone();
    let report = gate.admin().get("/api/v1/usage?by=tool&key=viewer").json()["rows"].clone();
    let of_add = |rows: &Value| rows.as_array().unwrap().iter().find(|row| row["tool"] == "demo.add").cloned();
    assert_eq!(of_add(&own), of_add(&report));
    assert_eq!(of_add(&own).unwrap()["attempts"], 2);
    assert_eq!(of_add(&data(&of(&gate, "admin").call("usage", json!({})))["rows"]).unwrap()["attempts"], 1);
}

#[test]
fn limits_are_those_of_the_caller_with_what_is_left() {
    let limits = json!([{"requests": 5, "per": "hour"}]);
    let gate = staffed().key(json!({"name": "bot", "secret": secret("bot"), "limits": limits})).start();
    assert!(!modern(&caller(&gate, "bot")).call("add", json!({"a": 1, "b": 2})).is_refused());
    let row = &data(&of(&gate, "bot").call("list_limits", json!({})))["rows"][0];
    assert_eq!((&row["payer"], &row["max"], &row["used"]), (&json!("bot"), &json!(5.0), &json!(1.0)));
    assert_eq!(data(&of(&gate, "viewer").call("list_limits", json!({})))["rows"], json!([]));
}

#[test]
fn a_search_finds_only_what_the_caller_may_use() {
    let (open, closed) = (McpServer::modern(), McpServer::modern());
    open.change_tools(vec![echo_tool("weather_now")]);
    closed.change_tools(vec![echo_tool("weather_secret")]);
    let house = super::house(&[("open", &open), ("closed", &closed)]);
    let key = json!({"name": "bot", "secret": secret("bot"), "mcp_servers": ["open", "gatehouse"]});
    let gate = house.key(key).start();
    let found = |client: &Client| {
        let found = data(&itself(client).call("search_tools", json!({"query": "weather"})));
        let tools = found["tools"].as_array().unwrap().clone();
        tools.iter().map(|tool| tool["tool"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found(&caller(&gate, "bot")), ["open.weather_now"]);
    assert_eq!(found(&gate.client()).len(), 2);
}

#[test]
fn a_tool_that_was_found_can_be_called_where_it_was_said_to_be() {
    let gate = staffed().start();
    let found = data(&of(&gate, "admin").call("search_tools", json!({"query": "make a new key", "limit": 1})));
    let tool = &found["tools"][0];
    assert_eq!((&tool["tool"], &tool["endpoint"]), (&json!("gatehouse.create_key"), &json!(OWN)));
    let viewers = data(&of(&gate, "viewer").call("search_tools", json!({"query": "make a new key"})));
    assert!(!viewers.to_string().contains("create_key"), "{viewers}");
}

#[test]
fn servers_are_told_with_their_state_and_the_weight_of_what_the_caller_sees() {
    let gate = staffed().start();
    let rows = data(&of(&gate, "viewer").call("list_servers", json!({})))["rows"].clone();
    assert_eq!((&rows[0]["state"], &rows[0]["tools"], &rows[1]["tools"]), (&json!("up"), &json!(3), &json!(7)));
    assert_eq!(rows[1]["endpoint"], OWN);
    let more = data(&of(&gate, "owner").call("list_servers", json!({})))["rows"].clone();
    assert!(more[1]["tool_tokens"].as_u64() > rows[1]["tool_tokens"].as_u64(), "{more}");
}

#[test]
fn a_held_tool_is_compared_and_approved() {
    let server = McpServer::modern();
    let gate = staffed().set("/mcp_servers/s", json!({"url": server.url(), "pins": "hold_new"})).start();
    let (mut admin, mut client) = (of(&gate, "admin"), super::modern_one(&gate));
    assert!(!client.names("tools").contains(&"echo".to_owned()));
    let pending = json!({"server": "s", "kind": "tool"});
    assert!(each(&admin.call("list_pending", pending.clone()), "name").contains(&"echo".to_owned()));
    let echo = json!({"server": "s", "kind": "tool", "name": "echo"});
    assert_eq!(data(&admin.call("diff_contract", echo.clone()))["to"]["state"], "pending");
    assert_eq!(data(&admin.call("approve_contract", echo))["rows"][0]["state"], "approved");
    assert!(client.names("tools").contains(&"echo".to_owned()));
    assert!(!each(&admin.call("list_pending", pending), "name").contains(&"echo".to_owned()));
}

#[test]
fn its_own_tools_are_neither_pinned_nor_found_fault_with() {
    let gate = staffed().set("/mcp/pins", json!("hold_new")).start();
    let mut owner = of(&gate, "owner");
    assert!(!each(&owner.call("list_pending", json!({})), "server").contains(&"gatehouse".to_owned()));
    assert!(each(&owner.call("list_findings", json!({})), "server").is_empty());
}

#[test]
fn an_owner_reloads_and_hears_why_a_configuration_is_refused() {
    let gate = staffed().start();
    let mut owner = of(&gate, "owner");
    let before = data(&owner.call("config_status", json!({})))["generation"].as_u64().unwrap();
    assert!(data(&owner.call("reload_config", json!({})))["generation"].as_u64().unwrap() > before);
    gate.rewrite_config(&staffed().set("/models/x", json!({"targets": [{"provider": "none", "model": "m"}]})).file());
    let refused = owner.call("reload_config", json!({}));
    assert_eq!(refusal(&refused), "invalid_request");
    assert!(refused.complaint().contains("there is no provider `none`"), "{}", refused.text);
}

#[test]
fn a_policy_forbids_its_tools_like_any_other() {
    let permit = "permit (principal, action, resource is Tool);";
    let forbid = r#"@id("no-keys") forbid (principal, action, resource == Tool::"gatehouse.create_key");"#;
    let gate = staffed().set("/policies", json!([permit, forbid])).start();
    assert!(!of(&gate, "owner").names("tools").contains(&"create_key".to_owned()));
    let refused = of(&gate, "owner").call("create_key", json!({"name": "x"}));
    assert!(refused.is_refused() && audited(&gate, "keys.create", 0).is_empty(), "{}", refused.text);
    let destructive =
        r#"forbid (principal, action, resource is Tool) when { resource has destructive && resource.destructive };"#;
    let gate = staffed().set("/policies", json!([permit, destructive])).start();
    let seen = of(&gate, "owner").names("tools");
    assert!(seen.contains(&"create_key".to_owned()) && !seen.contains(&"revoke_key".to_owned()), "{seen:?}");
}

#[test]
fn each_call_is_a_row_of_the_ledger_like_a_call_to_any_server() {
    let gate = staffed().start();
    drop(data(&of(&gate, "viewer").call("list_models", json!({}))));
    let row = &gate.ledger_of(1)[0];
    assert_eq!((&*row.key, &*row.model, &*row.provider), ("viewer", "gatehouse.list_models", "gatehouse"));
}

#[test]
fn why_a_tool_of_it_is_not_there_is_explained() {
    let gate = staffed().start();
    let explain = |key: &str| {
        let path = format!("/api/v1/mcp/explain?key={key}&tool=gatehouse.create_key&endpoint={OWN}");
        gate.admin().get(&path).json()
    };
    assert_eq!(explain("admin")["visible"], true);
    let viewer = explain("viewer");
    assert!(viewer["visible"] == false && viewer["message"].as_str().unwrap().contains("role"), "{viewer}");
}

#[test]
fn a_server_of_the_file_cannot_take_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("taken.yaml");
    std::fs::write(&file, staffed().set("/mcp_servers/gatehouse", json!({"builtin": "demo"})).file()).unwrap();
    let refused = run_cli(&["check", file.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&refused.stdout).into_owned() + &String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && told.contains("`gatehouse` is the gateway's own MCP server"), "{told}");
}

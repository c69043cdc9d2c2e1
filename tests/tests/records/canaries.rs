//! More than five hundred canaries, in every field a caller, an operator or a provider can fill; and not one of them in
//! anything the gateway writes or tells anybody but the caller who sent it. docs/secrets.md says what is shown by design.

use gatehouse_tests::{Canaries, Carrier, Client, Dialect, Gate, House, KEY_OF_ADMIN, Received, Reply, Upstream};
use serde_json::{Value, json};

use super::rows;

/// Every way a call of a house can go.
const MODELS: [&str; 5] = ["answers", "crosses", "echoes", "fails", "nowhere"];

#[test]
fn no_private_word_is_in_anything_the_gateway_writes() {
    let mut canaries = Canaries::default();
    let secrets = tempfile::tempdir().expect("a folder");
    let collector = Upstream::start();
    let (from_provider, provider_error) = (canaries.lay("an answer's text"), canaries.lay("a provider's error"));
    let upstream = Upstream::start_with(0, move |request| provider(request, &from_provider, &provider_error));
    let mut own = Canaries::default();
    let mut gate = house(&mut own, &secrets, &upstream, &collector);
    for dialect in Dialect::ALL {
        for model in MODELS {
            for answer in call(&gate, &mut canaries, dialect, model) {
                let told = own.found_in(&answer);
                assert!(told.is_empty(), "{dialect:?} {model} tells {told:?}: {}", String::from_utf8_lossy(&answer));
            }
        }
        misuse(&gate, &mut canaries, dialect);
    }
    operate(&gate, &mut canaries);
    canaries.add(own);
    assert!(canaries.count() >= 500, "only {} canaries", canaries.count());

    let served = Dialect::ALL.len() * MODELS.len();
    rows(&gate, "/api/v1/requests?limit=1000", served);
    let told = tell_all(&gate);
    let mut found: Vec<String> = Vec::new();
    let mut search = |outlet: &str, bytes: &[u8]| {
        found.extend(canaries.found_in(bytes).into_iter().map(|place| format!("{outlet}: {place}")));
    };
    told.iter().for_each(|(outlet, text)| search(outlet, text.as_bytes()));
    search("the log", gate.logs().as_bytes());
    let in_folder_alive = canaries.found_in_folder(gate.folder());
    gate.terminate();
    assert!(gate.wait_for_exit().success());
    search("the log", gate.logs().as_bytes());
    let spans = collector.requests();
    assert!(!spans.is_empty(), "the collector was sent spans");
    for export in spans {
        search("a span", &export.body);
        search("the head of an export", format!("{:?}", export.headers).as_bytes());
    }
    found.extend(in_folder_alive);
    found.extend(canaries.found_in_folder(gate.folder()));
    found.sort_unstable();
    found.dedup();
    assert!(found.is_empty(), "{} of {} canaries got out:\n{}", found.len(), canaries.count(), found.join("\n"));
}

#[test]
fn names_are_shown_where_names_belong_and_never_label_a_metric() {
    let mut names = Canaries::default();
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::OpenAiChat, &upstream).start();
    let (model, run, tag) = (names.lay("model"), names.lay("run"), names.lay("tag"));
    let caller = gate.client().header("x-gatehouse-run", &run).header("x-gatehouse-tags", &format!("job={tag}"));
    let refused = caller.ask(Dialect::OpenAiChat, &model, "Hello?");
    assert!(refused.refused(Dialect::OpenAiChat, 404).contains(&model), "its own caller is told which");
    let row = rows(&gate, "/api/v1/requests", 1)[0].to_string();
    assert_eq!(names.found_in(row.as_bytes()), ["model", "run", "tag"]);
    assert!(names.found_in(gate.stranger().get("/metrics").text().as_bytes()).is_empty());
}

/// A provider that repeats what it should not: the gateway's own credentials, and words of its own.
fn provider(request: &Received, text: &str, error: &str) -> Reply {
    match &*request.model {
        "answers" => Reply::text(text),
        "echoes" => Reply::error(400, &format!("{error} {:?}", request.headers)),
        _ => Reply::error(500, error),
    }
}

/// A provider in each dialect, whose keys and headers are canaries; a collector that is sent spans.
fn house(canaries: &mut Canaries, secrets: &tempfile::TempDir, upstream: &Upstream, collector: &Upstream) -> Gate {
    let mut reference = |place: String| {
        let file = secrets.path().join(place.replace([' ', '/'], "-"));
        std::fs::write(&file, canaries.lay(place)).expect("written");
        json!(format!("${{file:{}}}", file.display()))
    };
    let mut house = House::new()
        .set("/server", json!({"responses_store": false}))
        .set("/telemetry", json!({"otlp": collector.url()}))
        .key(json!({"name": "other", "secret": reference("a key of the file".to_owned())}));
    for dialect in Dialect::ALL {
        let name = dialect.name().replace('_', "-");
        house = house.provider(&name, dialect, upstream).without_retries(&name);
        if dialect == Dialect::Bedrock {
            let secret = reference(format!("secret access key of {name}"));
            house = house.set(&format!("/providers/{name}/secret_access_key"), secret);
        } else {
            house = house.set(&format!("/providers/{name}/api_key"), reference(format!("api key of {name}")));
        }
        let header = reference(format!("header of {name}"));
        house = house.set(&format!("/providers/{name}/headers"), json!({"x-internal": header}));
        let crossing = if dialect == Dialect::Anthropic { "openai-chat" } else { "anthropic" };
        for (model, target) in [
            ("answers", format!("{name}/answers")),
            ("echoes", format!("{name}/echoes")),
            ("fails", format!("{name}/fails")),
        ] {
            house = house.model(&format!("{name}-{model}"), &[&target]);
        }
        house = house.model(&format!("{name}-crosses"), &[&format!("{crossing}/answers")]);
    }
    house.start()
}

/// A call with a canary in every field, whole and as a stream. What its own caller is told is its own business.
fn call(gate: &Gate, canaries: &mut Canaries, dialect: Dialect, model: &str) -> Vec<Vec<u8>> {
    let mut answers = Vec::new();
    let model = format!("{}-{model}", dialect.name().replace('_', "-"));
    for stream in [false, true] {
        let mut lay = |field: &str| canaries.lay(format!("{field} of {model}"));
        let mut caller = gate.client();
        for header in ["x-private", "cookie", "user-agent", "x-forwarded-for", "baggage"] {
            caller = caller.header(header, &lay(header));
        }
        let mut body = dialect.request(&model, &lay("prompt"), stream);
        for (field, value) in [
            ("user", json!(lay("user"))),
            ("metadata", json!({"user_id": lay("metadata")})),
            ("unknown_field", json!([{"deep": lay("unknown field")}])),
        ] {
            // Some dialects take none of these; a refusal must not tell either.
            if stream || field == "user" {
                body[field] = value;
            }
        }
        let path = dialect.path(&model, stream);
        let joint = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{joint}private={}", lay("query"));
        let answer = caller.send("POST", &path, body.to_string().as_bytes()).try_response();
        let answer = answer.unwrap_or_else(|| panic!("{model} was answered"));
        answers.push([format!("{:?}", answer.headers).into_bytes(), answer.body].concat());
    }
    let tools = with_tools(dialect, &model, canaries);
    answers.push(gate.client().post(&dialect.path(&model, false), &tools).body);
    answers
}

/// A conversation in which a tool was called, in the dialect's own words where they differ most.
fn with_tools(dialect: Dialect, model: &str, canaries: &mut Canaries) -> Value {
    let mut lay = |field: &str| canaries.lay(format!("{field} of {model}"));
    let (system, argument, result, tool) =
        (lay("system"), lay("tool argument"), lay("tool result"), lay("tool description"));
    let mut body = dialect.request(model, &lay("prompt"), false);
    match dialect {
        Dialect::Anthropic => {
            body["system"] = json!(system);
            body["tools"] = json!([{"name": "look", "description": tool, "input_schema": {"type": "object"}}]);
            body["messages"].as_array_mut().expect("messages").extend([
                json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {"at": argument}}]}),
                json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": result}]}),
            ]);
        }
        Dialect::OpenAiChat | Dialect::Cohere => {
            body["tools"] = json!([{"type": "function", "function": {"name": "look", "description": tool, "parameters": {"type": "object"}}}]);
            let arguments = json!({"at": argument}).to_string();
            body["messages"].as_array_mut().expect("messages").extend([
                json!({"role": "system", "content": system}),
                json!({"role": "assistant", "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "look", "arguments": arguments}}]}),
                json!({"role": "tool", "tool_call_id": "t1", "content": result}),
            ]);
        }
        // In the others these are fields of a wrong shape: refused, and not told to anybody else.
        _ => {
            body["tools"] = json!([{"name": "look", "description": tool, "system": system, "call": {"at": argument, "result": result}}])
        }
    }
    body
}

/// Requests that are refused before anything is known of them.
fn misuse(gate: &Gate, canaries: &mut Canaries, dialect: Dialect) {
    let model = format!("{}-answers", dialect.name().replace('_', "-"));
    let path = dialect.path(&model, false);
    let body = dialect.request(&model, "Hello?", false);
    for carrier in Carrier::ALL {
        let wrong = canaries.lay(format!("wrong key by {carrier:?} in {dialect:?}"));
        assert_eq!(gate.stranger().key(&wrong).carrying(carrier).post(&path, &body).status, 401, "{carrier:?}");
    }
    let broken =
        format!("{{\"model\": \"{model}\", \"private\": \"{}\"", canaries.lay(format!("broken JSON in {dialect:?}")));
    drop(gate.client().post_bytes(&path, broken.as_bytes()));
    let not_text = json!({"model": {"private": canaries.lay(format!("model that is no text in {dialect:?}"))}});
    drop(gate.client().post(&path, &not_text));
    drop(gate.client().get(&format!("/v1/{}", canaries.lay("an unknown path"))));
    let odd = gate.client().header("content-encoding", &canaries.lay("an unknown encoding"));
    drop(odd.post(&path, &body));
}

/// An operator at work, some of it wrong.
fn operate(gate: &Gate, canaries: &mut Canaries) {
    let wrong: Client = gate.stranger().key(&canaries.lay("wrong admin key"));
    assert_eq!(wrong.get("/api/v1/keys").status, 401);
    drop(gate.stranger().post("/api/v1/claim", &json!({"token": canaries.lay("wrong claim")})));
    drop(gate.stranger().get(&format!("/claim/{}", canaries.lay("wrong claim link"))));
    for body in [
        json!({"name": "x", "privat": canaries.lay("unknown field of a key")}),
        json!({"name": {"x": canaries.lay("name of a wrong shape")}}),
    ] {
        assert_eq!(gate.admin().post("/api/v1/keys", &body).status, 400);
    }
    declare(gate, canaries);
    let secret = canaries.lay("a stored secret");
    drop(gate.run(&["secrets", "set", "example"], &secret));
    drop(gate.run(&["secrets", "rotate"], ""));
    let replaced = canaries.lay("a replaced secret");
    drop(gate.run(&["secrets", "set", "example"], &replaced));
}

/// Objects and secrets by the admin API, good and bad, with a canary in every field that is for a secret, and in bodies that
/// are refused.
fn declare(gate: &Gate, canaries: &mut Canaries) {
    let put = |path: &str, body: Value, status: u16| {
        let answer = gate.admin().put(&format!("/api/v1/{path}"), &body);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        answer.body
    };
    let mut answers = Vec::new();
    for n in 0..2 {
        let mut lay = |field: &str| canaries.lay(format!("{field}, version {n}"));
        let status = if n == 0 { 201 } else { 200 };
        let hook = json!({
            "on": ["request"], "detect": "webhook", "action": "block", "fail": "open", "models": ["nobodys-model"],
            "url": "https://hook.example.com", "token": lay("token of a guardrail"),
        });
        answers.push(put("guardrails/hook", hook, status));
        let provider = json!({
            "kind": "openai", "api_key": lay("api key by the API"), "headers": {"x-private": lay("a header by the API")},
        });
        answers.push(put("providers/by-api", provider, status));
        let server = json!({
            "url": "http://127.0.0.1:9/mcp", "auth": {"bearer": lay("bearer of an MCP server")},
            "headers": {"x-private": lay("a header of an MCP server")},
        });
        answers.push(put("mcp_servers/by-api", server, status));
        answers.push(put("secrets/by-api", json!({"value": lay("a secret by the API")}), status));
        let referring = json!({"kind": "openai", "api_key": "${secret:by-api}"});
        answers.push(put("providers/refers", referring, status));
        for (path, body) in [
            ("teams/bad", json!({"privat": lay("unknown field of a team")})),
            ("users/bad", json!({"role": lay("role of a wrong kind")})),
            ("policies/bad", json!({"text": format!("permit (principal == \"{}\");", lay("a broken policy"))})),
            ("limits/bad", json!({"on": {"tag": [lay("a tag of a wrong shape")]}})),
            (
                "guardrails/bad",
                json!({"on": ["request"], "detect": "regex", "action": "block", "token": lay("a stray token")}),
            ),
            ("secrets/bad", json!({"value": {"deep": lay("a value of a wrong shape")}})),
            ("agents/bad", json!({"organisation": "${secret:by-api}", "x": lay("beside a reference")})),
        ] {
            let answer = gate.admin().put(&format!("/api/v1/{path}"), &body);
            assert_eq!(answer.status, 400, "{path}: {}", answer.text());
        }
    }
    // What is good is told to nobody, not even to whoever sent it.
    for answer in answers {
        assert!(canaries.found_in(&answer).is_empty(), "{}", String::from_utf8_lossy(&answer));
    }
}

/// Everything the gateway tells those who operate it.
fn tell_all(gate: &Gate) -> Vec<(String, String)> {
    let document = gate.admin().get("/api/v1/openapi.json").json();
    let paths = document["paths"].as_object().expect("paths");
    let listings = paths.iter().filter(|(path, methods)| !path.contains('{') && methods.get("get").is_some());
    let mut told: Vec<(String, String)> =
        listings.map(|(path, _)| (path.clone(), gate.admin().get(&format!("/api/v1{path}")).text())).collect();
    assert!(told.len() >= 10, "listings of {paths:?}");
    for path in [
        "/metrics",
        "/readyz",
        "/api/v1/requests?limit=1000",
        "/api/v1/audit?limit=1000",
        "/api/v1/usage?by=key,model,provider,run,tags,user",
    ] {
        told.push((path.to_owned(), gate.admin().get(path).text()));
    }
    for command in [
        &["requests", "list", "--limit", "1000", "--output", "json"][..],
        &["audit", "list", "--limit", "1000", "--output", "yaml"],
        &["audit", "export"],
        &["usage", "report", "--by", "key,model,run,tags", "--output", "json"],
        &["secrets", "list", "--output", "json"],
        &["doctor"],
    ] {
        let output = gate.try_run(command, "");
        told.push((command.join(" "), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()));
    }
    assert!(!told.iter().any(|(_, text)| text.contains(KEY_OF_ADMIN)), "the admin key was told");
    told
}

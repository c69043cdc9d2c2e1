//! The Anthropic and Bedrock dialects where golden files do not reach: targets with quirks, hostile input, names that
//! come back.

#![allow(clippy::expect_used, reason = "a test that cannot go on should say where")]

use gatehouse_domain::{Code, Fault};
use gatehouse_llm_gateway::dialects::{Dialect, Quirks, Speaker, ThinkingStyle, anthropic, bedrock};
use gatehouse_llm_gateway::form::{Ask, Dropped, Event, Issuer};
use serde_json::Value;

const BOTH: [&Dialect; 2] = [&anthropic::DIALECT, &bedrock::DIALECT];

fn speaker() -> Speaker<'static> {
    Speaker {
        model: "target-model",
        stream: false,
        issuer: Issuer::Anthropic,
        default_output_cap: 4096,
        thinking: ThinkingStyle::Unknown,
        quirks: Quirks::default(),
    }
}

fn read(body: &str) -> Ask {
    (anthropic::DIALECT.read_ask)(body.as_bytes()).expect("a good request")
}

/// What the dialect writes of a Messages request, and the names of what it dropped.
fn written(dialect: &Dialect, ask: &Ask, speaker: &Speaker<'_>) -> (Value, Vec<String>) {
    let mut dropped = Dropped::default();
    let body = (dialect.write_ask)(ask, speaker, &mut dropped).expect("it can be written");
    (serde_json::from_slice(&body).expect("JSON"), dropped.names().to_vec())
}

fn param_of(dialect: &Dialect, body: &str) -> (Code, String) {
    let fault = (dialect.read_ask)(body.as_bytes()).expect_err("a bad request");
    (fault.code, fault.param.unwrap_or_default())
}

fn decoded(dialect: &Dialect, bytes: &[u8]) -> (Vec<Event>, Option<Fault>) {
    let mut decoder = (dialect.decoder)();
    let mut events = Vec::new();
    let fault = decoder.feed(bytes, &mut events).and_then(|()| decoder.end(&mut events)).err();
    (events, fault)
}

#[test]
fn anthropic_reads_back_what_it_writes() {
    let body = r#"{"model":"target-model","max_tokens":9,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}],
        "messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"document","source":{"type":"content","content":[{"type":"text","text":"chunk"}]}}]},
        {"role":"system","content":[{"type":"text","text":"be polite"}]},
        {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"server_tool_use","id":"i","name":"web_search","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":[{"type":"tool_reference","tool_name":"y"}],"is_error":true}]}],
        "tools":[{"name":"t","description":"d","input_schema":{"z":1,"a":2},"strict":true,"defer_loading":true},{"type":"web_search_20250305","name":"web_search"}],
        "tool_choice":{"type":"auto","disable_parallel_tool_use":true},"thinking":{"type":"between_tools"},
        "output_config":{"effort":"ultra","task_budget":{"type":"tokens"}},"metadata":{"user_id":"u"},"mcp_servers":[]}"#;
    let (out, dropped) = written(&anthropic::DIALECT, &read(body), &speaker());
    let given: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(out, given);
    assert_eq!(dropped, Vec::<String>::new());
}

#[test]
fn bedrock_reads_back_what_it_writes() {
    let body = r#"{"messages":[{"role":"user","content":[{"guardContent":{"text":{"text":"g"}}},{"cachePoint":{"type":"default"}}]}],
        "toolConfig":{"tools":[{"toolSpec":{"name":"t","inputSchema":{"json":{"z":1,"a":2}}}},{"systemTool":{"name":"s"}}]},
        "additionalModelRequestFields":{"top_k":3,"anthropic_beta":["x"]},"guardrailConfig":{"guardrailIdentifier":"g"},"requestMetadata":{"a":"b"}}"#;
    let ask = (bedrock::DIALECT.read_ask)(body.as_bytes()).expect("a good request");
    let (out, dropped) = written(&bedrock::DIALECT, &ask, &speaker());
    let mut given: Value = serde_json::from_str(body).expect("JSON");
    given["messages"][0]["content"].as_array_mut().expect("blocks").truncate(1);
    assert_eq!(out, given);
    assert_eq!(dropped, Vec::<String>::new());
}

#[test]
fn a_model_that_counts_its_thoughts_gets_a_budget() {
    let ask = read(
        r#"{"model":"m","max_tokens":3000,"thinking":{"type":"adaptive"},"output_config":{"effort":"max"},
        "temperature":0.2,"messages":[{"role":"user","content":"x"}]}"#,
    );
    let speaker = Speaker { thinking: ThinkingStyle::Budget, ..speaker() };
    for (dialect, at) in BOTH.into_iter().zip(["/thinking", "/additionalModelRequestFields/thinking"]) {
        let (out, dropped) = written(dialect, &ask, &speaker);
        assert_eq!(out.pointer(at), Some(&serde_json::json!({"type": "enabled", "budget_tokens": 2999})));
        assert_eq!(dropped, ["temperature"]);
    }
}

#[test]
fn calls_without_their_thought_rule_out_a_budget() {
    let ask = read(
        r#"{"model":"m","max_tokens":3000,"thinking":{"type":"enabled","budget_tokens":2000},"messages":[{"role":"user","content":"x"},
        {"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"y"}]}]}"#,
    );
    let speaker = Speaker { thinking: ThinkingStyle::Budget, ..speaker() };
    let (out, dropped) = written(&anthropic::DIALECT, &ask, &speaker);
    assert_eq!((out.get("thinking"), dropped), (None, vec!["reasoning".to_owned()]));
}

#[test]
fn a_thought_returns_to_its_issuer_only() {
    let ask = read(
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},
        {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"text","text":"y"}]},{"role":"user","content":"z"}]}"#,
    );
    let speaker = Speaker { issuer: Issuer::Other, ..speaker() };
    for dialect in BOTH {
        let (out, dropped) = written(dialect, &ask, &speaker);
        assert_eq!(out["messages"][1]["content"].as_array().map(Vec::len), Some(1));
        assert_eq!(dropped, ["reasoning"]);
    }
}

#[test]
fn structured_output_is_forced_where_it_is_not_known() {
    let ask = read(
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"thinking":{"type":"adaptive"},
        "output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}"#,
    );
    let speaker = Speaker { quirks: Quirks { no_output_format: true, ..Quirks::default() }, ..speaker() };
    let (out, dropped) = written(&anthropic::DIALECT, &ask, &speaker);
    assert_eq!(out["tool_choice"], serde_json::json!({"type": "tool", "name": "gatehouse_json_output"}));
    assert_eq!((out.get("output_config"), out.get("thinking"), dropped), (None, None, vec!["reasoning".to_owned()]));
    let (out, _) = written(&bedrock::DIALECT, &ask, &speaker);
    assert_eq!(out["toolConfig"]["toolChoice"]["tool"]["name"], "gatehouse_json_output");
}

#[test]
fn a_tool_comes_back_under_the_clients_name() {
    let ask = read(
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"tools":[{"name":"files.read all","input_schema":{}}]}"#,
    );
    let (out, _) = written(&bedrock::DIALECT, &ask, &speaker());
    let wire = out["toolConfig"]["tools"][0]["toolSpec"]["name"].as_str().expect("a name").to_owned();
    assert!(wire.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'), "{wire}");
    assert_eq!(bedrock::DIALECT.tool_names.client_name(&ask, &wire), Some("files.read all"));
    let (out, _) = written(&anthropic::DIALECT, &ask, &speaker());
    let wire = out["tools"][0]["name"].as_str().expect("a name");
    assert_eq!(anthropic::DIALECT.tool_names.client_name(&ask, wire), Some("files.read all"));
}

#[test]
fn instructions_alone_become_the_users_message() {
    let mut ask = read(r#"{"model":"m","max_tokens":9,"system":"do it","messages":[{"role":"user","content":" "}]}"#);
    for dialect in BOTH {
        let (out, _) = written(dialect, &ask, &speaker());
        assert_eq!((out.get("system"), &out["messages"][0]["role"]), (None, &Value::from("user")));
    }
    ask.system.clear();
    for dialect in BOTH {
        let fault = (dialect.write_ask)(&ask, &speaker(), &mut Dropped::default()).expect_err("nothing to ask");
        assert_eq!((fault.code, fault.param.as_deref()), (Code::InvalidRequest, Some("messages")));
    }
}

#[test]
fn the_field_that_is_wrong_is_named() {
    let anthropic = |body: &str| param_of(&anthropic::DIALECT, body);
    let at = |param: &str| (Code::InvalidRequest, param.to_owned());
    assert_eq!(anthropic(r#"{"model":"m","max_tokens":"9","messages":[]}"#), at("max_tokens"));
    assert_eq!(anthropic(r#"{"model":"m"}"#), at("messages"));
    assert_eq!(
        anthropic(r#"{"messages":[{"role":"user","content":[{"type":"text"}]}]}"#),
        at("messages[0].content[0].text")
    );
    assert_eq!(anthropic(r#"{"messages":[{"role":"tool","content":"x"}]}"#), at("messages[0].role"));
    assert_eq!(
        anthropic(
            r#"{"messages":[{"role":"user","content":"x"},{"role":"user","content":[{"type":"text","text":[]}]}]}"#
        ),
        at("messages[1].content[0].text")
    );
    let bedrock = |body: &str| param_of(&bedrock::DIALECT, body);
    assert_eq!(bedrock(r#"{"messages":[{"role":"user","content":[{"text":7}]}]}"#), at("messages[0].content[0].text"));
    assert_eq!(bedrock(r#"{"messages":[],"inferenceConfig":{"maxTokens":-1}}"#), at("inferenceConfig.maxTokens"));
    for dialect in BOTH {
        assert_eq!(param_of(dialect, r#"{"messages":["#).0, Code::InvalidJson);
    }
}

#[test]
fn a_deep_or_absurd_body_is_refused_and_nothing_breaks() {
    let deep = format!(r#"{{"messages":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let nested = |block: &str, close: &str| {
        let (open, close) = (block.repeat(200), close.repeat(200));
        format!(r#"{{"messages":[{{"role":"user","content":{open}"x"{close}}}]}}"#)
    };
    let of_anthropic = nested(r#"[{"type":"tool_result","tool_use_id":"a","content":"#, "}]");
    let of_bedrock = nested(r#"[{"toolResult":{"toolUseId":"a","content":"#, "}}]");
    for (dialect, nested) in BOTH.into_iter().zip([of_anthropic, of_bedrock]) {
        for body in [deep.as_str(), nested.as_str(), "", "null", "[]", "\"x\"", "{\"messages\":{}}"] {
            assert!((dialect.read_ask)(body.as_bytes()).is_err(), "{}", dialect.name);
            assert!((dialect.read_answer)(body.as_bytes()).is_err(), "{}", dialect.name);
            assert!((dialect.count)(body.as_bytes()).is_none(), "{}", dialect.name);
        }
    }
}

#[test]
fn absurd_counters_do_not_overflow() {
    let body = format!(
        r#"{{"content":[],"usage":{{"input_tokens":{0},"cache_read_input_tokens":{0},"output_tokens":{0}}}}}"#,
        u64::MAX
    );
    let answer = (anthropic::DIALECT.read_answer)(body.as_bytes()).expect("an answer");
    assert!(answer.usage.total() < u64::MAX / 2);
}

#[test]
fn a_stream_that_breaks_is_never_an_answer() {
    let event = |json: &str| format!("data: {json}\n\n");
    let start = event(r#"{"type":"message_start","message":{"id":"m","model":"x"}}"#);
    for rest in [
        String::new(),
        event("{"),
        event(r#"{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"x"}}"#),
        event(r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use"}}"#),
        event(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#),
        "data: {\"type\":\"message_stop\"}".to_owned(),
    ] {
        let (events, fault) = decoded(&anthropic::DIALECT, format!("{start}{rest}").as_bytes());
        assert_eq!(fault.map(|fault| fault.code), Some(Code::UpstreamBroken), "{rest}");
        assert!(!events.contains(&Event::End));
    }
    let lines = "{\"type\":\"messageStart\",\"payload\":{}}\n{\"type\":\"messageStop\",\"payload\":{\"stopReason\":\"end_turn\"}}\n";
    let good = bedrock::frames::from_jsonl(lines).expect("frames");
    assert_eq!(decoded(&bedrock::DIALECT, &good).1, None);
    let mut cut = good.clone();
    cut.extend_from_slice(&good[..20]);
    assert!(decoded(&bedrock::DIALECT, &cut).1.is_some());
}

#[test]
fn errors_carry_the_stable_code_in_the_dialects_own_shape() {
    let fault = Fault::new(Code::BudgetExceeded, "spent").at("model");
    let body: Value = serde_json::from_slice(&(anthropic::DIALECT.write_error)(&fault)).expect("JSON");
    assert_eq!(body["error"]["type"], "billing_error");
    assert_eq!(
        (&body["error"]["code"], &body["error"]["param"]),
        (&Value::from("budget_exceeded"), &Value::from("model"))
    );
    assert_eq!(bedrock::exception_name(&fault), "ServiceQuotaExceededException");
    for code in Code::ALL {
        let fault = Fault::new(*code, "m");
        assert!(bedrock::exception_name(&fault).ends_with("Exception"));
        assert!((bedrock::DIALECT.write_error)(&fault).starts_with(b"{\"message\""));
    }
}

#[test]
fn a_tally_counts_what_a_decoder_reads() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/streams");
    let mut compared = 0;
    for folder in std::fs::read_dir(root).expect("golden streams").flatten() {
        for (dialect, name) in BOTH.into_iter().zip(["in.anthropic.sse", "in.bedrock.jsonl"]) {
            let Ok(text) = std::fs::read_to_string(folder.path().join(name)) else { continue };
            let wire = match dialect.name {
                "bedrock" => bedrock::frames::from_jsonl(&text).expect("frames"),
                _ => text.into_bytes(),
            };
            let (events, _) = decoded(dialect, &wire);
            let mut tally = (dialect.tally)();
            wire.chunks(7).for_each(|piece| tally.feed(&bytes::Bytes::copy_from_slice(piece)));
            let counted = tally.counted();
            let usage = events.iter().rev().find_map(|event| match event {
                Event::Usage(usage) => Some(*usage),
                _ => None,
            });
            let what = folder.path();
            assert_eq!(counted.usage, usage, "{}", what.display());
            assert_eq!(counted.complete, events.contains(&Event::End), "{}", what.display());
            assert_eq!(
                counted.failed,
                events.iter().any(|event| matches!(event, Event::Failed(_))),
                "{}",
                what.display()
            );
            compared += 1;
        }
    }
    assert!(compared > 20, "{compared} streams");
}

//! The conformance examiner: a provider that looks at each request, checks that everything the client put in has
//! arrived, and answers by it. What it misses it says in a 400, so that a failing case names its own cause.

use serde_json::{Value, json};

use crate::reply::Reply;
use crate::upstream::Received;
use crate::wire::{Answer, Dialect, Seen};

/// The picture every image case sends: one pixel, PNG, base64.
pub const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// What the examiner thinks aloud, and the signature under it.
pub const THOUGHT: (&str, &str) =
    ("The user greets; a greeting is due.", "c2NyaXB0ZWQtc2lnbmF0dXJlLW9mLXRoZS1leGFtaW5lcg==");

/// Examines one request and answers it. The case is the first word of the first user text (`case:text …`).
#[must_use]
pub fn examine(received: &Received) -> Reply {
    let Some(dialect) = received.dialect else {
        return Reply::answer(Answer::text("")); // embeddings answer themselves; any other path is told so
    };
    let seen = dialect.see(&received.json());
    let case = case_of(&seen);
    match case.as_str() {
        "text" | "stream" => Reply::text("Hello from the scripted provider."),
        "tools" => or_complaint(check_weather_tool(&seen).map(|()| one_tool(&seen))),
        "parallel" => or_complaint(check_weather_tool(&seen).and_then(|()| two_tools(&seen))),
        "images" => or_complaint(check_image(&seen).map(|()| Reply::text("I see one pixel."))),
        "reasoning" => or_complaint(check_reasoning(&seen).map(|()| thinking())),
        "structured" => or_complaint(structured(&seen)),
        "limit" => Reply::error(429, "Too many requests to the scripted provider.").header("retry-after", "1"),
        "invalid" => Reply::error(400, "The scripted provider does not like this."),
        "overloaded" => Reply::error(503, "The scripted provider is overloaded."),
        "cancel" => Reply::answer(Answer::text(&"word ".repeat(64))).stall_after_frames(8),
        other => complaint(&format!("unknown case {other:?}; texts: {:?}", seen.texts)),
    }
}

fn case_of(seen: &Seen) -> String {
    let marked = seen.texts.iter().find_map(|text| text.split("case:").nth(1));
    marked.and_then(|rest| rest.split_whitespace().next()).unwrap_or_default().to_owned()
}

/// 422 is nothing a gateway makes up by itself: a failing case shows where it failed.
fn complaint(reason: &str) -> Reply {
    Reply::error(422, &format!("examiner: {reason}"))
}

fn or_complaint(examined: Result<Reply, String>) -> Reply {
    examined.unwrap_or_else(|reason| complaint(&reason))
}

fn check_weather_tool(seen: &Seen) -> Result<(), String> {
    let (_, schema) = seen.tools.iter().find(|(name, _)| name == "get_weather").ok_or("no tool get_weather arrived")?;
    let kind = schema["properties"]["city"]["type"].as_str().unwrap_or_default().to_ascii_lowercase();
    if kind == "string" { Ok(()) } else { Err(format!("the schema of get_weather arrived as {schema}")) }
}

fn one_tool(seen: &Seen) -> Reply {
    if seen.results.is_empty() {
        return Reply::answer(Answer::silent().call("call_paris", "get_weather", json!({"city": "Paris"})));
    }
    match check_results(seen, &["21 degrees"]) {
        Ok(()) => Reply::text("It is 21 degrees in Paris."),
        Err(reason) => complaint(&reason),
    }
}

fn two_tools(seen: &Seen) -> Result<Reply, String> {
    if seen.results.is_empty() {
        let answer = Answer::silent().call("call_paris", "get_weather", json!({"city": "Paris"})).call(
            "call_rome",
            "get_weather",
            json!({"city": "Rome"}),
        );
        return Ok(Reply::answer(answer));
    }
    check_results(seen, &["21 degrees", "30 degrees"])?;
    Ok(Reply::text("It is 21 degrees in Paris and 30 in Rome."))
}

/// Each call is in the history, each result carries its call's id, and the results say what the tools said.
fn check_results(seen: &Seen, expected: &[&str]) -> Result<(), String> {
    if seen.calls.len() != expected.len() || seen.results.len() != expected.len() {
        return Err(format!("{} calls and {} results arrived", seen.calls.len(), seen.results.len()));
    }
    for ((call_id, tool), ((result_id, result), expected)) in
        seen.calls.iter().zip(seen.results.iter().zip(expected.iter()))
    {
        // Gemini may correlate by name and order.
        if result_id != call_id && result_id != tool {
            return Err(format!("the result of call {call_id:?} arrived under {result_id:?}"));
        }
        if !result.contains(expected) {
            return Err(format!("the result of call {call_id:?} arrived as {result:?}, without {expected:?}"));
        }
    }
    Ok(())
}

fn check_image(seen: &Seen) -> Result<(), String> {
    match seen.images.as_slice() {
        [(mime, data)] if mime == "image/png" && data == PIXEL => Ok(()),
        [(mime, data)] => Err(format!("the image arrived as {mime} with {} characters of base64", data.len())),
        other => Err(format!("{} images arrived", other.len())),
    }
}

fn check_reasoning(seen: &Seen) -> Result<(), String> {
    if seen.reasoning { Ok(()) } else { Err("reasoning was not asked for".to_owned()) }
}

fn thinking() -> Reply {
    Reply::answer(Answer::text("Hello after some thought.").thinking(THOUGHT.0, THOUGHT.1))
}

/// The object, as text under a schema; or as the arguments of a tool, for clients that force one to get an object.
fn structured(seen: &Seen) -> Result<Reply, String> {
    let wanted = |schema: &Value| ["city", "degrees"].iter().all(|name| schema["properties"][name].is_object());
    let object = json!({"city": "Paris", "degrees": 21});
    match (&seen.schema, seen.tools.as_slice()) {
        (Some(schema), _) if wanted(schema) => Ok(Reply::text(&object.to_string())),
        (None, [(tool, schema)]) if wanted(schema) => {
            Ok(Reply::answer(Answer::silent().call("call_object", tool, object)))
        }
        (Some(schema), _) => Err(format!("the output schema arrived as {schema}")),
        (None, _) => Err("no output schema arrived".to_owned()),
    }
}

/// The models a conformance house has: one per upstream dialect, named after it.
#[must_use]
pub fn model_of(dialect: Dialect) -> String {
    format!("via-{}", dialect.name().replace('_', "-"))
}

/// The tool of the tool cases, as a JSON schema.
#[must_use]
pub fn weather_schema() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
}

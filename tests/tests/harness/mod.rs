//! The harness on itself, without a gateway: what the provider says, the client reads; what goes wrong, it sees.

mod mcp;

use gatehouse_tests::examiner::{PIXEL, examine};
use gatehouse_tests::{Answer, Dialect, Reply, Upstream};
use serde_json::json;

each_dialect!(a_client_reads_what_the_provider_says, |dialect: Dialect| {
    let upstream = Upstream::start();
    assert_eq!(upstream.client().ask(dialect, "m", "Hello?").said(dialect), "Hello from the provider.");
    let outcome = upstream.client().ask_stream(dialect, "m", "Hello?").outcome();
    assert_eq!(outcome.text, "Hello from the provider.");
    assert!(outcome.terminal && !outcome.error && !outcome.broken, "{outcome:?}");
    assert_eq!(upstream.wait_for_request(2).model, "m");
});

each_dialect!(a_stream_that_breaks_off_is_seen_as_broken, |dialect: Dialect| {
    let upstream = Upstream::start();
    upstream.reply(Reply::answer(Answer::text(&"word ".repeat(32))).close_after_frames(12));
    let outcome = upstream.client().ask_stream(dialect, "m", "Talk.").outcome();
    assert!(!outcome.terminal && outcome.broken, "{outcome:?}");
});

each_dialect!(a_client_that_leaves_is_noticed, |dialect: Dialect| {
    let upstream = Upstream::start();
    upstream.reply(Reply::text("one two three four five").stall_after_frames(7));
    let mut stream = upstream.client().ask_stream(dialect, "m", "Count.");
    assert_eq!(stream.next_text().as_deref(), Some("one "));
    let left = stream.leave();
    assert!(upstream.wait_for_cancel().saturating_duration_since(left).as_millis() < 250);
});

each_dialect!(an_error_has_the_shape_of_its_dialect, |dialect: Dialect| {
    let upstream = Upstream::start();
    upstream.reply(Reply::error(429, "slow down"));
    assert_eq!(upstream.client().ask(dialect, "m", "Hello?").refused(dialect, 429), "slow down");
});

each_dialect!(tools_and_thoughts_are_in_whole_answers_and_in_streams, |dialect: Dialect| {
    let answer = Answer::silent().thinking("hm", "sig").call("call_1", "get_weather", json!({"city": "Paris"}));
    let whole = String::from_utf8(dialect.unary("m", &answer).to_vec()).unwrap();
    let streamed = String::from_utf8_lossy(&dialect.frames("m", &answer, &json!({})).concat()).into_owned();
    for said in [whole, streamed] {
        assert!(said.contains("get_weather") && said.contains("hm"), "{said}");
    }
});

#[test]
fn the_examiner_misses_what_did_not_arrive() {
    let upstream = Upstream::start_with(0, examine);
    let request = Dialect::OpenAiChat.request("m", "case:tools What is the weather?", false);
    let complaint = upstream.client().post("/v1/chat/completions", &request).refused(Dialect::OpenAiChat, 422);
    assert_eq!(complaint, "examiner: no tool get_weather arrived");
}

#[test]
fn the_examiner_recognises_its_picture() {
    let upstream = Upstream::start_with(0, examine);
    let content = json!([
        {"type": "text", "text": "case:images What is this?"},
        {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PIXEL}")}}]);
    let request = json!({"model": "m", "messages": [{"role": "user", "content": content}]});
    let answer = upstream.client().post("/v1/chat/completions", &request);
    assert_eq!(answer.said(Dialect::OpenAiChat), "I see one pixel.");
}

//! What a translated call costs: nanoseconds per step for the two pairs of dialects that the benchmark measures.
//!
//! `cargo run --release -p gatehouse-llm-gateway --example translate_cost`
//!
//! The bodies have the sizes of the benchmark: a request of some 850 bytes, an answer of about a kilobyte, a stream of
//! 104 events. Each figure is the best of five rounds, because everything that disturbs a round makes it slower.

use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatehouse_llm_gateway::dialects::{
    Dialect, Listener, Quirks, Speaker, ThinkingStyle, anthropic, gemini, openai_chat, openai_responses,
};
use gatehouse_llm_gateway::form::{Answer, Ask, Dropped, Issuer};
use gatehouse_llm_gateway::scan;

/// Bytes of the user's text and of the answer's, to reach the sizes of the benchmark.
const ASKED: usize = 720;
const ANSWERED: usize = 800;
/// Deltas of the stream; with what frames them, 104 events.
const DELTAS: usize = 98;

/// A caller's dialect, a target's dialect, and what passes between them.
struct Lane {
    name: &'static str,
    client: &'static Dialect,
    target: &'static Dialect,
    issuer: Issuer,
    request: String,
    answer: String,
    stream: String,
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for lane in [chat_to_anthropic(), responses_to_gemini()] {
        writeln!(
            out,
            "{} (request {} B, answer {} B, stream {} B)",
            lane.name,
            lane.request.len(),
            lane.answer.len(),
            lane.stream.len()
        )?;
        for (step, time) in measure(&lane) {
            writeln!(out, "  {step:<22} {:>8} ns", time.as_nanos())?;
        }
    }
    Ok(())
}

fn measure(lane: &Lane) -> Vec<(&'static str, Duration)> {
    let request = lane.request.as_bytes();
    let ask = (lane.client.read_ask)(request).unwrap_or_default();
    let answer = (lane.target.read_answer)(lane.answer.as_bytes()).unwrap_or_default();
    let listener = listener(lane, &ask);
    let stream = Bytes::from(lane.stream.clone());
    vec![
        (
            "peek",
            best(|| {
                scan::members(black_box(request), &mut |member| {
                    black_box(member);
                    Ok(())
                })
            }),
        ),
        ("read_ask", best(|| (lane.client.read_ask)(black_box(request)))),
        ("write_ask", best(|| write_ask(lane, black_box(&ask)))),
        ("read_answer", best(|| (lane.target.read_answer)(black_box(lane.answer.as_bytes())))),
        ("write_answer", best(|| write_answer(lane, black_box(&answer), &listener))),
        ("stream: decode", best(|| decode(lane, black_box(&stream), &mut Vec::new()))),
        ("stream: decode, encode", best(|| translate(lane, black_box(&stream), &listener))),
        ("stream: tally", best(|| tally(lane, black_box(&stream)))),
    ]
}

/// The best of five rounds of some 50 ms each.
fn best<T>(mut step: impl FnMut() -> T) -> Duration {
    let mut rounds = 1_u32;
    let mut round = |rounds: u32| {
        let start = Instant::now();
        for _ in 0..rounds {
            black_box(step());
        }
        start.elapsed()
    };
    while round(rounds) < Duration::from_millis(50) {
        rounds = rounds.saturating_mul(2);
    }
    (0..5).map(|_| round(rounds) / rounds).min().unwrap_or_default()
}

fn write_ask(lane: &Lane, ask: &Ask) -> Vec<u8> {
    let speaker = Speaker {
        model: "target-model",
        stream: true,
        issuer: lane.issuer,
        default_output_cap: 8192,
        thinking: ThinkingStyle::Effort,
        quirks: Quirks::default(),
    };
    (lane.target.write_ask)(ask, &speaker, &mut Dropped::default()).unwrap_or_default()
}

fn write_answer(lane: &Lane, answer: &Answer, listener: &Listener) -> Vec<u8> {
    (lane.client.write_answer)(answer, listener)
}

/// A stream comes a few events at a time.
fn pieces(stream: &Bytes) -> impl Iterator<Item = Bytes> {
    (0..stream.len()).step_by(512).map(|at| stream.slice(at..stream.len().min(at + 512)))
}

fn decode(lane: &Lane, stream: &Bytes, events: &mut Vec<gatehouse_llm_gateway::form::Event>) -> bool {
    let mut decoder = (lane.target.decoder)();
    pieces(stream).all(|piece| decoder.feed(&piece, events).is_ok()) && decoder.end(events).is_ok()
}

fn translate(lane: &Lane, stream: &Bytes, listener: &Listener) -> usize {
    let mut decoder = (lane.target.decoder)();
    let mut encoder = (lane.client.encoder)(listener);
    let (mut events, mut written) = (Vec::new(), 0);
    for piece in pieces(stream) {
        let read = decoder.feed(&piece, &mut events);
        let mut out = Vec::new();
        for event in events.drain(..) {
            encoder.event(&event, &mut out);
        }
        written += out.len() * usize::from(read.is_ok());
    }
    written
}

fn tally(lane: &Lane, stream: &Bytes) -> bool {
    let mut tally = (lane.target.tally)();
    pieces(stream).for_each(|piece| tally.feed(&piece));
    tally.counted().complete
}

fn listener(lane: &Lane, ask: &Ask) -> Listener {
    Listener {
        ask: Arc::new(ask.clone()),
        id: "0193a1b2c3d47e5f8a9b0c1d2e3f4a00".to_owned(),
        created: 1_763_800_000,
        issuer: lane.issuer,
        input_estimate: 200,
    }
}

/// So many bytes of prose, line feeds and quotes included.
fn prose(bytes: usize) -> String {
    let sentence = "The \\\"quick\\\" brown fox jumps over the lazy dog, and then it does so again.\\n";
    sentence.repeat(bytes / sentence.len() + 1)
}

fn chat_to_anthropic() -> Lane {
    let deltas: String = (0..DELTAS)
        .map(|n| {
            sse_named(
                "content_block_delta",
                &format!(
                    r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":" word{n}"}}}}"#
                ),
            )
        })
        .collect();
    let usage =
        r#""usage":{"input_tokens":180,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":"#;
    let head = format!(
        r#"{{"type":"message_start","message":{{"id":"msg_01","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[],"stop_reason":null,"stop_sequence":null,{usage}1}}}}}}"#
    );
    let delta =
        format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn","stop_sequence":null}},{usage}98}}}}"#);
    let frames = [
        sse_named("message_start", &head),
        sse_named(
            "content_block_start",
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        ),
        sse_named("ping", r#"{"type":"ping"}"#),
        deltas,
        sse_named("content_block_stop", r#"{"type":"content_block_stop","index":0}"#),
        sse_named("message_delta", &delta),
        sse_named("message_stop", r#"{"type":"message_stop"}"#),
    ];
    Lane {
        name: "Chat to Anthropic",
        client: &openai_chat::DIALECT,
        target: &anthropic::DIALECT,
        issuer: Issuer::Anthropic,
        request: format!(
            r#"{{"model":"fast","messages":[{{"role":"system","content":"You are brief."}},{{"role":"user","content":"{}"}}],"max_tokens":256,"stream":true}}"#,
            prose(ASKED)
        ),
        answer: format!(
            r#"{{"id":"msg_01","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{{"type":"text","text":"{}"}}],"stop_reason":"end_turn","stop_sequence":null,{usage}98}}}}"#,
            prose(ANSWERED)
        ),
        stream: frames.concat(),
    }
}

fn responses_to_gemini() -> Lane {
    let usage = |output: usize| {
        format!(
            r#""usageMetadata":{{"promptTokenCount":180,"candidatesTokenCount":{output},"totalTokenCount":{},"promptTokensDetails":[{{"modality":"TEXT","tokenCount":180}}]}},"modelVersion":"gemini-3-flash","responseId":"r1""#,
            180 + output
        )
    };
    let chunk = |n: usize, finish: &str| {
        sse(&format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":" word{n}"}}],"role":"model"}},{finish}"index":0}}],{}}}"#,
            usage(n + 1)
        ))
    };
    let frames: String =
        (0..DELTAS + 5).map(|n| chunk(n, "")).chain([chunk(DELTAS + 5, r#""finishReason":"STOP","#)]).collect();
    Lane {
        name: "Responses to Gemini",
        client: &openai_responses::DIALECT,
        target: &gemini::DIALECT,
        issuer: Issuer::Google,
        request: format!(
            r#"{{"model":"fast","instructions":"You are brief.","input":[{{"role":"user","content":[{{"type":"input_text","text":"{}"}}]}}],"max_output_tokens":256,"stream":true}}"#,
            prose(ASKED - 60)
        ),
        answer: format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{}"}}],"role":"model"}},"finishReason":"STOP","index":0}}],{}}}"#,
            prose(ANSWERED - 60),
            usage(98)
        ),
        stream: frames,
    }
}

fn sse(data: &str) -> String {
    format!("data: {data}\r\n\r\n")
}

fn sse_named(event: &str, data: &str) -> String {
    format!("event: {event}\ndata: {data}\n\n")
}

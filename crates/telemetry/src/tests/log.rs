use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use super::*;
use crate::Sample;

fn log(format: LogFormat, calls: &[CallOutcome]) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let page = Page::default();
    let (mut consumer, _) = start(format, page.clone(), "");
    consumer.take(calls);
    runtime.block_on(consumer.close());
    page.text()
}

#[test]
fn a_call_is_one_json_line_with_everything_but_content() {
    let line: Value = serde_json::from_str(log(LogFormat::Json, &[fallen_back()]).trim_end()).unwrap();
    assert_eq!(
        line,
        json!({
            "ts": "2026-11-22T12:00:00.25Z", "level": "info", "msg": "call",
            "request_id": "019ab3f07c107abc9def012345678900",
            "trace_id": "019ab3f07c107abc9def012345678900", "span_id": "9def0123456789ff",
            "key_id": "key_7", "team": "support", "dialect": "openai_chat", "op": "chat",
            "model_requested": "fast", "provider": "claude", "model_served": "claude-haiku-4-5", "route": "weighted",
            "attempts": 2, "fallback_from": {"provider": "openai", "model": "gpt-5-mini", "status": "failed"},
            "stream": true, "status": 200, "finish_reason": "stop",
            "ttft_ms": 95.5, "duration_ms": 512.345, "overhead_ms": 0.12,
            "tokens": {"in": 120, "out": 41, "cache_read": 20, "cache_write": 0, "reasoning": 11},
            "cost_usd": 0.000_123_4, "bytes_in": 853, "bytes_out": 1024,
        })
    );
}

#[test]
fn every_field_is_on_the_telemetry_page() {
    let page = include_str!("../../../../docs/telemetry.md");
    let mut attempt = attempt(0, "openai", "gpt-5-mini", AttemptStatus::Ok);
    (attempt.estimated, attempt.priced) = (true, false);
    let full = CallOutcome { fault: Some("internal"), ..call(vec![attempt]) };
    for call in [full, fallen_back(), guarded()] {
        let line: Value = serde_json::from_str(log(LogFormat::Json, &[call]).trim_end()).unwrap();
        for (field, value) in line.as_object().unwrap() {
            let parts = value.as_object().into_iter().flat_map(|object| object.keys());
            for name in parts.filter(|_| field == "tokens").chain([field]) {
                assert!(page.contains(&format!("`{name}`")), "docs/telemetry.md lacks {name}");
            }
        }
    }
}

#[test]
fn a_line_like_one_before_says_what_is_its_own() {
    let ok = |model: &str| attempt(0, "claude", model, AttemptStatus::Ok);
    let first = call(vec![ok("claude-haiku-4-5")]);
    let others = [
        CallOutcome { status: 499, fault: Some("client_gone"), ..first.clone() },
        CallOutcome { who: Some(Arc::new(Principal { team: None, ..(*caller()).clone() })), ..first.clone() },
        CallOutcome { route: Some("priority".into()), ..first.clone() },
        CallOutcome { run: Some("run-7".into()), ..first.clone() },
        CallOutcome { finish: None, duration_us: 7, ..first.clone() },
        call(vec![ok("gpt-5-mini")]),
        first.clone(),
    ];
    let together = log(LogFormat::Json, &[&[first.clone()][..], &others].concat());
    let apart: String =
        [first].iter().chain(&others).map(|call| log(LogFormat::Json, std::slice::from_ref(call))).collect();
    assert_eq!(together, apart);
}

#[test]
fn a_refused_call_has_a_line_without_a_target() {
    let refused =
        CallOutcome { status: 401, fault: Some("missing_key"), finish: None, route: None, ..call(Vec::new()) };
    let line: Value = serde_json::from_str(log(LogFormat::Json, &[refused]).trim_end()).unwrap();
    assert_eq!(line["level"], "warn");
    assert_eq!(line["error_type"], "missing_key");
    assert_eq!(line.get("provider"), None);
    assert_eq!(line.get("tokens"), None);
}

#[test]
fn what_guardrails_did_is_in_the_line() {
    let line: Value = serde_json::from_str(log(LogFormat::Json, &[guarded()]).trim_end()).unwrap();
    assert_eq!(
        line["guardrails"],
        json!([
            {"name": "cards", "point": "request", "ran": "ran", "action": "redact", "findings": 2},
            {"name": "dlp", "point": "request", "ran": "failed", "findings": 0},
        ])
    );
}

#[test]
fn the_line_joins_the_callers_trace() {
    let traced = CallOutcome {
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        ..fallen_back()
    };
    let line: Value = serde_json::from_str(log(LogFormat::Json, &[traced]).trim_end()).unwrap();
    assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
}

#[test]
fn the_text_form_says_the_same_to_people() {
    assert_eq!(
        log(LogFormat::Text, &[fallen_back()]),
        "2026-11-22T12:00:00.250Z 200 openai_chat/chat fast -> claude/claude-haiku-4-5 120+41 tokens $0.000123 \
         after 2 attempts 512.3 ms (+0.12 ms) key=key_7 id=019ab3f07c107abc9def012345678900\n"
    );
}

#[test]
fn a_callers_model_name_cannot_forge_a_line() {
    let forged = CallOutcome { model: Some("x\n2026 200 fine\u{1b}[2J".into()), ..call(Vec::new()) };
    for format in [LogFormat::Text, LogFormat::Json] {
        let text = log(format, std::slice::from_ref(&forged));
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}

#[test]
fn off_writes_nothing() {
    assert_eq!(log(LogFormat::Off, &[fallen_back()]), "");
}

/// A reader that has stopped: blocks every write until the test lets go.
struct Stuck(Receiver<()>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Disconnected once the test is over.
        _ = self.0.recv();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a gate, through which nothing is ever sent")]
fn a_reader_that_stops_costs_lines_which_are_counted_and_never_the_consumer() {
    let (gate, stopped) = channel();
    let (mut consumer, exposition) = start(LogFormat::Json, Stuck(stopped), "");
    for _ in 0..60 {
        consumer.take(&[fallen_back(), fallen_back()]);
    }
    drop(gate);
    let text = exposition.render(&Sample::default());
    let line = text.lines().find(|l| l.contains(r#"dropped_total{signal="log"}"#)).unwrap();
    let dropped: u32 = line.rsplit(' ').next().unwrap().parse().unwrap();
    assert!((18..=20).contains(&dropped), "60 batches of 2, 50 wait, at most one is being written: {line}");
}

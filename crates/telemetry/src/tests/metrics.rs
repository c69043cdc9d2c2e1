use std::hint::black_box;
use std::time::Instant;

use super::*;
use crate::names::METRICS;
use crate::{BreakerState, Sample};

fn scrape(calls: &[CallOutcome]) -> String {
    let (mut consumer, exposition) = start(LogFormat::Off, io::sink(), "");
    consumer.take(calls);
    exposition.render(&Sample::default())
}

#[track_caller]
fn assert_line(text: &str, line: &str) {
    assert!(text.lines().any(|l| l == line), "no line {line:?} in\n{text}");
}

#[test]
fn one_call_is_counted_by_dialect_operation_model_and_status() {
    let text = scrape(&[fallen_back()]);
    assert_line(
        &text,
        r#"gatehouse_requests_total{dialect="openai_chat",gen_ai_operation_name="chat",model="fast",status="200"} 1"#,
    );
    assert_line(&text, r#"gatehouse_overhead_seconds_sum{dialect="openai_chat",gen_ai_operation_name="chat"} 0.00012"#);
}

#[test]
fn a_second_target_is_a_fallback_and_the_same_target_again_a_retry() {
    let again = call(vec![
        attempt(0, "openai", "gpt-5-mini", AttemptStatus::Failed),
        attempt(1, "openai", "gpt-5-mini", AttemptStatus::Ok),
    ]);
    let text = scrape(&[fallen_back(), again]);
    assert_line(&text, r#"gatehouse_fallbacks_total{provider="claude",model="claude-haiku-4-5"} 1"#);
    assert_line(&text, r#"gatehouse_retries_total{provider="openai",model="gpt-5-mini"} 1"#);
    assert_line(&text, r#"gatehouse_attempts_total{provider="openai",model="gpt-5-mini",status="failed"} 2"#);
}

#[test]
fn tokens_and_time_carry_the_names_of_the_conventions() {
    let text = scrape(&[fallen_back()]);
    let labels =
        r#"gen_ai_operation_name="chat",gen_ai_provider_name="anthropic",gen_ai_request_model="claude-haiku-4-5""#;
    assert_line(&text, &format!(r#"gen_ai_client_token_usage_sum{{{labels},gen_ai_token_type="input"}} 120.0"#));
    assert_line(&text, &format!(r#"gen_ai_client_token_usage_sum{{{labels},gen_ai_token_type="output"}} 41.0"#));
    assert_line(&text, &format!("gen_ai_client_operation_duration_seconds_sum{{{labels}}} 0.5"));
    assert_line(
        &text,
        r#"gen_ai_server_time_to_first_token_seconds_count{gen_ai_operation_name="chat",gen_ai_request_model="fast"} 1"#,
    );
}

#[test]
fn cost_is_in_dollars_per_target() {
    let text = scrape(&[fallen_back(), fallen_back()]);
    assert_line(&text, r#"gatehouse_cost_usd_total{provider="claude",model="claude-haiku-4-5"} 0.0002468"#);
}

#[test]
fn a_refusal_is_counted_by_its_code() {
    let refused = CallOutcome { status: 429, fault: Some("rate_limited"), ..call(Vec::new()) };
    let text = scrape(&[refused]);
    assert_line(&text, r#"gatehouse_refusals_total{dialect="openai_chat",code="rate_limited"} 1"#);
}

#[test]
fn invented_models_share_one_series() {
    let calls: Vec<_> =
        (0..100).map(|n| CallOutcome { model: Some(format!("invented-{n}").into()), ..call(Vec::new()) }).collect();
    let text = scrape(&calls);
    assert!(!text.contains("invented"));
    assert_line(
        &text,
        r#"gatehouse_requests_total{dialect="openai_chat",gen_ai_operation_name="chat",model="other",status="200"} 100"#,
    );
}

#[test]
fn a_configuration_with_too_many_models_is_capped_and_says_so() {
    let (mut consumer, exposition) = start(LogFormat::Off, io::sink(), "");
    let models: Vec<Arc<str>> = (0..2_100).map(|n| format!("model-{n}").into()).collect();
    consumer.learn(Arc::new(Vocabulary::new(models.iter().cloned(), [], [])));
    let calls: Vec<_> = models.iter().map(|m| CallOutcome { model: Some(Arc::clone(m)), ..call(Vec::new()) }).collect();
    consumer.take(&calls);
    let text = exposition.render(&Sample::default());
    assert_line(&text, "gatehouse_series_capped_total 100");
    assert_eq!(text.lines().filter(|line| line.starts_with("gatehouse_requests_total{")).count(), 2_001);
}

#[test]
fn a_reload_keeps_the_counts() {
    let (mut consumer, exposition) = start(LogFormat::Off, io::sink(), "");
    consumer.take(&[fallen_back()]);
    consumer.learn(Arc::new(Vocabulary::new(["fast".into(), "new".into()], [], [])));
    consumer.take(&[call(Vec::new())]);
    let text = exposition.render(&Sample::default());
    assert_line(
        &text,
        r#"gatehouse_requests_total{dialect="openai_chat",gen_ai_operation_name="chat",model="fast",status="200"} 2"#,
    );
}

#[test]
fn the_state_of_the_gateway_is_read_at_the_scrape() {
    let (_, exposition) = start(LogFormat::Off, io::sink(), "");
    let open = Sample {
        inflight: 3,
        breakers: vec![("openai/gpt-5-mini".into(), BreakerState::Open)],
        config_generation: 7,
        reloads_rejected: 2,
        outbox_dropped: 5,
        ..Sample::default()
    };
    let text = exposition.render(&open);
    assert_line(&text, "gatehouse_inflight 3");
    assert_line(&text, r#"gatehouse_breaker_state{target="openai/gpt-5-mini"} 2"#);
    assert_line(&text, "gatehouse_config_generation 7");
    assert_line(&text, r#"gatehouse_config_reload_total{result="rejected"} 2"#);
    assert_line(&text, r#"gatehouse_telemetry_dropped_total{signal="outcome"} 5"#);
    assert_line(&text, "gatehouse_usage_lost_total 0");
    let gone = exposition.render(&Sample::default());
    assert!(!gone.contains("gpt-5-mini"), "a target that is gone has no breaker");
}

#[test]
fn guardrails_are_counted_by_what_they_did() {
    let text = scrape(&[guarded()]);
    assert_line(&text, r#"gatehouse_guardrail_decisions_total{guardrail="cards",action="redact"} 1"#);
    assert_line(&text, r#"gatehouse_guardrail_decisions_total{guardrail="dlp",action="failed"} 1"#);
}

#[test]
#[cfg(target_os = "linux")]
fn the_process_reports_memory_descriptors_and_threads() {
    let text = scrape(&[]);
    for name in ["process_resident_memory_bytes ", "process_open_fds ", "process_threads "] {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line[name.len()..].parse::<u64>().unwrap() > 0, "{line}");
    }
}

#[test]
fn every_metric_of_the_table_is_exposed() {
    let (mut consumer, exposition) = start(LogFormat::Off, io::sink(), "");
    consumer.take(&[CallOutcome { fault: Some("upstream_broken"), ..guarded() }]);
    let breakers = vec![("openai/gpt-5-mini".into(), BreakerState::Closed)];
    let text = exposition.render(&Sample { breakers, ..Sample::default() });
    for metric in METRICS {
        let base = metric.name.strip_suffix("_total").unwrap_or(metric.name);
        let kind = format!("{:?}", metric.kind).to_lowercase();
        assert_line(&text, &format!("# HELP {base} {}.", metric.help));
        assert_line(&text, &format!("# TYPE {base} {kind}"));
    }
    assert!(text.ends_with("# EOF\n"));
}

/// The processor time of a record is part of every call. The bound is loose, for a busy machine and an unoptimised
/// build; it catches a lock, a system call or a formatted label that creeps in.
#[test]
fn counting_a_record_is_cheap() {
    let (mut consumer, _exposition) = start(LogFormat::Off, io::sink(), "");
    let batch = vec![fallen_back(); 1_000];
    consumer.take(&batch);
    let best = (0..20)
        .map(|_| {
            let start = Instant::now();
            consumer.take(black_box(&batch));
            start.elapsed()
        })
        .min()
        .unwrap();
    assert!(best.as_micros() < 30 * 1_000, "{best:?} for 1,000 records");
}

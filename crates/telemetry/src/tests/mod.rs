//! What the outside sees of one record: the scrape, the log and the collector.

mod log;
mod metrics;
mod otlp;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use gatehouse_domain::{AttemptOutcome, AttemptStatus, CallOutcome, Money, Principal, PrincipalKind, RequestId, Usage};
use gatehouse_upstream::{Pool, PoolLimits, tls_config};
use uuid::Uuid;

use crate::{Consumer, Exposition, LogFormat, Origin, Settings, Vocabulary};

/// 2026-11-22T12:00:00.250Z
const STARTED: u64 = 1_795_348_800_250;

fn call_id() -> RequestId {
    RequestId::from_uuid(Uuid::from_u128(0x019a_b3f0_7c10_7abc_9def_0123_4567_8900))
}

fn caller() -> Arc<Principal> {
    Arc::new(Principal { team: Some("support".into()), ..Principal::bare(PrincipalKind::Service, "key_7", "ci") })
}

fn attempt(number: u8, provider: &str, model: &str, status: AttemptStatus) -> AttemptOutcome {
    let usage = match status {
        AttemptStatus::Ok => Usage { input: 100, cache_read: 20, output: 30, reasoning: 11, ..Usage::default() },
        _ => Usage::default(),
    };
    AttemptOutcome {
        id: call_id().attempt(number),
        started_unix_ms: STARTED + 1,
        who: caller(),
        run: None,
        tags: None,
        model: "fast".into(),
        provider: provider.into(),
        upstream_model: model.into(),
        dialect: "openai_chat",
        operation: "chat",
        stream: true,
        status,
        http_status: if status == AttemptStatus::Ok { 200 } else { 503 },
        usage,
        estimated: false,
        cost: if usage.is_empty() { Money::ZERO } else { Money::from_nano_usd(123_400) },
        priced: true,
        duration_us: 500_000,
        first_byte_us: 90_000,
    }
}

fn call(attempts: Vec<AttemptOutcome>) -> CallOutcome {
    CallOutcome {
        id: call_id(),
        started_unix_ms: STARTED,
        who: Some(caller()),
        run: None,
        tags: None,
        decision: None,
        guardrails: Vec::new(),
        dialect: "openai_chat",
        operation: "chat",
        model: Some("fast".into()),
        stream: true,
        status: 200,
        fault: None,
        finish: Some("stop"),
        duration_us: 512_345,
        overhead_us: 120,
        first_byte_us: 95_500,
        bytes_in: 853,
        bytes_out: 1024,
        route: Some("weighted".into()),
        traceparent: None,
        attempts,
    }
}

/// The ordinary case: the first target was overloaded, the second answered.
fn fallen_back() -> CallOutcome {
    call(vec![
        attempt(0, "openai", "gpt-5-mini", AttemptStatus::Failed),
        attempt(1, "claude", "claude-haiku-4-5", AttemptStatus::Ok),
    ])
}

fn vocabulary() -> Arc<Vocabulary> {
    Arc::new(Vocabulary::new(
        ["fast".into()],
        [("openai".into(), "openai".into()), ("claude".into(), "anthropic".into())],
        ["gpt-5-mini".into(), "claude-haiku-4-5".into()],
    ))
}

/// Where the log goes in a test.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn start(log: LogFormat, log_to: impl Write + Send + 'static, otlp: &str) -> (Consumer, Exposition) {
    Consumer::start(settings(log, log_to, otlp), vocabulary()).unwrap()
}

fn settings(log: LogFormat, log_to: impl Write + Send + 'static, otlp: &str) -> Settings {
    let pool = Pool::new(tls_config(None).unwrap(), PoolLimits::default());
    let origin = Origin { version: "0.1.0".into(), instance: "test".into() };
    Settings { log, log_to: Box::new(log_to), otlp: otlp.into(), pool, origin }
}

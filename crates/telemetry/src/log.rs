//! The request log: one line per call. No content and no secrets: of the caller only the key's public id.

use std::io::Write;

use gatehouse_domain::{AttemptOutcome, CallOutcome, TraceParent};
use jiff::Timestamp;
use serde::Serialize;

use crate::metrics::same_target;

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// One line for people.
    Text,
    /// Not at all.
    Off,
}

/// One line, as docs/telemetry.md lists it. Borrowed from the record, written into a buffer that is used again.
#[derive(Serialize)]
struct Line<'a> {
    ts: Timestamp,
    level: &'static str,
    msg: &'static str,
    request_id: Hex<32>,
    trace_id: Hex<32>,
    span_id: Hex<16>,
    key_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a str>,
    dialect: &'static str,
    op: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_requested: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_served: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    attempts: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback_from: Option<Served<'a>>,
    stream: bool,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttft_ms: Option<f64>,
    duration_ms: f64,
    overhead_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Tokens>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<f64>,
    #[serde(skip_serializing_if = "is_false")]
    estimated: bool,
    #[serde(skip_serializing_if = "is_false")]
    unpriced: bool,
    bytes_in: u64,
    bytes_out: u64,
}

/// Tokens of all attempts together. `in` includes what was cached, `out` includes reasoning.
#[derive(Serialize)]
struct Tokens {
    r#in: u64,
    out: u64,
    cache_read: u64,
    cache_write: u64,
    reasoning: u64,
}

/// The first target, where another one answered in the end.
#[derive(Serialize)]
struct Served<'a> {
    provider: &'a str,
    model: &'a str,
    status: &'static str,
}

/// Appends the line of a call.
pub(crate) fn write(format: LogFormat, call: &CallOutcome, buffer: &mut Vec<u8>) {
    match format {
        LogFormat::Off => {}
        LogFormat::Json => {
            let start = buffer.len();
            if serde_json::to_writer(&mut *buffer, &Line::of(call)).is_err() {
                buffer.truncate(start);
                return;
            }
            buffer.push(b'\n');
        }
        // Writing to memory does not fail.
        LogFormat::Text => _ = write_text(call, buffer),
    }
}

impl<'a> Line<'a> {
    fn of(call: &'a CallOutcome) -> Self {
        let caller = call.traceparent.as_deref().and_then(TraceParent::parse);
        let span = TraceParent::of_call(call.id, caller);
        let (first, last) = (call.attempts.first(), call.attempts.last());
        Self {
            ts: timestamp(call.started_unix_ms),
            level: level(call),
            msg: "call",
            request_id: Hex(call.id.0.as_u128()),
            trace_id: Hex(span.trace_id),
            span_id: Hex(span.span_id.into()),
            key_id: call.who.as_ref().map_or("", |who| &*who.key),
            team: call.who.as_ref().and_then(|who| who.team.as_deref()),
            user: call.who.as_ref().and_then(|who| who.user.as_deref()),
            agent: call.who.as_ref().and_then(|who| who.agent.as_deref()),
            run: call.run.as_deref(),
            tags: call.tags.as_deref(),
            dialect: call.dialect,
            op: call.operation,
            model_requested: call.model.as_deref(),
            provider: last.map(|attempt| &*attempt.provider),
            model_served: last.map(|attempt| &*attempt.upstream_model),
            route: call.route.as_deref(),
            attempts: call.attempts.len(),
            fallback_from: first.zip(last).filter(|(first, last)| !same_target(first, last)).map(|(first, _)| Served {
                provider: &first.provider,
                model: &first.upstream_model,
                status: first.status.as_str(),
            }),
            stream: call.stream,
            status: call.status,
            error_type: call.fault,
            finish_reason: call.finish,
            ttft_ms: call.stream.then(|| ms(call.first_byte_us)),
            duration_ms: ms(call.duration_us),
            overhead_ms: ms(call.overhead_us),
            tokens: first.map(|_| Tokens::of(&call.attempts)),
            cost_usd: first.map(|_| cost(&call.attempts)),
            estimated: call.attempts.iter().any(|attempt| attempt.estimated),
            unpriced: call.attempts.iter().any(|attempt| !attempt.priced && !attempt.usage.is_empty()),
            bytes_in: call.bytes_in,
            bytes_out: call.bytes_out,
        }
    }
}

impl Tokens {
    fn of(attempts: &[AttemptOutcome]) -> Self {
        let mut sum = Self { r#in: 0, out: 0, cache_read: 0, cache_write: 0, reasoning: 0 };
        for usage in attempts.iter().map(|attempt| &attempt.usage) {
            sum.r#in += usage.input_total();
            sum.out += usage.output_total();
            sum.cache_read += usage.cache_read;
            sum.cache_write += usage.cache_write_5m + usage.cache_write_1h;
            sum.reasoning += usage.reasoning;
        }
        sum
    }
}

fn write_text(call: &CallOutcome, buffer: &mut Vec<u8>) -> std::io::Result<()> {
    write!(buffer, "{:.3} {} {}/{}", timestamp(call.started_unix_ms), call.status, call.dialect, call.operation)?;
    if let Some(model) = &call.model {
        // The model is the caller's word: escaped, so that it cannot forge a line or move a terminal's cursor.
        write!(buffer, " {}", model.escape_debug())?;
    }
    if let Some(last) = call.attempts.last() {
        let tokens = Tokens::of(&call.attempts);
        write!(buffer, " -> {}/{}", last.provider, last.upstream_model.escape_debug())?;
        write!(buffer, " {}+{} tokens ${:.6}", tokens.r#in, tokens.out, cost(&call.attempts))?;
    }
    if call.attempts.len() > 1 {
        write!(buffer, " after {} attempts", call.attempts.len())?;
    }
    write!(buffer, " {:.1} ms (+{:.2} ms)", ms(call.duration_us), ms(call.overhead_us))?;
    if let Some(code) = call.fault {
        write!(buffer, " {code}")?;
    }
    writeln!(buffer, " key={} id={}", call.who.as_ref().map_or("", |who| &*who.key).escape_debug(), call.id)
}

/// A call that failed by the gateway's own defect is an error; one that failed otherwise, a warning.
fn level(call: &CallOutcome) -> &'static str {
    match call.fault {
        Some("internal" | "ledger_unavailable") => "error",
        Some(_) => "warn",
        None => "info",
    }
}

fn cost(attempts: &[AttemptOutcome]) -> f64 {
    attempts.iter().map(|attempt| attempt.cost).sum::<gatehouse_domain::Money>().usd()
}

fn timestamp(unix_ms: u64) -> Timestamp {
    i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[expect(clippy::cast_precision_loss, reason = "a measurement")]
fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// An id as so many hexadecimal digits, written without the formatting machinery: there are three in every line.
struct Hex<const DIGITS: usize>(u128);

impl<const DIGITS: usize> Serialize for Hex<DIGITS> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; DIGITS];
        let mut rest = self.0;
        for digit in text.iter_mut().rev() {
            *digit = b"0123456789abcdef"[(rest & 0xf) as usize];
            rest >>= 4;
        }
        serializer.serialize_str(str::from_utf8(&text).unwrap_or_default())
    }
}

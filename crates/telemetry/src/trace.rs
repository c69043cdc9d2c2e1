//! Spans of a call, made from its record after the fact: one SERVER span, and under it one CLIENT span per attempt.
//! Retries and fallbacks are siblings in order of time.

use std::time::{Duration, SystemTime};

use gatehouse_domain::{AttemptOutcome, AttemptStatus, CallOutcome, TraceParent};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::metrics::seconds;
use crate::names::{self, attribute};
use crate::vocabulary::Vocabulary;

/// The dialect whose attempts are asked of MCP servers.
const MCP: &str = "mcp";

/// Appends the spans of a call; none if its caller asked for the trace not to be recorded.
pub(crate) fn spans(
    call: &CallOutcome,
    vocabulary: &Vocabulary,
    scope: &InstrumentationScope,
    out: &mut Vec<SpanData>,
) {
    let caller = call.traceparent.as_deref().and_then(TraceParent::parse);
    let place = TraceParent::of_call(call.id, caller);
    if !place.sampled {
        return;
    }
    let started = unix_ms(call.started_unix_ms);
    out.push(SpanData {
        parent_span_id: caller.map_or(SpanId::INVALID, |caller| SpanId::from(caller.span_id)),
        parent_span_is_remote: caller.is_some(),
        status: call.fault.filter(|_| call.status >= 500 || call.status < 400).map_or(Status::Unset, Status::error),
        ..span(place, SpanKind::Server, name(call), (started, call.duration_us), call_attributes(call), scope)
    });
    for (number, attempt) in call.attempts.iter().enumerate() {
        let own = place.of_attempt(attempt.id);
        let operation = names::operation(attempt.dialect, attempt.operation);
        let time = (unix_ms(attempt.started_unix_ms), attempt.duration_us);
        let attributes = attempt_attributes(attempt, number, vocabulary.provider_kind(&attempt.provider));
        out.push(SpanData {
            parent_span_id: SpanId::from(place.span_id),
            status: match attempt.status {
                // A client that left is no error of the upstream's.
                AttemptStatus::Ok | AttemptStatus::Cancelled => Status::Unset,
                failed => Status::error(failed.as_str()),
            },
            ..span(own, SpanKind::Client, format!("{operation} {}", attempt.upstream_model), time, attributes, scope)
        });
    }
}

fn span(
    place: TraceParent,
    kind: SpanKind,
    name: String,
    (start_time, duration_us): (SystemTime, u64),
    attributes: Vec<KeyValue>,
    scope: &InstrumentationScope,
) -> SpanData {
    SpanData {
        span_context: SpanContext::new(
            TraceId::from(place.trace_id),
            SpanId::from(place.span_id),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        ),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: kind,
        name: name.into(),
        start_time,
        end_time: start_time.checked_add(Duration::from_micros(duration_us)).unwrap_or(start_time),
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: scope.clone(),
    }
}

/// The model stays out of it: a caller invents those, and span names must be few.
fn name(call: &CallOutcome) -> String {
    format!("{} {}", call.dialect, names::operation(call.dialect, call.operation))
}

fn call_attributes(call: &CallOutcome) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new(attribute::OPERATION, names::operation(call.dialect, call.operation)),
        KeyValue::new(attribute::REQUEST_ID, call.id.to_string()),
        KeyValue::new(attribute::KEY_ID, call.who.as_ref().map_or_else(String::new, |who| who.key.to_string())),
        KeyValue::new(attribute::DIALECT, call.dialect),
        KeyValue::new(attribute::REQUEST_STREAM, call.stream),
        KeyValue::new(attribute::HTTP_STATUS, i64::from(call.status)),
        KeyValue::new(attribute::REQUEST_BYTES, integer(call.bytes_in)),
        KeyValue::new(attribute::RESPONSE_BYTES, integer(call.bytes_out)),
        KeyValue::new(attribute::OVERHEAD, seconds(call.overhead_us)),
    ];
    let optional = [
        (attribute::MODEL, call.model.as_deref()),
        (attribute::ROUTE, call.route.as_deref()),
        (attribute::TEAM, call.who.as_ref().and_then(|who| who.team.as_deref())),
        (attribute::RUN, call.run.as_deref()),
        (attribute::ERROR_TYPE, call.fault),
    ];
    let present = optional.into_iter().filter_map(|(key, value)| Some((key, value?)));
    attributes.extend(present.map(|(key, value)| KeyValue::new(key, value.to_owned())));
    if let Some(finish) = call.finish {
        let reasons = Value::Array(Array::String(vec![StringValue::from(finish)]));
        attributes.push(KeyValue::new(attribute::FINISH_REASONS, reasons));
    }
    attributes
}

fn attempt_attributes(attempt: &AttemptOutcome, number: usize, provider: &str) -> Vec<KeyValue> {
    let mut attributes =
        vec![KeyValue::new(attribute::OPERATION, names::operation(attempt.dialect, attempt.operation))];
    if attempt.dialect == MCP {
        attributes.push(KeyValue::new(attribute::MCP_METHOD, attempt.operation));
        attributes.push(KeyValue::new(attribute::MCP_SERVER, attempt.provider.to_string()));
        if attempt.operation == "tools/call" {
            attributes.push(KeyValue::new(attribute::TOOL_NAME, attempt.upstream_model.to_string()));
        }
    } else {
        attributes.extend([
            KeyValue::new(attribute::PROVIDER_NAME, provider.to_owned()),
            KeyValue::new(attribute::REQUEST_MODEL, attempt.upstream_model.to_string()),
            KeyValue::new(attribute::REQUEST_STREAM, attempt.stream),
            KeyValue::new(attribute::PROVIDER, attempt.provider.to_string()),
        ]);
    }
    attributes.extend([
        KeyValue::new(attribute::ATTEMPT, integer(number as u64)),
        KeyValue::new(attribute::STATUS, attempt.status.as_str()),
        KeyValue::new(attribute::COST_USD, attempt.cost.usd()),
    ]);
    if attempt.status != AttemptStatus::Ok {
        attributes.push(KeyValue::new(attribute::ERROR_TYPE, attempt.status.as_str()));
    }
    if attempt.http_status != 0 {
        attributes.push(KeyValue::new(attribute::HTTP_STATUS, i64::from(attempt.http_status)));
    }
    if attempt.stream && attempt.first_byte_us > 0 {
        attributes.push(KeyValue::new(attribute::TIME_TO_FIRST_CHUNK, seconds(attempt.first_byte_us)));
    }
    let usage = &attempt.usage;
    if !usage.is_empty() {
        attributes.extend([
            KeyValue::new(attribute::INPUT_TOKENS, integer(usage.input_total())),
            KeyValue::new(attribute::OUTPUT_TOKENS, integer(usage.output_total())),
            KeyValue::new(attribute::CACHE_READ_TOKENS, integer(usage.cache_read)),
            KeyValue::new(attribute::CACHE_WRITE_TOKENS, integer(usage.cache_write_5m + usage.cache_write_1h)),
            KeyValue::new(attribute::REASONING_TOKENS, integer(usage.reasoning)),
            KeyValue::new(attribute::ESTIMATED, attempt.estimated),
        ]);
    }
    attributes
}

fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn unix_ms(ms: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms)).unwrap_or(SystemTime::UNIX_EPOCH)
}

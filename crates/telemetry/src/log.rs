//! The request log: one line per call. No content and no secrets: of the caller only the key's public id.
//!
//! The middle of a JSON line, who asked whom for what and how it ended, is the same from call to call: it is kept and
//! copied, since writing a text costs ten times what copying it does.

use std::hash::BuildHasher as _;
use std::io::Write;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};
use gatehouse_domain::{AttemptOutcome, CallOutcome, GuardrailRun, Money, Principal, TraceParent};
use jiff::Timestamp;
use serde::Serialize;

use crate::json_line::JsonLine;
use crate::metrics::same_target;

/// Middles kept at most; then it begins anew.
const MIDDLES: usize = 512;

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

/// What one guardrail did at one of its points: the proof that it ran, or did not.
#[derive(Serialize)]
struct Guardrail<'a> {
    name: &'a str,
    point: &'static str,
    ran: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    action: &'static str,
    findings: u32,
}

/// Writes lines. Most calls of a batch began in the same second, so its text is made once.
#[derive(Debug)]
pub(crate) struct Writer {
    format: LogFormat,
    /// Unix seconds, and their text up to the fraction.
    second: Option<(u64, String)>,
    /// By the hash of what they are about; of two with one hash the later one is kept.
    middles: HashMap<u64, Middle>,
    /// What guardrails did in the last call they were for, and the member that says so: mostly they do the same again.
    guardrails: Option<(Vec<GuardrailRun>, Box<[u8]>)>,
}

/// The middle of a line, and what it is made of.
#[derive(Debug)]
struct Middle {
    about: About,
    members: Box<[u8]>,
}

/// What the middle of a line is made of, for a call of one attempt and no run.
#[derive(Debug)]
struct About {
    who: Arc<Principal>,
    names: [Option<Arc<str>>; 6],
    words: [Option<&'static str>; 4],
    stream: bool,
    status: u16,
}

impl Writer {
    pub(crate) fn new(format: LogFormat) -> Self {
        Self { format, second: None, middles: HashMap::new(), guardrails: None }
    }

    /// Appends the line of a call.
    pub(crate) fn write(&mut self, call: &CallOutcome, buffer: &mut Vec<u8>) {
        match self.format {
            LogFormat::Off => {}
            LogFormat::Json => {
                let mut line = JsonLine::open(buffer);
                self.json(call, &mut line);
                line.close();
                buffer.push(b'\n');
            }
            // Writing to memory does not fail.
            LogFormat::Text => _ = write_text(call, buffer),
        }
    }

    /// The members, as docs/telemetry.md lists them.
    fn json(&mut self, call: &CallOutcome, line: &mut JsonLine<'_>) {
        line.moment("ts", self.second(call.started_unix_ms / 1000), call.started_unix_ms % 1000);
        line.text("level", level(call));
        line.text("msg", "call");
        let caller = call.traceparent.as_deref().and_then(TraceParent::parse);
        let span = TraceParent::of_call(call.id, caller);
        line.hex("request_id", quarters(call.id.0.as_u128()));
        line.hex("trace_id", quarters(span.trace_id));
        line.hex("span_id", halves(span.span_id));
        self.middle(call, line);
        if call.stream {
            line.millis("ttft_ms", call.first_byte_us);
        }
        line.millis("duration_ms", call.duration_us);
        line.millis("overhead_ms", call.overhead_us);
        json_used(call, line);
        if !call.guardrails.is_empty() {
            self.guardrails(&call.guardrails, line);
        }
        line.number("bytes_in", call.bytes_in);
        line.number("bytes_out", call.bytes_out);
    }

    /// From the caller to how it ended.
    fn middle(&mut self, call: &CallOutcome, line: &mut JsonLine<'_>) {
        let ([attempt], Some(who), None) = (&*call.attempts, &call.who, &call.run) else {
            return json_middle(call, line);
        };
        let hash = self.middles.hasher().hash_one((&who.key, &call.model, &attempt.upstream_model, call.status));
        if let Some(Middle { members, .. }) = self.middles.get(&hash).filter(|known| known.about.is(call, who, attempt))
        {
            return line.again(members);
        }
        let mark = line.mark();
        json_middle(call, line);
        if self.middles.len() >= MIDDLES {
            self.middles.clear();
        }
        let middle = Middle { about: About::of(call, who, attempt), members: line.since(mark).into() };
        self.middles.insert(hash, middle);
    }

    fn guardrails(&mut self, runs: &[GuardrailRun], line: &mut JsonLine<'_>) {
        if let Some((_, member)) = self.guardrails.as_ref().filter(|(last, _)| last == runs) {
            return line.again(member);
        }
        let mark = line.mark();
        line.value("guardrails", &runs.iter().map(Guardrail::of).collect::<Vec<_>>());
        self.guardrails = Some((runs.to_vec(), line.since(mark).into()));
    }

    fn second(&mut self, unix_secs: u64) -> &str {
        if self.second.as_ref().is_none_or(|(second, _)| *second != unix_secs) {
            let text = timestamp(unix_secs.saturating_mul(1000)).strftime("%Y-%m-%dT%H:%M:%S").to_string();
            self.second = Some((unix_secs, text));
        }
        self.second.as_ref().map_or("", |(_, text)| text)
    }
}

impl About {
    fn of(call: &CallOutcome, who: &Arc<Principal>, attempt: &AttemptOutcome) -> Self {
        let names = names(call, attempt).map(|name| name.cloned());
        Self { who: Arc::clone(who), names, words: words(call), stream: call.stream, status: call.status }
    }

    fn is(&self, call: &CallOutcome, who: &Arc<Principal>, attempt: &AttemptOutcome) -> bool {
        Arc::ptr_eq(&self.who, who)
            && names(call, attempt).into_iter().zip(&self.names).all(|(a, b)| same(a, b.as_ref()))
            && (self.words, self.stream, self.status) == (words(call), call.stream, call.status)
    }
}

fn names<'a>(call: &'a CallOutcome, attempt: &'a AttemptOutcome) -> [Option<&'a Arc<str>>; 6] {
    let CallOutcome { model, tags, decision, route, .. } = call;
    let [model, tags, decision, route] = [model, tags, decision, route].map(Option::as_ref);
    [model, Some(&attempt.upstream_model), Some(&attempt.provider), tags, decision, route]
}

/// Most names are the configuration's, and then their texts need not be compared.
fn same(a: Option<&Arc<str>>, b: Option<&Arc<str>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
        (a, b) => a.is_none() && b.is_none(),
    }
}

fn words(call: &CallOutcome) -> [Option<&'static str>; 4] {
    [Some(call.dialect), Some(call.operation), call.fault, call.finish]
}

fn json_middle(call: &CallOutcome, line: &mut JsonLine<'_>) {
    json_who(call, line);
    line.text("dialect", call.dialect);
    line.text("op", call.operation);
    line.some_text("model_requested", call.model.as_deref());
    json_target(call, line);
    line.flag("stream", call.stream);
    line.number("status", call.status.into());
    line.some_text("error_type", call.fault);
    line.some_text("finish_reason", call.finish);
}

impl<'a> Guardrail<'a> {
    fn of(run: &'a GuardrailRun) -> Self {
        let GuardrailRun { name, point, ran, action, findings } = run;
        Self { name, point, ran: ran.as_str(), action, findings: *findings }
    }
}

fn json_who(call: &CallOutcome, line: &mut JsonLine<'_>) {
    let who = call.who.as_deref();
    line.text("key_id", who.map_or("", |who| &who.key));
    line.some_text("team", who.and_then(|who| who.team.as_deref()));
    line.some_text("user", who.and_then(|who| who.user.as_deref()));
    line.some_text("agent", who.and_then(|who| who.agent.as_deref()));
    line.some_text("run", call.run.as_deref());
    line.some_text("tags", call.tags.as_deref());
    // Ids of the policies that decided, by commas.
    line.some_text("policies", call.decision.as_deref());
}

fn json_target(call: &CallOutcome, line: &mut JsonLine<'_>) {
    let (first, last) = (call.attempts.first(), call.attempts.last());
    line.some_text("provider", last.map(|attempt| &*attempt.provider));
    line.some_text("model_served", last.map(|attempt| &*attempt.upstream_model));
    line.some_text("route", call.route.as_deref());
    line.number("attempts", call.attempts.len() as u64);
    // The first target, where another one answered in the end.
    if let Some((first, _)) = first.zip(last).filter(|(first, last)| !same_target(first, last)) {
        line.object("fallback_from", |from| {
            from.text("provider", &first.provider);
            from.text("model", &first.upstream_model);
            from.text("status", first.status.as_str());
        });
    }
}

fn json_used(call: &CallOutcome, line: &mut JsonLine<'_>) {
    if call.attempts.is_empty() {
        return;
    }
    let tokens = Tokens::of(&call.attempts);
    line.object("tokens", |line| {
        line.number("in", tokens.r#in);
        line.number("out", tokens.out);
        line.number("cache_read", tokens.cache_read);
        line.number("cache_write", tokens.cache_write);
        line.number("reasoning", tokens.reasoning);
    });
    line.dollars("cost_usd", cost(&call.attempts).nano_usd);
    if call.attempts.iter().any(|attempt| attempt.estimated) {
        line.flag("estimated", true);
    }
    if call.attempts.iter().any(|attempt| !attempt.priced && !attempt.usage.is_empty()) {
        line.flag("unpriced", true);
    }
}

/// Tokens of all attempts together. `in` includes what was cached, `out` includes reasoning.
struct Tokens {
    r#in: u64,
    out: u64,
    cache_read: u64,
    cache_write: u64,
    reasoning: u64,
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
        write!(buffer, " {}+{} tokens ${:.6}", tokens.r#in, tokens.out, cost(&call.attempts).usd())?;
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

fn quarters(id: u128) -> [u32; 4] {
    [96, 64, 32, 0].map(|shift| (id >> shift) as u32)
}

fn halves(id: u64) -> [u32; 2] {
    [32, 0].map(|shift| (id >> shift) as u32)
}

fn cost(attempts: &[AttemptOutcome]) -> Money {
    attempts.iter().map(|attempt| attempt.cost).sum()
}

fn timestamp(unix_ms: u64) -> Timestamp {
    i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[expect(clippy::cast_precision_loss, reason = "a measurement")]
fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

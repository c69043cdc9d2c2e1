//! Every name telemetry uses, in one table: metrics, their labels, span attributes.
//!
//! `gen_ai.*` follows the OpenTelemetry semantic conventions v1.41 (the last release of the core repository that has
//! them); their status there is "development", so a later move is a change of this file and of docs/telemetry.md only.

/// What a metric measures with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only ever grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

/// One metric as Prometheus shows it.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The exposed name, unit and `_total` included.
    pub name: &'static str,
    /// What it measures with.
    pub kind: Kind,
    /// Its labels, in order. Each has a bounded set of values.
    pub labels: &'static [&'static str],
    /// What it says, in a few words, without a full stop.
    pub help: &'static str,
}

/// Labels. The dots of the conventions become underscores.
pub mod label {
    #![expect(missing_docs, reason = "each constant is its own text")]
    pub const OPERATION: &str = "gen_ai_operation_name";
    pub const PROVIDER_NAME: &str = "gen_ai_provider_name";
    pub const REQUEST_MODEL: &str = "gen_ai_request_model";
    pub const TOKEN_TYPE: &str = "gen_ai_token_type";
    pub const ERROR_TYPE: &str = "error_type";
    pub const DIALECT: &str = "dialect";
    pub const MODEL: &str = "model";
    pub const PROVIDER: &str = "provider";
    pub const STATUS: &str = "status";
    pub const CODE: &str = "code";
    pub const TARGET: &str = "target";
    pub const RESULT: &str = "result";
    pub const SIGNAL: &str = "signal";
    pub const GUARDRAIL: &str = "guardrail";
    pub const ACTION: &str = "action";
    pub const VERSION: &str = "version";
}

/// Span attributes.
pub mod attribute {
    #![expect(missing_docs, reason = "each constant is its own text")]
    pub const OPERATION: &str = "gen_ai.operation.name";
    pub const PROVIDER_NAME: &str = "gen_ai.provider.name";
    pub const REQUEST_MODEL: &str = "gen_ai.request.model";
    pub const REQUEST_STREAM: &str = "gen_ai.request.stream";
    pub const TOOL_NAME: &str = "gen_ai.tool.name";
    pub const MCP_METHOD: &str = "mcp.method.name";
    pub const MCP_SERVER: &str = "gatehouse.mcp_server";
    pub const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
    pub const TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
    pub const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
    pub const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
    pub const CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
    pub const CACHE_WRITE_TOKENS: &str = "gen_ai.usage.cache_creation.input_tokens";
    pub const REASONING_TOKENS: &str = "gen_ai.usage.reasoning.output_tokens";
    pub const ERROR_TYPE: &str = "error.type";
    pub const HTTP_STATUS: &str = "http.response.status_code";
    pub const REQUEST_BYTES: &str = "http.request.body.size";
    pub const RESPONSE_BYTES: &str = "http.response.body.size";
    pub const REQUEST_ID: &str = "gatehouse.request.id";
    pub const KEY_ID: &str = "gatehouse.key.id";
    pub const TEAM: &str = "gatehouse.team";
    pub const RUN: &str = "gatehouse.run";
    pub const MODEL: &str = "gatehouse.model";
    pub const DIALECT: &str = "gatehouse.dialect";
    pub const ROUTE: &str = "gatehouse.route";
    pub const OVERHEAD: &str = "gatehouse.overhead";
    pub const ATTEMPT: &str = "gatehouse.attempt";
    pub const PROVIDER: &str = "gatehouse.provider";
    pub const STATUS: &str = "gatehouse.attempt.status";
    pub const COST_USD: &str = "gatehouse.cost.usd";
    pub const ESTIMATED: &str = "gatehouse.usage.estimated";
}

/// The value of a label whose own value is not one we know: the set stays bounded.
pub const OTHER: &str = "other";

macro_rules! metrics {
    ($($constant:ident = $kind:ident $name:literal [$($label:ident),*] $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: Metric =
            Metric { name: $name, kind: Kind::$kind, labels: &[$(label::$label),*], help: $help };)*
        /// Every metric, in the order of docs/telemetry.md.
        pub const METRICS: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    REQUESTS = Counter "gatehouse_requests_total" [DIALECT, OPERATION, MODEL, STATUS] "Calls answered, by the HTTP status the client got";
    REQUEST_DURATION = Histogram "gatehouse_request_duration_seconds" [DIALECT, OPERATION, MODEL] "From the request's head to the last byte handed over";
    OVERHEAD = Histogram "gatehouse_overhead_seconds" [DIALECT, OPERATION] "The part of that which the gateway itself added";
    REFUSALS = Counter "gatehouse_refusals_total" [DIALECT, CODE] "Calls refused or broken off, by error code";
    GUARDRAIL_DECISIONS = Counter "gatehouse_guardrail_decisions_total" [GUARDRAIL, ACTION] "What guardrails did at each of their points: block, redact or observe what they found, or ran, skipped, failed";
    GUARDRAIL_DURATION = Histogram "gatehouse_guardrail_duration_seconds" [DIALECT, OPERATION] "What all guardrails of a call took together";
    ATTEMPTS = Counter "gatehouse_attempts_total" [PROVIDER, MODEL, STATUS] "Upstream attempts, by how they ended";
    RETRIES = Counter "gatehouse_retries_total" [PROVIDER, MODEL] "Attempts that tried the same target again";
    FALLBACKS = Counter "gatehouse_fallbacks_total" [PROVIDER, MODEL] "Attempts that went to another target after one had failed";
    COST = Counter "gatehouse_cost_usd_total" [PROVIDER, MODEL] "What attempts cost, in US dollars";
    UNPRICED = Counter "gatehouse_unpriced_attempts_total" [PROVIDER, MODEL] "Attempts counted at no cost because there is no price";
    ESTIMATED = Counter "gatehouse_estimated_usage_total" [PROVIDER, MODEL] "Attempts whose tokens the gateway had to count itself";
    TOKEN_USAGE = Histogram "gen_ai_client_token_usage" [OPERATION, PROVIDER_NAME, REQUEST_MODEL, TOKEN_TYPE] "Tokens an attempt used; input includes cached, output includes reasoning";
    OPERATION_DURATION = Histogram "gen_ai_client_operation_duration_seconds" [OPERATION, PROVIDER_NAME, REQUEST_MODEL, ERROR_TYPE] "One attempt, from sending to its end";
    TIME_TO_FIRST_CHUNK = Histogram "gen_ai_client_operation_time_to_first_chunk_seconds" [OPERATION, PROVIDER_NAME, REQUEST_MODEL] "Streamed attempts: from sending to the first byte of the body";
    TIME_PER_OUTPUT_TOKEN = Histogram "gen_ai_server_time_per_output_token_seconds" [OPERATION, PROVIDER_NAME, REQUEST_MODEL] "Streamed attempts: time between output tokens after the first";
    TIME_TO_FIRST_TOKEN = Histogram "gen_ai_server_time_to_first_token_seconds" [OPERATION, REQUEST_MODEL] "Streamed calls: from the request's head to the first byte handed over";
    SERVER_DURATION = Histogram "gen_ai_server_request_duration_seconds" [OPERATION, REQUEST_MODEL, ERROR_TYPE] "Calls as the gateway's clients see them";
    INFLIGHT = Gauge "gatehouse_inflight" [] "Calls running now";
    MCP_LISTENS = Gauge "gatehouse_mcp_listens" [] "Streams of MCP that only listen for changes";
    BREAKER_STATE = Gauge "gatehouse_breaker_state" [TARGET] "0 closed, 1 half open, 2 open";
    USAGE_LOST = Counter "gatehouse_usage_lost_total" [] "Ledger records lost; anything but 0 is a defect";
    JOURNAL_PENDING = Gauge "gatehouse_journal_pending" [] "Ledger records in the journal that the database does not have yet";
    CONFIG_GENERATION = Gauge "gatehouse_config_generation" [] "Number of the configuration in force; grows with each accepted change";
    CONFIG_RELOADS = Counter "gatehouse_config_reload_total" [RESULT] "Reloads, accepted or rejected";
    DRAINING = Gauge "gatehouse_draining" [] "1 once shutdown has begun";
    TELEMETRY_DROPPED = Counter "gatehouse_telemetry_dropped_total" [SIGNAL] "Outcome records, log lines, spans, rows of the request log, audited refusals and alerts dropped because a queue was full or a sink failed";
    SERIES_CAPPED = Counter "gatehouse_series_capped_total" [] "Records counted under other because a metric had its full number of series";
    BUILD_INFO = Gauge "gatehouse_build_info" [VERSION] "Always 1; the label is the version";
    PROCESS_MEMORY = Gauge "process_resident_memory_bytes" [] "Resident memory";
    PROCESS_FDS = Gauge "process_open_fds" [] "Open file descriptors";
    PROCESS_THREADS = Gauge "process_threads" [] "Threads";
    TASKS = Gauge "gatehouse_tasks" [] "Tasks alive on all runtimes: connections, calls without their callers, the gateway's own";
}

/// `gen_ai.operation.name` for what a door calls its operation.
#[must_use]
pub fn operation(dialect: &str, operation: &'static str) -> &'static str {
    match operation {
        "chat" if dialect == "gemini" => "generate_content",
        "chat" | "responses" | "messages" | "converse" => "chat",
        "completions" => "text_completion",
        "embed" => "embeddings",
        "tools/call" => "execute_tool",
        other => other,
    }
}

/// `gen_ai.provider.name` for a provider's `kind`. Kinds the conventions do not list keep their own name, as they ask.
#[must_use]
pub fn provider(kind: &str) -> &str {
    match kind {
        "gemini" => "gcp.gemini",
        "vertex" => "gcp.vertex_ai",
        "bedrock" => "aws.bedrock",
        "azure" | "azure-openai" => "azure.ai.openai",
        "azure-inference" | "azure-foundry" => "azure.ai.inference",
        "mistral" => "mistral_ai",
        "xai" | "grok" => "x_ai",
        "watsonx" => "ibm.watsonx.ai",
        "moonshot" => "moonshot_ai",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_on_the_telemetry_page() {
        let page = include_str!("../../../docs/telemetry.md");
        for metric in METRICS {
            let labels = metric.labels.iter().map(|l| format!("`{l}`")).collect::<Vec<_>>().join(" ");
            let kind = format!("{:?}", metric.kind).to_lowercase();
            let row = format!("| `{}` | {kind} | {labels} | {} |", metric.name, metric.help);
            assert!(page.contains(&row), "docs/telemetry.md lacks the row\n{row}");
        }
    }

    #[test]
    fn names_follow_the_exposition_format() {
        for metric in METRICS {
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            assert!(metric.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", metric.name);
        }
    }
}

//! What became of a call: one record that feeds ledger, metrics, log and trace, so that they cannot disagree.

use std::sync::Arc;

use crate::{AttemptId, Money, Principal, RequestId, Usage};

/// How one upstream attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AttemptStatus {
    /// A whole answer.
    Ok = 0,
    /// The provider refused it as the caller's fault.
    Rejected = 1,
    /// The provider's rate limit.
    Limited = 2,
    /// The provider failed or was unreachable before an answer began.
    Failed = 3,
    /// The answer broke off.
    Truncated = 4,
    /// The client left.
    Cancelled = 5,
    /// A timer ran out.
    TimedOut = 6,
    /// The gateway died while the attempt ran; found in the journal at the next start.
    Interrupted = 7,
}

impl AttemptStatus {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Rejected,
        Self::Limited,
        Self::Failed,
        Self::Truncated,
        Self::Cancelled,
        Self::TimedOut,
        Self::Interrupted,
    ];

    /// The word used in tables, metrics and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Rejected => "rejected",
            Self::Limited => "limited",
            Self::Failed => "failed",
            Self::Truncated => "truncated",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One upstream attempt: one ledger row.
#[derive(Clone, Debug)]
pub struct AttemptOutcome {
    /// Primary key of the ledger row.
    pub id: AttemptId,
    /// Unix milliseconds at which the attempt was sent.
    pub started_unix_ms: u64,
    /// Who called.
    pub who: Arc<Principal>,
    /// The run it belongs to.
    pub run: Option<Arc<str>>,
    /// Tags of key and call together.
    pub tags: Option<Arc<str>>,
    /// The model as the client named it.
    pub model: Arc<str>,
    /// The provider's name.
    pub provider: Arc<str>,
    /// The provider's model.
    pub upstream_model: Arc<str>,
    /// The caller's dialect.
    pub dialect: &'static str,
    /// What was asked for.
    pub operation: &'static str,
    /// Streamed answer?
    pub stream: bool,
    /// How it ended.
    pub status: AttemptStatus,
    /// The upstream's HTTP status; 0 if there was none.
    pub http_status: u16,
    /// Tokens by kind.
    pub usage: Usage,
    /// Were the tokens counted by us, because the provider never said?
    pub estimated: bool,
    /// What it cost.
    pub cost: Money,
    /// Was there a price? An unpriced attempt costs 0 and says so.
    pub priced: bool,
    /// Microseconds from sending to the end.
    pub duration_us: u64,
    /// Microseconds from sending to the first byte of the body; 0 if none came.
    pub first_byte_us: u64,
}

/// What one guardrail did on one side of a call: the proof that it ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardrailRun {
    /// Its name.
    pub name: Arc<str>,
    /// Where: `request`, `response`, `tool_args`, `tool_result`, `agent_message`.
    pub point: &'static str,
    /// Did it run?
    pub ran: Ran,
    /// What it did about what it found: `block`, `redact`, `observe`; empty if it found nothing.
    pub action: &'static str,
    /// How much it found.
    pub findings: u32,
}

/// Whether a guardrail ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// Over everything there was.
    Ran,
    /// There was nothing for it here.
    Skipped,
    /// It failed, and the call went on without it (fail-open) or ended there (fail-closed).
    Failed,
}

impl Ran {
    /// The word in logs, tables and traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ran => "ran",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// One call, all attempts done: what logs, metrics and traces are made of.
#[derive(Clone, Debug, Default)]
pub struct CallOutcome {
    /// The call.
    pub id: RequestId,
    /// Unix milliseconds at which the request's head had been read.
    pub started_unix_ms: u64,
    /// Who called, once that is known.
    pub who: Option<Arc<Principal>>,
    /// The run it belongs to: `x-gatehouse-run`, or the trace of the caller.
    pub run: Option<Arc<str>>,
    /// Tags of key and call together.
    pub tags: Option<Arc<str>>,
    /// The ids of the policies that decided, joined by commas.
    pub decision: Option<Arc<str>>,
    /// What each guardrail did.
    pub guardrails: Vec<GuardrailRun>,
    /// The caller's dialect.
    pub dialect: &'static str,
    /// What was asked for.
    pub operation: &'static str,
    /// The model as the client named it, if it got that far.
    pub model: Option<Arc<str>>,
    /// Streamed answer?
    pub stream: bool,
    /// HTTP status the client got.
    pub status: u16,
    /// Stable code of the refusal, if it was refused.
    pub fault: Option<&'static str>,
    /// Why the answer ended, in the vocabulary of the superset form.
    pub finish: Option<&'static str>,
    /// Microseconds from head read to last byte handed over.
    pub duration_us: u64,
    /// Microseconds of that which the gateway itself added: all but waiting for the client's body, the upstream and
    /// the client's reading.
    pub overhead_us: u64,
    /// Microseconds from head read to the first byte handed over.
    pub first_byte_us: u64,
    /// Request body bytes.
    pub bytes_in: u64,
    /// Response body bytes.
    pub bytes_out: u64,
    /// Why the target was chosen, from the router.
    pub route: Option<Arc<str>>,
    /// W3C trace context of the caller, if it sent one.
    pub traceparent: Option<Arc<str>>,
    /// Every upstream attempt, in order.
    pub attempts: Vec<AttemptOutcome>,
}

//! Rows and sums of the request log as the API writes them: names that are empty are left out. And what guardrails did,
//! as the log keeps it.

use gatehouse_domain::GuardrailRun;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::{RequestRow, RunSums};

#[derive(Serialize)]
struct Guardrail<'a> {
    name: &'a str,
    point: &'static str,
    ran: &'static str,
    action: &'static str,
    findings: u32,
}

/// A JSON list of `{name, point, ran, action, findings}`.
pub(super) fn guardrails(runs: &[GuardrailRun]) -> String {
    let runs: Vec<_> = runs
        .iter()
        .map(|GuardrailRun { name, point, ran, action, findings }| Guardrail {
            name,
            point,
            ran: ran.as_str(),
            action,
            findings: *findings,
        })
        .collect();
    // Texts and a number: there is nothing that could fail.
    serde_json::to_string(&runs).unwrap_or_else(|_| "[]".to_owned())
}

#[expect(clippy::cast_precision_loss, reason = "a measurement")]
fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

impl Serialize for RequestRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id.to_string())?;
        map.serialize_entry("started_unix_ms", &self.started_unix_ms)?;
        for (field, text) in [
            ("organisation", &self.organisation),
            ("team", &self.team),
            ("user", &self.user),
            ("agent", &self.agent),
            ("key", &self.key),
            ("dialect", &self.dialect),
            ("operation", &self.operation),
            ("model", &self.model),
            ("provider", &self.provider),
            ("upstream_model", &self.upstream_model),
            ("run", &self.run),
            ("tags", &self.tags),
            ("code", &self.code),
            ("decision", &self.decision),
        ] {
            if !text.is_empty() {
                map.serialize_entry(field, text)?;
            }
        }
        map.serialize_entry("stream", &self.stream)?;
        map.serialize_entry("status", &self.status)?;
        map.serialize_entry("attempts", &self.attempts)?;
        map.serialize_entry("input_tokens", &self.input_tokens)?;
        map.serialize_entry("output_tokens", &self.output_tokens)?;
        map.serialize_entry("cost_usd", &self.cost.usd())?;
        map.serialize_entry("duration_ms", &ms(self.duration_us))?;
        map.serialize_entry("first_byte_ms", &ms(self.first_byte_us))?;
        map.serialize_entry("overhead_ms", &ms(self.overhead_us))?;
        if let Ok(guardrails) = serde_json::from_str::<&RawValue>(&self.guardrails) {
            map.serialize_entry("guardrails", guardrails)?;
        }
        map.end()
    }
}

impl Serialize for RunSums {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("calls", &self.calls)?;
        map.serialize_entry("failed", &self.failed)?;
        map.serialize_entry("attempts", &self.attempts)?;
        map.serialize_entry("input_tokens", &self.input_tokens)?;
        map.serialize_entry("output_tokens", &self.output_tokens)?;
        map.serialize_entry("cost_usd", &self.cost.usd())?;
        map.serialize_entry("first_unix_ms", &self.first_unix_ms)?;
        map.serialize_entry("last_unix_ms", &self.last_unix_ms)?;
        map.end()
    }
}

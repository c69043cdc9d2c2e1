//! The gateway's configuration while it is measured: every model in front of the scripted provider, one plain key and one
//! under budget and limits.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::Error;

/// A key with nothing but a name.
pub const PLAIN_KEY: &str = "gk_bench_plain_5d2f8c1e7a904b63";
/// A key with a budget and two limits, none of which is ever reached.
pub const GOVERNED_KEY: &str = "gk_bench_governed_83b61fa0c97d25e4";

/// A key of a team, with three limits and two budgets on its way, a policy that lets it in and a guardrail that looks for secrets.
pub const WHOLE_KEY: &str = "gk_bench_whole_1c94e7d0b25f8a36";
/// What the policies say: everybody of the bench may call, and nobody at midnight from nowhere.
const POLICY: &str = r#"permit (principal, action in [Action::"call_model", Action::"list_models"], resource);
forbid (principal, action == Action::"call_model", resource) when { context.tags.contains("env=forbidden") };
"#;

/// How much of the house is switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum House {
    /// What a relayed call cannot do without: keys, prices, the ledger, metrics. No request log, no log lines, no policies.
    Lean,
    /// All there is: request log, log lines, policies, guardrails for who has them.
    Full,
}

impl House {
    /// As its folder is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lean => "lean",
            Self::Full => "full",
        }
    }
}

/// Manners of the scripted provider that models are named after.
pub const MANNERS: [&str; 6] = ["instant", "paced", "holding", "stalling", "cutting", "failing"];

/// Writes the file.
///
/// # Errors
/// When it cannot be written.
pub fn write(house: House, file: &Path, listen: SocketAddr, upstream: SocketAddr) -> Result<(), Error> {
    let root = format!("http://{upstream}");
    let provider = |kind: &str, url: &str| json!({"kind": kind, "base_url": url, "api_key": "bench-provider-key"});
    let mut models = Map::new();
    let mut prices = Map::new();
    for manner in MANNERS {
        let upstream_model = format!("bench-{manner}");
        for (prefix, provider) in [("chat", "chat"), ("anthropic", "anthropic"), ("gemini", "gemini")] {
            let targets = json!([{"provider": provider, "model": upstream_model}]);
            models.insert(format!("{prefix}-{manner}"), json!({"targets": targets}));
            prices.insert(format!("{provider}/{upstream_model}"), json!({"input": 0.25, "output": 2.0}));
        }
    }
    let limits =
        json!([{"requests": 1_000_000_000, "per": "minute"}, {"tokens": 1_000_000_000_000_u64, "per": "minute"}]);
    std::fs::write(file.with_file_name("bench.cedar"), POLICY)?;
    let budget = json!([{"usd": 1_000_000, "per": "month"}]);
    let mut config: Value = json!({
        "listen": listen.to_string(),
        "data_dir": file.with_file_name("data"),
        "server": {"workers": 1},
        "providers": {
            "chat": provider("openai-compatible", &format!("{root}/v1")),
            "anthropic": provider("anthropic", &root),
            "gemini": provider("gemini", &root),
        },
        "models": models,
        "keys": [
            {"name": "plain", "secret": PLAIN_KEY},
            {"name": "governed", "secret": GOVERNED_KEY, "limits": limits, "budgets": budget},
            {"name": "whole", "secret": WHOLE_KEY, "team": "bench", "limits": limits, "budgets": budget},
        ],
        "teams": {"bench": {"limits": [{"requests": 1_000_000_000, "per": "hour"}], "budgets": budget}},
        "prices": {"overrides": prices},
    });
    match house {
        House::Lean => config["telemetry"] = json!({"log": "off", "requests": {"keep_days": 0}}),
        House::Full => {
            config["policies"] = json!(["bench.cedar"]);
            config["guardrails"] = json!([
                {"name": "secrets", "on": ["request", "response"], "detect": "secrets", "action": "observe", "keys": ["whole"]},
            ]);
        }
    }
    std::fs::write(file, config.to_string())?;
    Ok(())
}

//! Guardrails as configured, built: detectors from `policy`, webhooks for the path. `check` and start-up run the same code.

use std::sync::Arc;

use gatehouse_catalog::written::{Action as WrittenAction, Point as WrittenPoint};
use gatehouse_catalog::{Config, Detector, Guardrail as Configured};
use gatehouse_llm_gateway::gateway::BlueprintProblem;
use gatehouse_pipeline::{Guardrails, Webhook};
use gatehouse_policy::Patterns;
use gatehouse_policy::guardrails::{Action, Guardrail, Pattern, PiiKind, Point, Scope, Spec, build};
use gatehouse_upstream::Egress;

/// Every guardrail of a configuration; `None` if there is none.
///
/// # Errors
/// Every pattern, schema and word that is none, with its place in the file.
pub(crate) fn guardrails(config: &Config) -> Result<Option<Guardrails>, Vec<BlueprintProblem>> {
    let mut built = Guardrails::default();
    let mut problems = Vec::new();
    for (n, configured) in config.guardrails.iter().enumerate() {
        if let Detector::Webhook(webhook) = &configured.detector {
            match asked(configured, webhook) {
                Ok(webhook) => built.webhooks.push(Arc::new(webhook)),
                Err(message) => problems.push(problem(n, ".url", message)),
            }
            continue;
        }
        match spec(&configured.detector).and_then(|spec| build(&spec).map_err(|error| error.to_string())) {
            Ok(detector) => built.detectors.push(Arc::new(Guardrail {
                name: Arc::clone(&configured.name),
                on: points(configured),
                action: action(configured.action),
                scope: scope(configured),
                fail_open: configured.fail_open,
                detector,
            })),
            Err(message) => problems.push(problem(n, setting(&configured.detector), message)),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok((!config.guardrails.is_empty()).then_some(built))
}

fn problem(n: usize, setting: &str, message: String) -> BlueprintProblem {
    BlueprintProblem { path: format!("guardrails[{n}]{setting}"), message, hint: None }
}

fn spec(detector: &Detector) -> Result<Spec, String> {
    Ok(match detector {
        Detector::Secrets => Spec::Secrets,
        Detector::Pii { kinds } => {
            Spec::Pii { kinds: kinds.iter().map(|word| kind(word)).collect::<Result<Vec<_>, _>>()? }
        }
        Detector::Injection { threshold } => {
            Spec::Injection { threshold: threshold.unwrap_or(Spec::INJECTION_THRESHOLD) }
        }
        Detector::Regex { patterns } => Spec::Regex {
            patterns: patterns
                .iter()
                .map(|(name, regex)| Pattern { name: name.clone(), regex: regex.clone() })
                .collect(),
        },
        Detector::Keywords { words } => Spec::Keywords { words: words.clone() },
        Detector::Size { max_chars } => Spec::Size { max_chars: *max_chars },
        Detector::Topic { allow, deny } => Spec::Topic { allow: allow.clone(), deny: deny.clone() },
        Detector::JsonSchema { schema } => Spec::JsonSchema { schema: schema.clone() },
        Detector::Webhook(_) => return Err("a webhook has no detector".to_owned()),
    })
}

/// The setting a detector is most likely to stumble over.
fn setting(detector: &Detector) -> &'static str {
    match detector {
        Detector::Pii { .. } => ".kinds",
        Detector::Injection { .. } => ".threshold",
        Detector::Regex { .. } => ".patterns",
        Detector::Keywords { .. } => ".words",
        Detector::JsonSchema { .. } => ".schema",
        _ => "",
    }
}

fn kind(word: &str) -> Result<PiiKind, String> {
    PiiKind::ALL.into_iter().find(|kind| kind.word() == word).ok_or_else(|| {
        let all: Vec<&str> = PiiKind::ALL.iter().map(|kind| kind.word()).collect();
        format!("there is no kind `{word}`; there are {}", all.join(", "))
    })
}

fn asked(configured: &Configured, webhook: &gatehouse_catalog::Webhook) -> Result<Webhook, String> {
    let path = if webhook.url.path.is_empty() { "/" } else { &webhook.url.path };
    Ok(Webhook {
        name: Arc::clone(&configured.name),
        on: points(configured),
        action: action(configured.action),
        scope: scope(configured),
        fail_open: configured.fail_open,
        origin: webhook.url.origin.clone(),
        path: path.parse().map_err(|_| "the path of the URL is none".to_owned())?,
        token: webhook.token.clone(),
        timeout: webhook.timeout,
        egress: if webhook.allow_private { Egress::Trusted } else { Egress::Public },
    })
}

fn scope(configured: &Configured) -> Scope {
    Scope {
        teams: Patterns::new(&configured.teams),
        keys: Patterns::new(&configured.keys),
        models: Patterns::new(&configured.models),
        tools: Patterns::new(&configured.tools),
    }
}

fn points(configured: &Configured) -> Vec<Point> {
    let mut points = Vec::with_capacity(configured.on.len());
    for point in &configured.on {
        let point = match point {
            WrittenPoint::Request => Point::Request,
            WrittenPoint::Response => Point::Response,
            WrittenPoint::ToolArgs => Point::ToolArgs,
            WrittenPoint::ToolResult => Point::ToolResult,
            WrittenPoint::AgentMessage => Point::AgentMessage,
        };
        if !points.contains(&point) {
            points.push(point);
        }
    }
    points
}

fn action(action: WrittenAction) -> Action {
    match action {
        WrittenAction::Block => Action::Block,
        WrittenAction::Redact => Action::Redact,
        WrittenAction::Observe => Action::Observe,
    }
}

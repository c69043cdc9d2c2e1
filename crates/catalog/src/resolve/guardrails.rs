//! `guardrails`: names, settings that go with what is detected, addresses. Patterns and schemas are tried by whoever builds
//! the detectors.

use std::time::Duration;

use super::address::{endpoint, seconds};
use super::names::PlainNames;
use crate::check::{Check, nth};
use crate::config::{Detector, Guardrail, Webhook};
use crate::written::{self, Action, Detect, Fail, Point};

/// How long a webhook may take if nothing is written.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn all(guardrails: Vec<written::Guardrail>, check: &mut Check) -> Vec<Guardrail> {
    let mut names = PlainNames::of("guardrails");
    let mut resolved = Vec::with_capacity(guardrails.len());
    for (n, guardrail) in guardrails.into_iter().enumerate() {
        let path = nth("guardrails", n);
        names.take(n, &guardrail.name, check);
        if guardrail.on.is_empty() {
            let hint = "write `on: [request, response]`".to_owned();
            check.error_at(&format!("{path}.on"), "empty: it would never run", Some(hint));
        }
        strangers(&path, &guardrail, check);
        if let Some(one) = one(&path, guardrail, check) {
            resolved.push(one);
        }
    }
    resolved
}

/// Settings that belong to another kind of detector.
fn strangers(path: &str, written: &written::Guardrail, check: &mut Check) {
    let settings = [
        ("kinds", !written.kinds.is_empty(), Detect::Pii),
        ("threshold", written.threshold.is_some(), Detect::Injection),
        ("patterns", !written.patterns.is_empty(), Detect::Regex),
        ("words", !written.words.is_empty(), Detect::Keywords),
        ("max_chars", written.max_chars.is_some(), Detect::Size),
        ("allow", !written.allow.is_empty(), Detect::Topic),
        ("deny", !written.deny.is_empty(), Detect::Topic),
        ("schema", written.schema.is_some(), Detect::JsonSchema),
        ("url", written.url.is_some(), Detect::Webhook),
        ("token", written.token.is_some(), Detect::Webhook),
        ("timeout", written.timeout.is_some(), Detect::Webhook),
        ("allow_private", written.allow_private, Detect::Webhook),
    ];
    for (setting, _, of) in settings.iter().filter(|(_, written_there, of)| *written_there && *of != written.detect) {
        let message = format!("belongs to `detect: {}`", word(*of));
        check.error_at(&format!("{path}.{setting}"), message, Some("remove it, or change `detect`".to_owned()));
    }
}

fn one(path: &str, written: written::Guardrail, check: &mut Check) -> Option<Guardrail> {
    let detector = match written.detect {
        Detect::Secrets => Detector::Secrets,
        Detect::Pii => Detector::Pii { kinds: written.kinds },
        Detect::Injection => Detector::Injection { threshold: written.threshold },
        Detect::Regex => Detector::Regex {
            patterns: written.patterns.into_iter().map(|pattern| (pattern.name, pattern.regex)).collect(),
        },
        Detect::Keywords => Detector::Keywords { words: written.words },
        Detect::Size => Detector::Size {
            max_chars: usize::try_from(needed(path, "max_chars: 20000", written.max_chars, check)?)
                .unwrap_or(usize::MAX),
        },
        Detect::Topic => Detector::Topic { allow: written.allow, deny: written.deny },
        Detect::JsonSchema => {
            if let Some(at) = written.on.iter().position(|point| *point != Point::Response) {
                let hint = "write `on: [response]`".to_owned();
                check.error_at(&nth(&format!("{path}.on"), at), "a schema is for answers of models only", Some(hint));
            }
            Detector::JsonSchema { schema: needed(path, "schema: {type: object}", written.schema, check)? }
        }
        Detect::Webhook => Detector::Webhook(webhook(path, &written, check)?),
    };
    Some(Guardrail {
        name: written.name.as_str().into(),
        on: written.on,
        action: written.action,
        teams: written.teams,
        keys: written.keys,
        models: written.models,
        tools: written.tools,
        fail_open: written.fail == Fail::Open,
        detector,
    })
}

fn webhook(path: &str, written: &written::Guardrail, check: &mut Check) -> Option<Webhook> {
    let late = written.on.iter().position(|point| matches!(point, Point::Response | Point::ToolArgs));
    if let Some(at) = late.filter(|_| written.action == Action::Observe) {
        let message = "a webhook that only observes would hold every answer back for nothing";
        let hint = "write `action: block`, or leave answers out of `on`".to_owned();
        check.error_at(&nth(&format!("{path}.on"), at), message, Some(hint));
    }
    let url = needed(path, "url: https://example.com/check", written.url.as_deref(), check)?;
    let url = endpoint(&format!("{path}.url"), url, check)?;
    let timeout = match written.timeout {
        Some(said) => seconds(&format!("{path}.timeout"), said, check)?,
        None => WEBHOOK_TIMEOUT,
    };
    let token = written.token.as_ref().map(|token| token.0.clone()).filter(|token| !token.reveal().is_empty());
    Some(Webhook { url, token, timeout, allow_private: written.allow_private })
}

fn needed<T>(path: &str, example: &str, value: Option<T>, check: &mut Check) -> Option<T> {
    if value.is_none() {
        let name = example.split(':').next().unwrap_or_default();
        check.error_at(path, format!("`{name}` is missing"), Some(format!("add `{example}`")));
    }
    value
}

fn word(detect: Detect) -> &'static str {
    match detect {
        Detect::Secrets => "secrets",
        Detect::Pii => "pii",
        Detect::Injection => "injection",
        Detect::Regex => "regex",
        Detect::Keywords => "keywords",
        Detect::Size => "size",
        Detect::Topic => "topic",
        Detect::JsonSchema => "json_schema",
        Detect::Webhook => "webhook",
    }
}

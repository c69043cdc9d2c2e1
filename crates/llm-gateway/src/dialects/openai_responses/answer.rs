//! Whole answers, both ways.

use std::borrow::Cow;

use gatehouse_domain::{Fault, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::items::{Item, OutputItems, PartText, Said};
use super::response::{Facts, Status, write_response};
use crate::dialects::Listener;
use crate::dialects::openai_shared::details::UsageIn;
use crate::dialects::openai_shared::error::in_stream;
use crate::dialects::openai_shared::wire::{broken, seconds, service_tier};
use crate::dialects::shared::place::json;
use crate::dialects::shared::refusal::ErrorIn;
use crate::form::{Answer, Block, Choice, Content, RawJson, Stop, TokenLogprob};

/// A response object without its items: what the last event of a stream is read for, too.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ResponseIn {
    pub(super) id: Option<String>,
    pub(super) model: Option<String>,
    pub(super) created_at: Option<f64>,
    status: Option<String>,
    incomplete_details: Option<IncompleteIn>,
    pub(super) error: Option<ErrorIn>,
    usage: Option<UsageIn>,
    service_tier: Option<String>,
    output: Option<Vec<KindIn>>,
}

/// An item, as far as it matters for why an answer ended.
#[derive(Default, Deserialize)]
#[serde(default)]
struct KindIn {
    r#type: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct IncompleteIn {
    reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ItemsIn<'a> {
    #[serde(borrow)]
    output: Option<Vec<&'a RawValue>>,
}

impl ResponseIn {
    /// What it used, and how it was served.
    pub(super) fn usage(&self) -> Option<Usage> {
        Some(self.usage.as_ref()?.usage().served(self.service_tier.as_deref()))
    }

    /// Unix seconds.
    pub(super) fn created(&self) -> u64 {
        seconds(self.created_at)
    }

    /// Whether it has what makes a response.
    pub(super) fn is_response(&self) -> bool {
        self.status.is_some() && self.output.is_some()
    }

    /// Whether an item of it waits for the client.
    pub(super) fn waits(&self) -> bool {
        self.output.iter().flatten().any(|item| waits(&item.r#type))
    }

    /// Why it ended, and the provider's word for it.
    pub(super) fn stop(&self, calls: bool, refused: bool) -> (Stop, Option<String>) {
        let reason = self.incomplete_details.as_ref().and_then(|details| details.reason.as_deref());
        stop_of(self.status.as_deref(), reason, calls, refused)
    }
}

/// Why an answer ended, from its status and the reason of its being cut.
pub(super) fn stop_of(
    status: Option<&str>,
    reason: Option<&str>,
    calls: bool,
    refused: bool,
) -> (Stop, Option<String>) {
    // `completed` is no word for why.
    let native = reason.or(status.filter(|status| *status != "completed")).map(str::to_owned);
    let stop = match (status, reason) {
        (Some("incomplete"), Some("content_filter")) => Stop::ContentFilter,
        (Some("incomplete"), _) => Stop::MaxTokens,
        (Some("failed"), _) => Stop::Error,
        (Some("queued" | "in_progress" | "cancelled"), _) => Stop::Pause,
        _ if calls => Stop::ToolUse,
        _ if refused => Stop::Refusal,
        _ => Stop::EndTurn,
    };
    (stop, native)
}

/// Reads an answer.
pub(super) fn read(body: &[u8]) -> Result<Answer, Fault> {
    let response: ResponseIn = json(body).map_err(broken)?;
    let items: ItemsIn<'_> = json(body).map_err(broken)?;
    if let Some(error) = response.error {
        return Err(in_stream(error));
    }
    let Some(items) = items.output else { return Err(broken("it has no output")) };
    let mut choice = Choice::default();
    for raw in items {
        let (blocks, logprobs) = output_item(raw);
        choice.blocks.extend(blocks);
        if let Some(tokens) = logprobs {
            choice.logprobs.get_or_insert_default().extend(tokens);
        }
    }
    let calls = choice.blocks.iter().any(is_call);
    let refused = choice.blocks.iter().any(|block| matches!(block.content, Content::Refusal(_)));
    (choice.stop, choice.native_stop) = response.stop(calls, refused);
    let usage = response.usage().unwrap_or_default();
    Ok(Answer {
        created: response.created(),
        id: response.id.unwrap_or_default(),
        model: response.model.unwrap_or_default(),
        choices: vec![choice],
        usage,
        service_tier: response.service_tier,
    })
}

/// Whether a block waits for the client to run a tool.
fn is_call(block: &Block) -> bool {
    match &block.content {
        Content::ToolCall(_) => true,
        Content::Native { kind, .. } => waits(kind),
        _ => false,
    }
}

/// Whether an item of this kind waits for the client.
pub(super) fn waits(kind: &str) -> bool {
    matches!(
        kind,
        "function_call"
            | "custom_tool_call"
            | "computer_call"
            | "local_shell_call"
            | "shell_call"
            | "apply_patch_call"
            | "mcp_approval_request"
    )
}

/// The blocks of an item of an answer. One that cannot be understood is kept raw.
pub(super) fn output_item(raw: &RawValue) -> (Vec<Block>, Option<Vec<TokenLogprob>>) {
    let Ok(mut item) = serde_json::from_str::<Item<'_>>(raw.get()) else { return (Vec::new(), None) };
    let logprobs = item.logprobs();
    let native = item.is_native().then(|| RawJson(raw.to_owned()));
    match item.said(native) {
        Ok(Said::Assistant(blocks) | Said::User(blocks) | Said::System(blocks)) => (blocks, logprobs),
        Ok(Said::Result(block)) => (vec![block], None),
        Err(_) => (Vec::new(), None),
    }
}

/// Writes an answer: the first alternative, as this dialect knows only one.
pub(super) fn write(answer: &Answer, listener: &Listener) -> Vec<u8> {
    let none = Choice::default();
    let choice = answer.choices.first().unwrap_or(&none);
    let items = output_items(choice, &listener.id);
    let refused = choice.blocks.iter().any(|block| matches!(block.content, Content::Refusal(_)));
    let facts = Facts {
        id: &response_id(&answer.id, listener),
        model: &answer.model,
        created: if answer.created == 0 { listener.created } else { answer.created },
        status: Status::of(choice.stop, refused),
        usage: Some(&answer.usage).filter(|usage| !usage.is_empty()),
        service_tier: answer.service_tier.as_deref().and_then(service_tier),
    };
    let mut out = Vec::with_capacity(items.json().len() + 1536);
    write_response(&mut out, listener, &facts, items.json());
    out
}

/// The provider's id where it is one of this dialect, else one made of the call's.
pub(super) fn response_id<'a>(given: &'a str, listener: &Listener) -> Cow<'a, str> {
    if given.starts_with("resp_") { Cow::Borrowed(given) } else { Cow::Owned(["resp_", &listener.id].concat()) }
}

/// The items of an alternative. Texts in a row are parts of one message.
pub(super) fn output_items(choice: &Choice, call: &str) -> OutputItems {
    let mut items = OutputItems::default();
    let mut parts = Vec::new();
    let mut logprobs = choice.logprobs.as_deref();
    for block in &choice.blocks {
        match &block.content {
            Content::Text { text, citations } => parts.push(PartText {
                refusal: false,
                text: text.clone(),
                citations: citations.clone(),
                logprobs: logprobs.take().unwrap_or_default().to_vec(),
            }),
            Content::Refusal(text) => {
                parts.push(PartText { refusal: true, text: text.clone(), ..PartText::default() });
            }
            Content::ToolCall(tool) => {
                items.message(&mut parts, call);
                items.call(tool, call);
            }
            Content::Reasoning(thought) => {
                items.message(&mut parts, call);
                items.thought(thought, call);
            }
            Content::Native { dialect: super::NAME, raw, .. } => {
                items.message(&mut parts, call);
                items.native(&raw.0);
            }
            Content::Media(_) | Content::ToolResult(_) | Content::Native { .. } => {}
        }
    }
    items.message(&mut parts, call);
    items
}

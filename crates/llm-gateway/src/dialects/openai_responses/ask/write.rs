//! Writes a request for an upstream that speaks Responses.

use gatehouse_domain::Fault;
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::NAME;
use super::super::items::{ItemOut, input_items};
use super::super::settings::{ChoiceOut, TextOut, ToolOut, effort, summary, text, tool_choice, tools};
use crate::dialects::openai_shared::wire::{append_fields, json_into};
use crate::dialects::{Speaker, ThinkingStyle};
use crate::form::{Ask, Block, Content, Dropped, Effort, Issuer};

/// Writes a request.
pub(crate) fn write(ask: &Ask, speaker: &Speaker<'_>, dropped: &mut Dropped) -> Result<Vec<u8>, Fault> {
    let (instructions, rest) = instructions(ask, dropped);
    let input = input_items(ask, rest, speaker, dropped);
    let tools = tools(ask, dropped);
    let has_tools = !tools.is_empty();
    let text = text(ask);
    let fixed = sampling_is_fixed(ask, speaker);
    let logprobs = ask.logprobs.filter(|_| !fixed);
    let mut out = Vec::with_capacity(1024);
    json_into(
        &mut out,
        &Wire {
            model: speaker.model,
            instructions,
            input,
            stream: speaker.stream,
            max_output_tokens: ask.output_cap,
            temperature: ask.temperature.filter(|_| !fixed),
            top_p: ask.top_p.filter(|_| !fixed),
            top_logprobs: logprobs.filter(|&best| best > 0),
            include: include(ask, speaker, logprobs.is_some()),
            tools,
            tool_choice: tool_choice(ask).filter(|_| has_tools),
            parallel_tool_calls: ask.parallel_tools.filter(|_| has_tools),
            text: (text.format.is_some() || text.verbosity.is_some()).then_some(text),
            reasoning: reasoning(ask, speaker, dropped),
            user: ask.user.as_deref(),
            metadata: ask.metadata.as_deref(),
            // Other dialects keep nothing unless asked to; this one keeps everything unless told not to.
            store: ask.store.or((ask.origin != NAME).then_some(false)),
            service_tier: ask.service_tier.as_deref().filter(|_| ask.origin.starts_with("openai")),
            prompt_cache_key: ask.cache_key.as_deref(),
            previous_response_id: ask.previous.as_deref(),
        },
    );
    if ask.origin == NAME {
        let own = ask.extras.iter().filter(|(name, _)| !name.contains('[') && name != "tool_choice");
        append_fields(&mut out, own);
    }
    note_rest(ask, fixed, dropped);
    Ok(out)
}

/// A request as it is written: nothing that was not asked for, and no nulls.
#[derive(Serialize)]
struct Wire<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
    input: Vec<ItemOut<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    include: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ChoiceOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<TextOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<ReasoningOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_response_id: Option<&'a str>,
}

#[derive(Serialize)]
struct ReasoningOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
}

/// The first instruction if it is plain text, and the rest, which become developer items: never merged.
fn instructions<'a>(ask: &'a Ask, dropped: &mut Dropped) -> (Option<&'a str>, &'a [Block]) {
    match ask.system.split_first() {
        Some((Block { content: Content::Text { text, .. }, cache }, rest)) => {
            dropped.note_if(cache.is_some(), "cache_control");
            (Some(text), rest)
        }
        _ => (None, &ask.system),
    }
}

/// `include`: what was asked for, and encrypted thoughts wherever the answer is not kept, so that they can come back.
fn include<'a>(ask: &'a Ask, speaker: &Speaker<'_>, logprobs: bool) -> Vec<&'a str> {
    let mut include = Vec::new();
    let asked = ask.reasoning.as_ref().is_some_and(|reasoning| reasoning.encrypted);
    let thinks = ask.origin != NAME && speaker.issuer == Issuer::OpenAi && speaker.thinking == ThinkingStyle::Effort;
    if asked || thinks {
        include.push("reasoning.encrypted_content");
    }
    if logprobs {
        include.push("message.output_text.logprobs");
    }
    if ask.origin == NAME {
        let own = ask.extras.iter().filter_map(|(name, _)| name.strip_prefix("include[")?.strip_suffix(']'));
        include.extend(own);
    }
    include
}

fn reasoning<'a>(ask: &'a Ask, speaker: &Speaker<'_>, dropped: &mut Dropped) -> Option<ReasoningOut<'a>> {
    let (effort, summary) = (effort(ask), summary(ask));
    if speaker.thinking == ThinkingStyle::None {
        dropped.note_if(effort.is_some_and(|effort| effort != Effort::None), "reasoning");
        return None;
    }
    let effort = effort.map(Effort::as_str);
    (effort.is_some() || summary.is_some()).then_some(ReasoningOut { effort, summary })
}

/// OpenAI's thinking models refuse sampling parameters unless told not to think.
fn sampling_is_fixed(ask: &Ask, speaker: &Speaker<'_>) -> bool {
    speaker.issuer == Issuer::OpenAi && speaker.thinking == ThinkingStyle::Effort && effort(ask) != Some(Effort::None)
}

/// Names what this dialect has no field for.
fn note_rest(ask: &Ask, sampling_is_fixed: bool, dropped: &mut Dropped) {
    let moved = |value: Option<f64>| value.is_some_and(|value| (value - 1.0).abs() > f64::EPSILON);
    dropped.note_if(sampling_is_fixed && moved(ask.temperature), "temperature");
    dropped.note_if(sampling_is_fixed && moved(ask.top_p), "top_p");
    dropped.note_if(sampling_is_fixed && ask.logprobs.is_some(), "logprobs");
    dropped.note_if(ask.top_k.is_some(), "top_k");
    dropped.note_if(!ask.stop.is_empty(), "stop");
    dropped.note_if(ask.seed.is_some(), "seed");
    dropped.note_if(ask.n.is_some_and(|n| n > 1), "n");
    dropped.note_if(ask.frequency_penalty.is_some_and(|value| value != 0.0), "frequency_penalty");
    dropped.note_if(ask.presence_penalty.is_some_and(|value| value != 0.0), "presence_penalty");
    dropped.note_if(ask.service_tier.is_some() && !ask.origin.starts_with("openai"), "service_tier");
    for (name, _) in &ask.extras {
        dropped.note_if(ask.origin != NAME, name);
    }
}

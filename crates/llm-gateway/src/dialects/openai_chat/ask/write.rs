//! Writes a request for an upstream that speaks Chat, with its deviations.

use std::borrow::Cow;

use gatehouse_domain::Fault;
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::NAME;
use super::turns::{MessageOut, messages};
use crate::dialects::anthropic::CACHE_MARKS_MAX;
use crate::dialects::openai_shared::TOOL_NAMES;
use crate::dialects::openai_shared::wire::{append_fields, json_into};
use crate::dialects::shared::marks::{CacheOut, Marks};
use crate::dialects::{Speaker, ThinkingStyle};
use crate::form::{Ask, Dropped, Effort, Format, Issuer, Thinking, Tool, ToolChoice};

/// Writes a request.
pub(crate) fn write(ask: &Ask, speaker: &Speaker<'_>, dropped: &mut Dropped) -> Result<Vec<u8>, Fault> {
    let mut wire = Wire { model: speaker.model, ..Wire::default() };
    let mut marks = Marks::of(ask, CACHE_MARKS_MAX);
    wire.tools(ask, speaker, &mut marks, dropped);
    wire.messages = messages(ask, speaker, &mut marks, dropped);
    wire.limits(ask, speaker);
    wire.sampling(ask, speaker, dropped);
    wire.tool_choice(ask, speaker);
    wire.shape(ask, speaker, dropped);
    wire.account(ask, dropped);
    note_rest(ask, dropped);
    let mut out = Vec::with_capacity(1024);
    json_into(&mut out, &wire);
    if ask.origin == NAME {
        append_fields(&mut out, ask.extras.iter().filter(|(name, _)| !name.contains('[')));
    }
    Ok(out)
}

/// A request as it is written: nothing that was not asked for, and no nulls.
#[derive(Default, Serialize)]
struct Wire<'a> {
    model: &'a str,
    messages: Vec<MessageOut<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    random_seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    logprobs: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ChoiceOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<FormatOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<&'a str>,
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
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ToolOut<'a> {
    Function {
        r#type: &'static str,
        function: FunctionOut<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheOut>,
    },
    Native(&'a RawValue),
}

#[derive(Serialize)]
struct FunctionOut<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ChoiceOut<'a> {
    Word(&'static str),
    Function { r#type: &'static str, function: NameOut<'a> },
    Allowed { r#type: &'static str, allowed_tools: AllowedOut<'a> },
}

#[derive(Serialize)]
struct NameOut<'a> {
    name: Cow<'a, str>,
}

#[derive(Serialize)]
struct AllowedOut<'a> {
    mode: &'static str,
    tools: Vec<ChoiceOut<'a>>,
}

#[derive(Serialize)]
struct FormatOut<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<SchemaOut<'a>>,
}

#[derive(Serialize)]
struct SchemaOut<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    schema: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

impl<'a> Wire<'a> {
    fn limits(&mut self, ask: &Ask, speaker: &Speaker<'_>) {
        self.stream = speaker.stream;
        // Asked for even where the client did not: the call must be priced. The encoder keeps it from the client.
        let wants_usage = speaker.stream && !speaker.quirks.no_stream_options;
        self.stream_options = wants_usage.then_some(StreamOptions { include_usage: true });
        if speaker.quirks.old_max_tokens {
            self.max_tokens = ask.output_cap;
        } else {
            self.max_completion_tokens = ask.output_cap;
        }
    }

    fn sampling(&mut self, ask: &'a Ask, speaker: &Speaker<'_>, dropped: &mut Dropped) {
        self.stop = &ask.stop;
        self.n = ask.n;
        if speaker.quirks.random_seed {
            self.random_seed = ask.seed;
        } else {
            self.seed = ask.seed;
        }
        if ask.origin == NAME {
            self.top_k = ask.top_k;
        } else {
            dropped.note_if(ask.top_k.is_some(), "top_k");
        }
        if sampling_is_fixed(ask, speaker) {
            dropped.note_if(ask.temperature.is_some_and(|value| (value - 1.0).abs() > f64::EPSILON), "temperature");
            dropped.note_if(ask.top_p.is_some_and(|value| (value - 1.0).abs() > f64::EPSILON), "top_p");
            dropped.note_if(ask.frequency_penalty.is_some_and(|value| value != 0.0), "frequency_penalty");
            dropped.note_if(ask.presence_penalty.is_some_and(|value| value != 0.0), "presence_penalty");
            dropped.note_if(ask.logprobs.is_some(), "logprobs");
            return;
        }
        self.temperature = ask.temperature;
        self.top_p = ask.top_p;
        self.frequency_penalty = ask.frequency_penalty;
        self.presence_penalty = ask.presence_penalty;
        self.logprobs = ask.logprobs.is_some();
        self.top_logprobs = ask.logprobs.filter(|&best| best > 0);
    }

    fn tools(&mut self, ask: &'a Ask, speaker: &Speaker<'_>, marks: &mut Marks, dropped: &mut Dropped) {
        for tool in &ask.tools {
            match tool {
                Tool::Function { name, description, parameters, strict, cache } => {
                    let taken = if speaker.issuer == Issuer::Anthropic { marks.take(*cache) } else { None };
                    dropped.note_if(cache.is_some() && taken.is_none(), "cache_control");
                    self.tools.push(ToolOut::Function {
                        r#type: "function",
                        cache_control: taken.map(CacheOut::from),
                        function: FunctionOut {
                            name: TOOL_NAMES.fit(name),
                            description: description.as_deref(),
                            parameters: parameters.as_deref(),
                            strict: *strict,
                        },
                    });
                }
                Tool::Native { dialect: NAME, raw, .. } => self.tools.push(ToolOut::Native(raw)),
                Tool::Native { kind, .. } => dropped.note(format!("tools[{kind}]")),
            }
        }
    }

    fn tool_choice(&mut self, ask: &'a Ask, speaker: &Speaker<'_>) {
        if self.tools.is_empty() {
            return;
        }
        self.parallel_tool_calls = ask.parallel_tools;
        let any = if speaker.quirks.tool_choice_any { "any" } else { "required" };
        let one = |name: &'a String| ChoiceOut::Function {
            r#type: "function",
            function: NameOut { name: TOOL_NAMES.fit(name) },
        };
        self.tool_choice = ask.tool_choice.as_ref().map(|choice| match choice {
            ToolChoice::None => ChoiceOut::Word("none"),
            ToolChoice::Auto => ChoiceOut::Word("auto"),
            ToolChoice::Any => ChoiceOut::Word(any),
            ToolChoice::Tool(name) => one(name),
            ToolChoice::OneOf { names, required } => ChoiceOut::Allowed {
                r#type: "allowed_tools",
                allowed_tools: AllowedOut {
                    mode: if *required { "required" } else { "auto" },
                    tools: names.iter().map(one).collect(),
                },
            },
        });
    }

    fn shape(&mut self, ask: &'a Ask, speaker: &Speaker<'_>, dropped: &mut Dropped) {
        let plain = |kind| Some(FormatOut { r#type: kind, json_schema: None });
        self.response_format = match &ask.format {
            None => None,
            Some(Format::Text) => plain("text"),
            Some(Format::Json) => plain("json_object"),
            Some(Format::Schema { .. }) if speaker.quirks.no_json_schema => {
                dropped.note("response_format.json_schema");
                plain("json_object")
            }
            Some(Format::Schema { name, description, schema, strict }) => Some(FormatOut {
                r#type: "json_schema",
                json_schema: Some(SchemaOut {
                    // The API takes here what it takes for functions.
                    name: TOOL_NAMES.fit(name.as_deref().unwrap_or("response")),
                    description: description.as_deref(),
                    schema,
                    strict: *strict,
                }),
            }),
        };
        self.verbosity = ask.verbosity.as_deref();
        let effort = wanted_effort(ask);
        if speaker.thinking == ThinkingStyle::None {
            dropped.note_if(effort.is_some_and(|effort| effort != Effort::None), "reasoning");
        } else {
            self.reasoning_effort = effort.map(Effort::as_str);
        }
        let summary = ask.reasoning.as_ref().and_then(|reasoning| reasoning.summary.as_deref());
        dropped.note_if(summary.is_some_and(|word| word != "none"), "reasoning.summary");
    }

    fn account(&mut self, ask: &'a Ask, dropped: &mut Dropped) {
        self.user = ask.user.as_deref();
        self.store = ask.store;
        // OpenAI takes metadata only with a stored answer.
        if ask.origin == NAME || ask.store == Some(true) {
            self.metadata = ask.metadata.as_deref();
        } else {
            dropped.note_if(ask.metadata.is_some(), "metadata");
        }
        if ask.origin.starts_with("openai") {
            self.service_tier = ask.service_tier.as_deref();
        } else {
            dropped.note_if(ask.service_tier.is_some(), "service_tier");
        }
        self.prompt_cache_key = ask.cache_key.as_deref();
    }
}

/// The effort asked for, by word, by budget or by refusal to think.
fn wanted_effort(ask: &Ask) -> Option<Effort> {
    let reasoning = ask.reasoning.as_ref()?;
    match reasoning.thinking {
        Thinking::Off => Some(Effort::None),
        _ => reasoning.effort.or(reasoning.budget.map(Effort::from_budget)),
    }
}

/// OpenAI's thinking models refuse sampling parameters unless told not to think.
fn sampling_is_fixed(ask: &Ask, speaker: &Speaker<'_>) -> bool {
    speaker.issuer == Issuer::OpenAi
        && speaker.thinking == ThinkingStyle::Effort
        && wanted_effort(ask) != Some(Effort::None)
}

/// Names what Chat has no field for.
fn note_rest(ask: &Ask, dropped: &mut Dropped) {
    dropped.note_if(ask.previous.is_some(), "previous_response_id");
    for (name, _) in &ask.extras {
        dropped.note_if(ask.origin != NAME || name.contains('['), name);
    }
}

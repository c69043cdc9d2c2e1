//! Reading `generationConfig`, `thinkingConfig` and `toolConfig`.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::dialects::gemini::schema;
use crate::form::{Ask, Effort, Format, ReasoningAsk, Thinking, Tool, ToolChoice};

/// `generationConfig`, with what only Gemini knows in `extras`.
#[derive(Default)]
pub(super) struct GenerationConfig {
    max_output_tokens: Option<f64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<f64>,
    stop: Option<Vec<String>>,
    pub(super) candidates: Option<u32>,
    seed: Option<i64>,
    presence_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
    response_logprobs: Option<bool>,
    logprobs: Option<u32>,
    mime: Option<String>,
    schema: Option<Box<RawValue>>,
    json_schema: Option<Box<RawValue>>,
    thinking: Option<ThinkingConfig>,
    extras: Vec<(String, Box<RawValue>)>,
}

/// `thinkingConfig`.
#[derive(Default, Deserialize)]
pub(super) struct ThinkingConfig {
    #[serde(default, rename = "thinkingBudget", alias = "thinking_budget")]
    budget: Option<i64>,
    #[serde(default, rename = "thinkingLevel", alias = "thinking_level")]
    level: Option<String>,
    #[serde(default, rename = "includeThoughts", alias = "include_thoughts")]
    include: Option<bool>,
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Key {
    #[serde(rename = "maxOutputTokens", alias = "max_output_tokens")]
    MaxOutputTokens,
    #[serde(rename = "temperature")]
    Temperature,
    #[serde(rename = "topP", alias = "top_p")]
    TopP,
    #[serde(rename = "topK", alias = "top_k")]
    TopK,
    #[serde(rename = "stopSequences", alias = "stop_sequences")]
    Stop,
    #[serde(rename = "candidateCount", alias = "candidate_count")]
    Candidates,
    #[serde(rename = "seed")]
    Seed,
    #[serde(rename = "presencePenalty", alias = "presence_penalty")]
    PresencePenalty,
    #[serde(rename = "frequencyPenalty", alias = "frequency_penalty")]
    FrequencyPenalty,
    #[serde(rename = "responseLogprobs", alias = "response_logprobs")]
    ResponseLogprobs,
    #[serde(rename = "logprobs")]
    Logprobs,
    #[serde(rename = "responseMimeType", alias = "response_mime_type")]
    Mime,
    #[serde(rename = "responseSchema", alias = "response_schema")]
    Schema,
    #[serde(rename = "responseJsonSchema", alias = "response_json_schema", alias = "_responseJsonSchema")]
    JsonSchema,
    #[serde(rename = "thinkingConfig", alias = "thinking_config")]
    Thinking,
    Other(String),
}

impl<'de> Deserialize<'de> for GenerationConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ConfigVisitor;
        impl<'de> Visitor<'de> for ConfigVisitor {
            type Value = GenerationConfig;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a generationConfig")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<GenerationConfig, A::Error> {
                let mut config = GenerationConfig::default();
                while let Some(key) = map.next_key()? {
                    match key {
                        Key::MaxOutputTokens => config.max_output_tokens = map.next_value()?,
                        Key::Temperature => config.temperature = map.next_value()?,
                        Key::TopP => config.top_p = map.next_value()?,
                        Key::TopK => config.top_k = map.next_value()?,
                        Key::Stop => config.stop = map.next_value()?,
                        Key::Candidates => config.candidates = map.next_value()?,
                        Key::Seed => config.seed = map.next_value()?,
                        Key::PresencePenalty => config.presence_penalty = map.next_value()?,
                        Key::FrequencyPenalty => config.frequency_penalty = map.next_value()?,
                        Key::ResponseLogprobs => config.response_logprobs = map.next_value()?,
                        Key::Logprobs => config.logprobs = map.next_value()?,
                        Key::Mime => config.mime = map.next_value()?,
                        Key::Schema => config.schema = map.next_value()?,
                        Key::JsonSchema => config.json_schema = map.next_value()?,
                        Key::Thinking => config.thinking = map.next_value()?,
                        Key::Other(name) => match map.next_value::<Option<Box<RawValue>>>()? {
                            Some(raw) => config.extras.push((format!("generationConfig.{name}"), raw)),
                            None => continue,
                        },
                    }
                }
                Ok(config)
            }
        }
        deserializer.deserialize_map(ConfigVisitor)
    }
}

impl GenerationConfig {
    /// Moves it into the form.
    pub(super) fn into_ask(self, ask: &mut Ask) {
        ask.output_cap = self.max_output_tokens.map(whole);
        ask.temperature = self.temperature;
        ask.top_p = self.top_p;
        ask.top_k = self.top_k.map(whole);
        ask.stop = self.stop.unwrap_or_default();
        ask.n = self.candidates;
        ask.seed = self.seed;
        ask.presence_penalty = self.presence_penalty;
        ask.frequency_penalty = self.frequency_penalty;
        ask.logprobs = self.response_logprobs.unwrap_or_default().then(|| self.logprobs.unwrap_or_default());
        ask.reasoning = self.thinking.map(ThinkingConfig::into_form);
        ask.extras.extend(self.extras);
        let schema = self.json_schema.or_else(|| self.schema.as_deref().and_then(schema::from_gemini));
        ask.format = match (self.mime.as_deref(), schema) {
            (Some("application/json") | None, Some(schema)) => {
                Some(Format::Schema { name: None, description: None, schema, strict: None })
            }
            (Some("application/json"), None) => Some(Format::Json),
            (Some("text/plain"), _) => Some(Format::Text),
            (Some(other), _) => {
                // An enumeration (`text/x.enum`) has no counterpart elsewhere.
                let raw = serde_json::value::to_raw_value(other).ok();
                ask.extras.extend(raw.map(|raw| ("generationConfig.responseMimeType".to_owned(), raw)));
                ask.extras.extend(self.schema.map(|raw| ("generationConfig.responseSchema".to_owned(), raw)));
                None
            }
            (None, None) => None,
        };
    }
}

impl ThinkingConfig {
    fn into_form(self) -> ReasoningAsk {
        let effort = self.level.and_then(|level| Effort::parse(&level.to_ascii_lowercase()));
        let (thinking, budget) = match self.budget {
            Some(0) => (Thinking::Off, None),
            Some(tokens) => match u64::try_from(tokens) {
                Ok(tokens) => (Thinking::On, Some(tokens)),
                Err(_) => (Thinking::Adaptive, None),
            },
            None => (Thinking::Unsaid, None),
        };
        let summary = self.include.unwrap_or_default().then(|| "auto".to_owned());
        ReasoningAsk { thinking, effort, budget, summary, encrypted: false }
    }
}

/// Some SDKs write whole numbers as `40.0`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(number: f64) -> u64 {
    number.max(0.0) as u64
}

/// `toolConfig`.
#[derive(Default, Deserialize)]
pub(super) struct ToolConfig {
    #[serde(default, rename = "functionCallingConfig", alias = "function_calling_config")]
    calling: Option<CallingConfig>,
    #[serde(default, rename = "retrievalConfig", alias = "retrieval_config")]
    retrieval: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct CallingConfig {
    #[serde(default)]
    mode: Option<String>,
    #[serde(default, rename = "allowedFunctionNames", alias = "allowed_function_names")]
    names: Vec<String>,
    #[serde(default, rename = "streamFunctionCallArguments")]
    _stream_arguments: Option<IgnoredAny>,
}

impl ToolConfig {
    /// Moves it into the form. `VALIDATED` is "as it likes, but by the schema": strict tools.
    pub(super) fn into_ask(self, ask: &mut Ask) {
        ask.extras.extend(self.retrieval.map(|raw| ("toolConfig.retrievalConfig".to_owned(), raw)));
        let Some(CallingConfig { mode, mut names, .. }) = self.calling else { return };
        let mode = mode.unwrap_or_default().to_ascii_uppercase();
        ask.tool_choice = match (mode.as_str(), names.len()) {
            ("NONE", _) => Some(ToolChoice::None),
            ("ANY", 0) => Some(ToolChoice::Any),
            ("ANY", 1) => names.pop().map(ToolChoice::Tool),
            ("ANY", _) => Some(ToolChoice::OneOf { names, required: true }),
            ("", 0) => None,
            (_, 0) => Some(ToolChoice::Auto),
            _ => Some(ToolChoice::OneOf { names, required: false }),
        };
        if mode == "VALIDATED" {
            for tool in &mut ask.tools {
                if let Tool::Function { strict, .. } = tool {
                    *strict = Some(true);
                }
            }
        }
    }
}

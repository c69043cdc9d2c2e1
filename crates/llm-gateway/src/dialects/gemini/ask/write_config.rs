//! Writing `generationConfig`.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::dialects::gemini::NAME;
use crate::dialects::gemini::schema::{self, Said};
use crate::dialects::{Speaker, ThinkingStyle};
use crate::form::{Ask, Dropped, Effort, Format, ReasoningAsk, Thinking};

/// Prefix of the extras that came from `generationConfig`.
pub(super) const PREFIX: &str = "generationConfig.";

/// `generationConfig`: our fields first, then what came raw from this dialect.
#[derive(Default)]
pub(super) struct ConfigOut<'a>(Vec<(&'a str, Setting<'a>)>);

#[derive(Serialize)]
#[serde(untagged)]
enum Setting<'a> {
    Count(u64),
    Whole(i64),
    Number(f64),
    Flag(bool),
    Word(&'static str),
    Words(&'a [String]),
    Raw(&'a RawValue),
    Subset(Box<RawValue>),
    Thinking(ThinkingOut),
}

#[derive(Default, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct ThinkingOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    include_thoughts: Option<bool>,
}

impl Serialize for ConfigOut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, setting)| (name, setting)))
    }
}

impl<'a> ConfigOut<'a> {
    /// Nothing to say.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn put(&mut self, name: &'a str, setting: Option<Setting<'a>>) {
        self.0.extend(setting.map(|setting| (name, setting)));
    }
}

/// The configuration of a request.
pub(super) fn config<'a>(ask: &'a Ask, speaker: &Speaker<'_>, dropped: &mut Dropped) -> ConfigOut<'a> {
    let mut out = ConfigOut::default();
    out.put("maxOutputTokens", ask.output_cap.map(Setting::Count));
    out.put("temperature", ask.temperature.map(Setting::Number));
    out.put("topP", ask.top_p.map(Setting::Number));
    out.put("topK", ask.top_k.map(Setting::Count));
    out.put("stopSequences", (!ask.stop.is_empty()).then_some(Setting::Words(&ask.stop)));
    out.put("candidateCount", ask.n.map(|n| Setting::Count(u64::from(n))));
    out.put("seed", ask.seed.map(Setting::Whole));
    out.put("presencePenalty", ask.presence_penalty.map(Setting::Number));
    out.put("frequencyPenalty", ask.frequency_penalty.map(Setting::Number));
    out.put("responseLogprobs", ask.logprobs.map(|_| Setting::Flag(true)));
    out.put("logprobs", ask.logprobs.filter(|top| *top > 0).map(|top| Setting::Count(u64::from(top))));
    format(ask.format.as_ref(), &mut out);
    if let Some(reasoning) = &ask.reasoning {
        let thinking = thinking(reasoning, speaker.thinking, dropped);
        out.put("thinkingConfig", thinking.filter(|out| *out != ThinkingOut::default()).map(Setting::Thinking));
    }
    for (name, raw) in ask.extras.iter().filter(|_| ask.origin == NAME) {
        if let Some(name) = name.strip_prefix(PREFIX) {
            out.put(name, Some(Setting::Raw(raw)));
        }
    }
    out
}

fn format<'a>(format: Option<&'a Format>, out: &mut ConfigOut<'a>) {
    match format {
        None | Some(Format::Text) => {}
        Some(Format::Json) => out.put("responseMimeType", Some(Setting::Word("application/json"))),
        Some(Format::Schema { schema, .. }) => {
            out.put("responseMimeType", Some(Setting::Word("application/json")));
            match schema::to_gemini(schema, true) {
                Said::Subset(subset) => out.put("responseSchema", Some(Setting::Subset(subset))),
                Said::Unsayable => out.put("responseJsonSchema", Some(Setting::Raw(schema))),
                Said::Empty => {}
            }
        }
    }
}

fn thinking(ask: &ReasoningAsk, style: ThinkingStyle, dropped: &mut Dropped) -> Option<ThinkingOut> {
    let off = ask.thinking == Thinking::Off || ask.effort == Some(Effort::None);
    let mut out = ThinkingOut::default();
    match style {
        ThinkingStyle::None => {
            dropped.note_if(!off, "reasoning");
            return None;
        }
        ThinkingStyle::Budget => {
            let tokens = ask.budget.or_else(|| ask.effort.map(Effort::budget));
            out.thinking_budget = match (off, tokens, ask.thinking) {
                (true, ..) => Some(0),
                (false, Some(tokens), _) => Some(i64::try_from(tokens).unwrap_or(i64::MAX)),
                (false, None, Thinking::On | Thinking::Adaptive) => Some(-1),
                (false, None, _) => None,
            };
        }
        ThinkingStyle::Effort | ThinkingStyle::Unknown => {
            // These models cannot be told not to think at all; the least that every one of them takes is "low".
            dropped.note_if(off, "reasoning.effort=none");
            let effort = ask.effort.or_else(|| ask.budget.map(Effort::from_budget));
            out.thinking_level = match effort {
                _ if off => Some("LOW"),
                None | Some(Effort::None) => None,
                Some(Effort::Minimal) => Some("MINIMAL"),
                Some(Effort::Low) => Some("LOW"),
                Some(Effort::Medium) => Some("MEDIUM"),
                Some(Effort::High | Effort::XHigh | Effort::Max) => Some("HIGH"),
            };
        }
    }
    let shown = match ask.summary.as_deref() {
        Some(word) => word != "none",
        None => matches!(ask.thinking, Thinking::On | Thinking::Adaptive),
    };
    out.include_thoughts = (shown && !off).then_some(true);
    Some(out)
}

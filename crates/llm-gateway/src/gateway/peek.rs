//! The few fields of a request that the call path needs, read without building a tree.
//!
//! A field that decides something (which model, which cap) may stand in the body only once: two would let a caller be
//! judged by one and served by the other.

use std::ops::Range;

use gatehouse_domain::{Code, Fault, ServiceTier};

use crate::scan;

/// What was found. Ranges are byte ranges of values in the body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peek {
    /// The model's name, where the body carries it.
    pub(crate) model: Option<String>,
    /// Where the model's name stands.
    pub(crate) model_at: Option<Range<usize>>,
    /// `stream: true`.
    pub(crate) stream: bool,
    /// `stream_options`.
    pub(crate) stream_options_at: Option<Range<usize>>,
    /// Does `stream_options` ask for usage?
    pub(crate) stream_usage: bool,
    /// The output limit the client set.
    pub(crate) output_cap: Option<u64>,
    /// How many answers.
    pub(crate) n: u64,
    /// Are there tools?
    pub(crate) tools: bool,
    /// May some of them be MCP endpoints? Whoever finds it set looks more closely.
    pub(crate) mcp: bool,
    /// Is reasoning asked for?
    pub(crate) reasoning: bool,
    /// Responses: run in the background.
    pub(crate) background: bool,
    /// Responses: continue this one.
    pub(crate) previous: Option<String>,
    /// Responses: `store` as the client said it.
    pub(crate) store: Option<bool>,
    /// How urgently it is to be served.
    pub(crate) tier: ServiceTier,
    /// One past the opening brace: where a member can be put in.
    pub(crate) inside: usize,
    /// Has the object any member?
    pub(crate) empty: bool,
}

/// Looks through a body.
pub(crate) fn peek(body: &[u8]) -> Result<Peek, Fault> {
    let mut peek = Peek { n: 1, empty: true, ..Peek::default() };
    peek.inside = memchr::memchr(b'{', body).map_or(0, |brace| brace + 1);
    let mut seen = 0u32;
    scan::members(body, &mut |member| {
        peek.empty = false;
        let Some(field) = Field::named(&member.name) else { return Ok(()) };
        let bit = 1 << field as u32;
        if seen & bit != 0 && field.is_decisive() {
            let name = field_name(&member.name);
            return Err(
                Fault::new(Code::InvalidRequest, format!("`{name}` is in the body twice; send it once")).at(name)
            );
        }
        seen |= bit;
        peek.take(field, &member.name, &body[member.value.clone()], member.value)
    })?;
    Ok(peek)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Model,
    Stream,
    StreamOptions,
    Cap,
    NewCap,
    OutputCap,
    Config,
    N,
    Tools,
    Reasoning,
    Background,
    Previous,
    Store,
    Tier,
    McpServers,
}

impl Field {
    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"model" => Self::Model,
            b"stream" => Self::Stream,
            b"stream_options" => Self::StreamOptions,
            b"max_tokens" => Self::Cap,
            b"max_completion_tokens" => Self::NewCap,
            b"max_output_tokens" => Self::OutputCap,
            b"generationConfig" | b"generation_config" | b"inferenceConfig" => Self::Config,
            b"n" => Self::N,
            b"tools" => Self::Tools,
            b"reasoning" | b"reasoning_effort" | b"thinking" => Self::Reasoning,
            b"background" => Self::Background,
            b"previous_response_id" => Self::Previous,
            b"store" => Self::Store,
            b"service_tier" | b"serviceTier" => Self::Tier,
            b"mcp_servers" => Self::McpServers,
            _ => return None,
        })
    }

    fn is_decisive(self) -> bool {
        !matches!(self, Self::Reasoning | Self::Tools | Self::Tier)
    }
}

impl Peek {
    fn take(&mut self, field: Field, name: &[u8], raw: &[u8], at: Range<usize>) -> Result<(), Fault> {
        let wrong = |kind: &str| {
            let name = field_name(name);
            Fault::new(Code::InvalidRequest, format!("`{name}` must be {kind}")).at(name)
        };
        match field {
            Field::Model => {
                let model = scan::unquote(raw).ok_or_else(|| wrong("a string: the name of a model"))?;
                self.model = Some(model.into_owned());
                self.model_at = Some(at);
            }
            Field::Stream => self.stream = flag(raw).ok_or_else(|| wrong("true or false"))?.unwrap_or(false),
            Field::StreamOptions => {
                self.stream_usage = raw.starts_with(b"{") && asks_for_usage(raw);
                self.stream_options_at = Some(at);
            }
            Field::Cap | Field::NewCap | Field::OutputCap => {
                let cap = count(raw).ok_or_else(|| wrong("a whole number of tokens"))?;
                self.output_cap = self.output_cap.max(cap);
            }
            Field::Config if raw.starts_with(b"{") => self.output_cap = nested_cap(raw)?,
            Field::N => self.n = count(raw).ok_or_else(|| wrong("a whole number"))?.unwrap_or(1).max(1),
            Field::Tools => {
                self.tools = raw.len() > 2 && raw != b"null";
                self.mcp |= memchr::memmem::find(raw, br#""mcp""#).is_some();
            }
            Field::McpServers => self.mcp |= raw.len() > 2,
            Field::Reasoning => self.reasoning |= raw != b"null",
            Field::Background => self.background = flag(raw).ok_or_else(|| wrong("true or false"))?.unwrap_or(false),
            Field::Store => self.store = flag(raw).ok_or_else(|| wrong("true or false"))?,
            Field::Previous => self.previous = scan::unquote(raw).map(std::borrow::Cow::into_owned),
            // What is no string here is a matter between the caller and the provider.
            Field::Tier => self.tier = self.tier.max(tier(raw)),
            Field::Config => {}
        }
        Ok(())
    }
}

/// One of the known names, as a fault says it.
fn field_name(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// `true`, `false` or `null`; `None` for anything else.
#[expect(clippy::option_option, reason = "wrong, absent and said are three different things")]
fn flag(raw: &[u8]) -> Option<Option<bool>> {
    match raw {
        b"true" => Some(Some(true)),
        b"false" => Some(Some(false)),
        b"null" => Some(None),
        _ => None,
    }
}

#[expect(clippy::option_option, reason = "wrong, absent and said are three different things")]
fn count(raw: &[u8]) -> Option<Option<u64>> {
    if raw == b"null" {
        return Some(None);
    }
    let text = std::str::from_utf8(raw).ok()?;
    text.parse().ok().or_else(|| whole(text.parse().ok()?)).map(Some)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be a whole number in range")]
fn whole(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64)
}

fn asks_for_usage(options: &[u8]) -> bool {
    let mut asks = false;
    let walked = scan::members(options, &mut |member| {
        asks |= *member.name == *b"include_usage" && &options[member.value] == b"true";
        Ok(())
    });
    walked.is_ok() && asks
}

/// A word, or Bedrock's object with a word in `type`.
fn tier(raw: &[u8]) -> ServiceTier {
    let mut word = scan::unquote(raw);
    if raw.starts_with(b"{") {
        // What cannot be walked is refused when the body is read.
        drop(scan::members(raw, &mut |member| {
            if *member.name == *b"type" {
                word = scan::unquote(&raw[member.value]);
            }
            Ok(())
        }));
    }
    word.map_or(ServiceTier::Standard, |word| ServiceTier::of_word(&word))
}

/// Gemini's and Bedrock's limit stands one level down.
fn nested_cap(config: &[u8]) -> Result<Option<u64>, Fault> {
    let mut cap = None;
    scan::members(config, &mut |member| {
        if matches!(&*member.name, b"maxOutputTokens" | b"max_output_tokens" | b"maxTokens") {
            let name = field_name(&member.name);
            cap = count(&config[member.value]).ok_or_else(|| {
                Fault::new(Code::InvalidRequest, format!("`{name}` must be a whole number of tokens")).at(name)
            })?;
        }
        Ok(())
    })?;
    Ok(cap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_path_needs() {
        let body = br#"{"model":"fast","stream":true,"stream_options":{"include_usage":true},"max_tokens":7,"n":2,"messages":[]}"#;
        let seen = peek(body).unwrap();
        assert_eq!((seen.model.as_deref(), seen.stream, seen.stream_usage), (Some("fast"), true, true));
        assert_eq!((seen.output_cap, seen.n), (Some(7), 2));
        assert_eq!(&body[seen.model_at.unwrap()], br#""fast""#);
    }

    #[test]
    fn reads_how_urgently_a_call_is_to_be_served() {
        for (body, tier) in [
            (r#"{"service_tier":"priority"}"#, ServiceTier::Priority),
            (r#"{"serviceTier":{"type":"flex"}}"#, ServiceTier::Flex),
            (r#"{"service_tier":"auto"}"#, ServiceTier::Standard),
            (r#"{"service_tier":null}"#, ServiceTier::Standard),
        ] {
            assert_eq!(peek(body.as_bytes()).unwrap().tier, tier, "{body}");
        }
    }

    #[test]
    fn reads_limits_one_level_down() {
        assert_eq!(peek(br#"{"generationConfig":{"maxOutputTokens":9}}"#).unwrap().output_cap, Some(9));
        assert_eq!(peek(br#"{"inferenceConfig":{"maxTokens":8}}"#).unwrap().output_cap, Some(8));
    }

    #[test]
    fn a_second_model_is_no_way_around_the_first() {
        for body in [r#"{"model":"a","model":"b"}"#, r#"{"model":"a","mod\u0065l":"b"}"#] {
            let fault = peek(body.as_bytes()).unwrap_err();
            assert_eq!((fault.code, fault.param.as_deref()), (Code::InvalidRequest, Some("model")));
        }
    }

    #[test]
    fn a_wrong_type_names_its_field() {
        for (body, param) in
            [(r#"{"model":1}"#, "model"), (r#"{"stream":"yes"}"#, "stream"), (r#"{"max_tokens":-1}"#, "max_tokens")]
        {
            assert_eq!(peek(body.as_bytes()).unwrap_err().param.as_deref(), Some(param), "{body}");
        }
    }
}

//! Small pieces of OpenAI's wire that both dialects use.

use std::borrow::Cow;

use gatehouse_domain::{Code, Fault};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::form::{CacheMark, TokenLogprob};

/// Most answers, choices or parallel tool calls in one exchange.
pub(crate) const MANY_MAX: usize = 128;

/// An object's key, borrowed where it holds no escapes.
#[derive(Deserialize)]
pub(crate) struct Key<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// Unix seconds. Some providers write a fraction; the cast saturates.
pub(crate) fn seconds(stamp: Option<f64>) -> u64 {
    stamp.unwrap_or_default() as u64
}

/// A refusal of the request that names a field.
pub(crate) fn invalid(param: impl Into<String>, what: &str) -> Fault {
    let param = param.into();
    Fault::new(Code::InvalidRequest, format!("`{param}` {what}.")).at(param)
}

/// An answer that is none.
pub(crate) fn broken(what: impl std::fmt::Display) -> Fault {
    Fault::new(Code::UpstreamBroken, format!("The provider's answer cannot be read: {what}."))
}

/// Appends a value as compact JSON; appends nothing if it cannot be written, which no type of ours can bring about.
pub(crate) fn json_into(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    let start = out.len();
    if crate::json::append(out, value).is_err() {
        out.truncate(start);
    }
}

/// Appends fields to a JSON object that was just written and has at least one.
pub(crate) fn append_fields<'a>(out: &mut Vec<u8>, fields: impl Iterator<Item = &'a (String, Box<RawValue>)>) {
    for (name, raw) in fields {
        if out.pop() != Some(b'}') {
            return;
        }
        out.push(b',');
        json_into(out, name);
        out.push(b':');
        out.extend_from_slice(raw.get().as_bytes());
        out.push(b'}');
    }
}

/// The raw elements of the array under one key of an object. A second look at a body for the few elements whose JSON
/// must be kept, so that the first look needs no copies.
pub(crate) fn raw_elements(body: &[u8], field: &str) -> Vec<Box<RawValue>> {
    struct Wanted<'f>(&'f str);
    impl<'de> serde::de::Visitor<'de> for Wanted<'_> {
        type Value = Vec<Box<RawValue>>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = Vec::new();
            while let Some(Key(key)) = map.next_key()? {
                if key == self.0 {
                    found = map.next_value()?;
                } else {
                    map.next_value::<serde::de::IgnoredAny>()?;
                }
            }
            Ok(found)
        }
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    reader.deserialize_map(Wanted(field)).unwrap_or_default()
}

/// JSON text: the value of a string, or what stands in its place. Arguments are a string; a few providers send the object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JsonText(pub(crate) String);

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        if !raw.starts_with('"') {
            return Ok(Self(raw.to_owned()));
        }
        serde_json::from_str(raw).map(Self).map_err(serde::de::Error::custom)
    }
}

/// One string, or several.
#[derive(Debug, Default)]
pub(crate) struct Strings(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Strings;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of strings")
            }
            fn visit_str<E>(self, text: &str) -> Result<Strings, E> {
                Ok(Strings(vec![text.to_owned()]))
            }
            fn visit_unit<E>(self) -> Result<Strings, E> {
                Ok(Strings::default())
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Strings, A::Error> {
                let mut all = Vec::new();
                while let Some(text) = seq.next_element()? {
                    all.push(text);
                }
                Ok(Strings(all))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Content: text, or a list of parts.
#[derive(Debug, Default)]
pub(crate) enum TextOr<P> {
    /// Absent or null.
    #[default]
    None,
    /// Plain text.
    Text(String),
    /// Parts.
    Parts(Vec<P>),
    /// An object. A few items of the Responses dialect have one where others have a list.
    Other,
}

impl<'de, P: Deserialize<'de>> Deserialize<'de> for TextOr<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<P>(std::marker::PhantomData<P>);
        impl<'de, P: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<P> {
            type Value = TextOr<P>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of content parts")
            }
            fn visit_unit<E>(self) -> Result<TextOr<P>, E> {
                Ok(TextOr::None)
            }
            fn visit_str<E>(self, text: &str) -> Result<TextOr<P>, E> {
                Ok(TextOr::Text(text.to_owned()))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<TextOr<P>, A::Error> {
                let mut parts = Vec::new();
                while let Some(part) = seq.next_element()? {
                    parts.push(part);
                }
                Ok(TextOr::Parts(parts))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<TextOr<P>, A::Error> {
                while map.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
                Ok(TextOr::Other)
            }
        }
        deserializer.deserialize_any(Visitor(std::marker::PhantomData))
    }
}

/// A cache mark: Anthropic's `cache_control`, as several clients send it here too, or OpenAI's own breakpoint.
#[derive(Debug, Deserialize)]
pub(crate) struct CacheControl {
    ttl: Option<String>,
}

impl CacheControl {
    /// The mark in the words of the form.
    pub(crate) fn mark(&self) -> CacheMark {
        if matches!(self.ttl.as_deref(), Some("1h" | "12h")) { CacheMark::OneHour } else { CacheMark::FiveMinutes }
    }
}

/// `url`, or `{"url": …, "detail": …}`.
#[derive(Debug, Default)]
pub(crate) struct ImageUrl {
    pub(crate) url: String,
    pub(crate) detail: Option<String>,
}

impl<'de> Deserialize<'de> for ImageUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Object {
            url: String,
            detail: Option<String>,
        }
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = ImageUrl;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an address or an object with `url`")
            }
            fn visit_str<E>(self, url: &str) -> Result<ImageUrl, E> {
                Ok(ImageUrl { url: url.to_owned(), detail: None })
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<ImageUrl, A::Error> {
                let Object { url, detail } = Object::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(ImageUrl { url, detail })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// OpenAI's word for a tier that served an answer; none for those it has no word for.
pub(crate) fn service_tier(word: &str) -> Option<&str> {
    match word {
        "auto" | "default" | "flex" | "scale" | "priority" | "fast" | "ultrafast" => Some(word),
        "standard" | "standard_only" => Some("default"),
        _ => None,
    }
}

/// Log probability of a token, as it is read.
#[derive(Debug, Deserialize)]
pub(crate) struct LogprobIn {
    token: String,
    logprob: f64,
    #[serde(default)]
    top_logprobs: Vec<Self>,
}

/// Log probabilities in the words of the form.
pub(crate) fn logprobs_in(tokens: Vec<LogprobIn>) -> Vec<TokenLogprob> {
    tokens
        .into_iter()
        .map(|token| TokenLogprob {
            token: token.token,
            logprob: token.logprob,
            top: token.top_logprobs.into_iter().map(|other| (other.token, other.logprob)).collect(),
        })
        .collect()
}

/// Log probability of a token, as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct LogprobOut<'a> {
    token: &'a str,
    logprob: f64,
    bytes: &'a [u8],
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<Vec<Self>>,
}

/// Log probabilities in OpenAI's words.
pub(crate) fn logprobs_out(tokens: &[TokenLogprob]) -> Vec<LogprobOut<'_>> {
    tokens
        .iter()
        .map(|token| LogprobOut {
            top_logprobs: Some(token.top.iter().map(|(text, logprob)| one(text, *logprob)).collect()),
            ..one(&token.token, token.logprob)
        })
        .collect()
}

fn one(token: &str, logprob: f64) -> LogprobOut<'_> {
    LogprobOut { token, logprob, bytes: token.as_bytes(), top_logprobs: None }
}

/// Puts the place of a list's element in front of the field a fault names.
pub(crate) fn nested(list: &str, index: usize, mut fault: Fault) -> Fault {
    let inner = fault.param.take().unwrap_or_default();
    let outer = format!("{list}[{index}]");
    let param = if inner.is_empty() { outer } else { format!("{outer}.{inner}") };
    fault.message = fault.message.replacen(&format!("`{inner}`"), &format!("`{param}`"), 1).into();
    fault.at(param)
}

/// Nine letters or digits that stand for an id: the same ones each time, so that calls and results still meet.
pub(crate) fn short_id(id: &str) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    // FNV-1a, 64 bits.
    let mut hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut short = String::with_capacity(9);
    for _ in 0..9 {
        short.push(char::from(LETTERS[(hash % 62) as usize]));
        hash /= 62;
    }
    short
}

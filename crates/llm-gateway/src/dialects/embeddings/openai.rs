//! OpenAI `/v1/embeddings`.

use std::fmt;

use gatehouse_domain::{Fault, Usage};
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{EmbedDialect, bytes, check_count, from_base64, not_an_answer, to_base64, untranslatable};
use crate::dialects::shared::place::{read_request, wrong};
use crate::form::{Dropped, EmbedAnswer, EmbedAsk, EmbedInput, Encoding, Vector};

/// OpenAI's embeddings.
pub static DIALECT: EmbedDialect = EmbedDialect { name: "openai", read_ask, write_ask, read_answer, write_answer };

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    model: String,
    #[serde(default)]
    input: Inputs,
    #[serde(default)]
    encoding_format: Option<String>,
    #[serde(default)]
    dimensions: Option<u64>,
    #[serde(default)]
    user: Option<String>,
}

/// A string, token ids, or a list of either.
#[derive(Default)]
struct Inputs(Vec<EmbedInput>);

/// An element of the list.
enum Element {
    Text(String),
    Token(u32),
    Tokens(Vec<u32>),
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ElementVisitor;
        impl<'de> Visitor<'de> for ElementVisitor {
            type Value = Element;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a token id or a list of token ids")
            }
            fn visit_str<E>(self, text: &str) -> Result<Element, E> {
                Ok(Element::Text(text.to_owned()))
            }
            fn visit_u64<E: serde::de::Error>(self, token: u64) -> Result<Element, E> {
                u32::try_from(token).map(Element::Token).map_err(|_| E::custom("a token id is out of range"))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Element, A::Error> {
                let mut tokens = Vec::new();
                while let Some(token) = seq.next_element()? {
                    tokens.push(token);
                }
                Ok(Element::Tokens(tokens))
            }
        }
        deserializer.deserialize_any(ElementVisitor)
    }
}

impl<'de> Deserialize<'de> for Inputs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InputsVisitor;
        impl<'de> Visitor<'de> for InputsVisitor {
            type Value = Inputs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, token ids, or a list of either")
            }
            fn visit_str<E>(self, text: &str) -> Result<Inputs, E> {
                Ok(Inputs(vec![EmbedInput::Text(text.to_owned())]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Inputs, A::Error> {
                let mut inputs = Vec::new();
                let mut bare = Vec::new();
                while let Some(element) = seq.next_element()? {
                    match element {
                        Element::Text(text) => inputs.push(EmbedInput::Text(text)),
                        Element::Tokens(tokens) => inputs.push(EmbedInput::Tokens(tokens)),
                        Element::Token(token) => bare.push(token),
                    }
                }
                if !bare.is_empty() {
                    if !inputs.is_empty() {
                        return Err(serde::de::Error::custom("token ids and other inputs cannot be mixed"));
                    }
                    inputs.push(EmbedInput::Tokens(bare));
                }
                Ok(Inputs(inputs))
            }
        }
        deserializer.deserialize_any(InputsVisitor)
    }
}

fn read_ask(body: &[u8]) -> Result<EmbedAsk, Fault> {
    let request: Request = read_request(body)?;
    check_count(&request.input.0, "input")?;
    let encoding = match request.encoding_format.as_deref() {
        None | Some("float") => Encoding::Float,
        Some("base64") => Encoding::Base64,
        Some(_) => return Err(wrong("encoding_format", "encoding_format must be \"float\" or \"base64\"")),
    };
    Ok(EmbedAsk {
        model: request.model,
        inputs: request.input.0,
        dimensions: request.dimensions,
        encoding,
        user: request.user,
        ..EmbedAsk::default()
    })
}

#[derive(Serialize)]
struct RequestOut<'a> {
    model: &'a str,
    input: Vec<InputOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_format: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum InputOut<'a> {
    Text(&'a str),
    Tokens(&'a [u32]),
}

fn write_ask(ask: &EmbedAsk, model: &str, dropped: &mut Dropped) -> Result<Vec<u8>, Fault> {
    let mut input = Vec::with_capacity(ask.inputs.len());
    for one in &ask.inputs {
        input.push(match one {
            EmbedInput::Text(text) => InputOut::Text(text),
            EmbedInput::Tokens(tokens) => InputOut::Tokens(tokens),
            EmbedInput::Image(_) => return Err(untranslatable("this model's provider embeds no images")),
        });
    }
    dropped.note_if(ask.task.is_some(), "task");
    dropped.note_if(ask.title.is_some(), "title");
    dropped.note_if(ask.truncate.is_some(), "truncate");
    for name in &ask.unknown {
        dropped.note(name.as_str());
    }
    let encoding_format = (ask.encoding == Encoding::Base64).then_some("base64");
    Ok(bytes(&RequestOut { model, input, encoding_format, dimensions: ask.dimensions, user: ask.user.as_deref() }))
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    data: Option<Vec<Item>>,
    #[serde(default)]
    model: String,
    #[serde(default)]
    usage: Option<UsageBody>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    index: usize,
    embedding: Box<RawValue>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct UsageBody {
    prompt_tokens: u64,
    total_tokens: u64,
}

fn read_answer(body: &[u8]) -> Result<EmbedAnswer, Fault> {
    let response: Response = serde_json::from_slice(body).map_err(|_| not_an_answer())?;
    let mut items = response.data.ok_or_else(not_an_answer)?;
    items.sort_by_key(|item| item.index);
    let vectors = items
        .iter()
        .map(|item| {
            let raw = item.embedding.get();
            if raw.starts_with('"') {
                return serde_json::from_str::<&str>(raw).ok().and_then(from_base64);
            }
            serde_json::from_str(raw).ok().map(Vector)
        })
        .collect::<Option<Vec<Vector>>>()
        .ok_or_else(not_an_answer)?;
    let usage = Usage { input: response.usage.unwrap_or_default().prompt_tokens, ..Usage::default() };
    Ok(EmbedAnswer { id: None, model: response.model, vectors, usage })
}

#[derive(Serialize)]
struct ResponseOut<'a> {
    object: &'static str,
    data: Vec<ItemOut<'a>>,
    model: &'a str,
    usage: UsageBody,
}

#[derive(Serialize)]
struct ItemOut<'a> {
    object: &'static str,
    index: usize,
    embedding: VectorOut<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum VectorOut<'a> {
    Float(&'a [f32]),
    Base64(String),
}

fn write_answer(answer: &EmbedAnswer, ask: &EmbedAsk) -> Vec<u8> {
    let embedding = |vector: &'_ Vector| match ask.encoding {
        Encoding::Float => None,
        Encoding::Base64 => Some(VectorOut::Base64(to_base64(vector))),
    };
    let data = answer
        .vectors
        .iter()
        .enumerate()
        .map(|(index, vector)| ItemOut {
            object: "embedding",
            index,
            embedding: embedding(vector).unwrap_or(VectorOut::Float(&vector.0)),
        })
        .collect();
    let total_tokens = answer.usage.input_total();
    bytes(&ResponseOut {
        object: "list",
        data,
        model: if answer.model.is_empty() { &ask.model } else { &answer.model },
        usage: UsageBody { prompt_tokens: total_tokens, total_tokens },
    })
}

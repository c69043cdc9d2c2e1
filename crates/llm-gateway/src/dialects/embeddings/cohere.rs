//! Cohere `/v2/embed`: texts, images, or mixed inputs; what the vectors are for must be said.

use gatehouse_domain::{Fault, Usage};
use serde::{Deserialize, Serialize};

use super::{EmbedDialect, bytes, check_count, from_base64, not_an_answer, to_base64, untranslatable};
use crate::dialects::shared::place::{read_request, wrong};
use crate::form::{Dropped, EmbedAnswer, EmbedAsk, EmbedInput, EmbedTask, Encoding, Vector};

/// Cohere's embeddings.
pub static DIALECT: EmbedDialect = EmbedDialect { name: "cohere", read_ask, write_ask, read_answer, write_answer };

#[derive(Default, Deserialize)]
#[serde(default)]
struct Request {
    model: String,
    texts: Option<Vec<String>>,
    images: Option<Vec<String>>,
    inputs: Option<Vec<Input>>,
    input_type: Option<String>,
    embedding_types: Option<Vec<String>>,
    output_dimension: Option<u64>,
    truncate: Option<String>,
    max_tokens: Option<u64>,
    priority: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Input {
    content: Vec<Piece>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Piece {
    text: Option<String>,
    image_url: Option<Image>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Image {
    url: String,
}

fn read_ask(body: &[u8]) -> Result<EmbedAsk, Fault> {
    let request: Request = read_request(body)?;
    let mut ask = EmbedAsk {
        model: request.model,
        dimensions: request.output_dimension,
        truncate: request.truncate,
        ..EmbedAsk::default()
    };
    ask.inputs.extend(request.texts.into_iter().flatten().map(EmbedInput::Text));
    ask.inputs.extend(request.images.into_iter().flatten().map(EmbedInput::Image));
    for (index, input) in request.inputs.into_iter().flatten().enumerate() {
        let input = input
            .into_form()
            .ok_or_else(|| wrong(format!("inputs[{index}].content"), "an input is text, or one image"))?;
        ask.inputs.push(input);
    }
    check_count(&ask.inputs, "texts")?;
    ask.task = match request.input_type.as_deref() {
        Some("search_query") => Some(EmbedTask::Query),
        Some("search_document") => Some(EmbedTask::Document),
        Some("classification") => Some(EmbedTask::Classification),
        Some("clustering") => Some(EmbedTask::Clustering),
        Some("image") => None,
        Some(_) => return Err(wrong("input_type", "this input_type is not known")),
        None => return Err(wrong("input_type", "input_type is required")),
    };
    let types = request.embedding_types.unwrap_or_default();
    if types.iter().any(|kind| kind == "base64") && !types.iter().any(|kind| kind == "float") {
        ask.encoding = Encoding::Base64;
    }
    let compact = types.iter().filter(|kind| !matches!(kind.as_str(), "float" | "base64"));
    ask.unknown.extend(compact.map(|kind| format!("embedding_types[{kind}]")));
    if request.max_tokens.is_some() {
        ask.unknown.push("max_tokens".to_owned());
    }
    if request.priority.is_some() {
        ask.unknown.push("priority".to_owned());
    }
    Ok(ask)
}

impl Input {
    fn into_form(mut self) -> Option<EmbedInput> {
        if let [Piece { image_url: Some(image), text: None }] = self.content.as_mut_slice() {
            return Some(EmbedInput::Image(std::mem::take(&mut image.url)));
        }
        if self.content.is_empty() || self.content.iter().any(|piece| piece.image_url.is_some()) {
            return None;
        }
        let texts: Vec<String> = self.content.into_iter().filter_map(|piece| piece.text).collect();
        Some(EmbedInput::Text(texts.join("\n")))
    }
}

#[derive(Serialize)]
struct RequestOut<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    texts: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<InputOut<'a>>,
    input_type: &'static str,
    embedding_types: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimension: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncate: Option<&'a str>,
}

#[derive(Serialize)]
struct InputOut<'a> {
    content: [PieceOut<'a>; 1],
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum PieceOut<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageOut<'a> },
}

#[derive(Serialize)]
struct ImageOut<'a> {
    url: &'a str,
}

fn write_ask(ask: &EmbedAsk, model: &str, dropped: &mut Dropped) -> Result<Vec<u8>, Fault> {
    let (mut texts, mut images, mut inputs) = (Vec::new(), Vec::new(), Vec::new());
    for input in &ask.inputs {
        match input {
            EmbedInput::Text(text) => texts.push(text.as_str()),
            EmbedInput::Image(url) => images.push(url.as_str()),
            EmbedInput::Tokens(_) => {
                return Err(untranslatable("token ids mean nothing to this model: send the text"));
            }
        }
    }
    let input_type = match ask.task {
        Some(EmbedTask::Query) => "search_query",
        Some(EmbedTask::Classification) => "classification",
        Some(EmbedTask::Clustering) => "clustering",
        Some(EmbedTask::Similarity) => {
            // No word for it here; vectors for clustering are made to be compared with each other.
            dropped.note("taskType");
            "clustering"
        }
        Some(EmbedTask::Document) | None if texts.is_empty() => "image",
        Some(EmbedTask::Document) | None => "search_document",
    };
    if !texts.is_empty() && !images.is_empty() {
        // The order of inputs is the order of vectors, so texts and images must stay mixed.
        texts.clear();
        images.clear();
        inputs.extend(ask.inputs.iter().filter_map(|input| match input {
            EmbedInput::Text(text) => Some(InputOut { content: [PieceOut::Text { text }] }),
            EmbedInput::Image(url) => Some(InputOut { content: [PieceOut::ImageUrl { image_url: ImageOut { url } }] }),
            EmbedInput::Tokens(_) => None,
        }));
    }
    dropped.note_if(ask.user.is_some(), "user");
    dropped.note_if(ask.title.is_some(), "title");
    for name in &ask.unknown {
        dropped.note(name.as_str());
    }
    Ok(bytes(&RequestOut {
        model,
        texts,
        images,
        inputs,
        input_type,
        embedding_types: ["float"],
        output_dimension: ask.dimensions,
        truncate: ask.truncate.as_deref(),
    }))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Response {
    id: Option<String>,
    embeddings: Option<Embeddings>,
    meta: Meta,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Embeddings {
    float: Option<Vec<Vec<f32>>>,
    base64: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    billed_units: Billed,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Billed {
    input_tokens: f64,
    image_tokens: f64,
}

fn read_answer(body: &[u8]) -> Result<EmbedAnswer, Fault> {
    let response: Response = serde_json::from_slice(body).map_err(|_| not_an_answer())?;
    let embeddings = response.embeddings.ok_or_else(not_an_answer)?;
    let vectors = match (embeddings.float, embeddings.base64) {
        (Some(list), _) => list.into_iter().map(Vector).collect(),
        (None, Some(list)) => {
            list.iter().map(|text| from_base64(text)).collect::<Option<_>>().ok_or_else(not_an_answer)?
        }
        (None, None) => return Err(not_an_answer()),
    };
    let billed = response.meta.billed_units;
    let usage =
        Usage { input: whole(billed.input_tokens), input_image: whole(billed.image_tokens), ..Usage::default() };
    Ok(EmbedAnswer { id: response.id, model: String::new(), vectors, usage })
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(count: f64) -> u64 {
    count.max(0.0) as u64
}

#[derive(Serialize)]
struct ResponseOut<'a> {
    id: &'a str,
    embeddings: EmbeddingsOut<'a>,
    texts: Vec<&'a str>,
    meta: MetaOut,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum EmbeddingsOut<'a> {
    Float(Vec<&'a [f32]>),
    Base64(Vec<String>),
}

#[derive(Serialize)]
struct MetaOut {
    api_version: Version,
    billed_units: BilledOut,
}

#[derive(Serialize)]
struct Version {
    version: &'static str,
}

#[derive(Serialize)]
struct BilledOut {
    input_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_tokens: Option<u64>,
}

fn write_answer(answer: &EmbedAnswer, ask: &EmbedAsk) -> Vec<u8> {
    let texts = ask.inputs.iter().filter_map(|input| match input {
        EmbedInput::Text(text) => Some(text.as_str()),
        EmbedInput::Tokens(_) | EmbedInput::Image(_) => None,
    });
    let embeddings = match ask.encoding {
        Encoding::Float => EmbeddingsOut::Float(answer.vectors.iter().map(|vector| vector.0.as_slice()).collect()),
        Encoding::Base64 => EmbeddingsOut::Base64(answer.vectors.iter().map(to_base64).collect()),
    };
    let image = answer.usage.input_image;
    bytes(&ResponseOut {
        id: answer.id.as_deref().unwrap_or_default(),
        embeddings,
        texts: texts.collect(),
        meta: MetaOut {
            api_version: Version { version: "2" },
            billed_units: BilledOut {
                input_tokens: answer.usage.input_total() - image,
                image_tokens: (image > 0).then_some(image),
            },
        },
    })
}

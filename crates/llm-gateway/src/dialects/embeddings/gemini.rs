//! Gemini `:embedContent` (one input, one vector) and `:batchEmbedContents` (a list of such requests).

use gatehouse_domain::{Fault, Usage};
use serde::{Deserialize, Serialize};

use super::{EmbedDialect, bytes, check_count, not_an_answer, untranslatable};
use crate::dialects::shared::mime;
use crate::dialects::shared::place::{read_request, wrong};
use crate::form::{Dropped, EmbedAnswer, EmbedAsk, EmbedInput, EmbedTask, Source, Vector};

/// Gemini's embeddings. `write_ask` writes the single form for one input, the batch form for more.
pub static DIALECT: EmbedDialect = EmbedDialect { name: "gemini", read_ask, write_ask, read_answer, write_answer };

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    requests: Option<Vec<Request>>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    content: Option<Content>,
    #[serde(default, rename = "taskType", alias = "task_type")]
    task: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default, rename = "outputDimensionality", alias = "output_dimensionality")]
    dimensions: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Request {
    model: Option<String>,
    content: Option<Content>,
    #[serde(rename = "taskType", alias = "task_type")]
    task: Option<String>,
    title: Option<String>,
    #[serde(rename = "outputDimensionality", alias = "output_dimensionality")]
    dimensions: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Content {
    parts: Vec<Part>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Part {
    text: Option<String>,
    #[serde(rename = "inlineData", alias = "inline_data")]
    inline: Option<Blob>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Blob {
    #[serde(rename = "mimeType", alias = "mime_type")]
    mime: String,
    data: String,
}

fn read_ask(body: &[u8]) -> Result<EmbedAsk, Fault> {
    let body: Body = read_request(body)?;
    let single = body.requests.is_none();
    let requests = body.requests.unwrap_or_else(|| {
        vec![Request {
            model: body.model,
            content: body.content,
            task: body.task,
            title: body.title,
            dimensions: body.dimensions,
        }]
    });
    let mut ask = EmbedAsk { single, ..EmbedAsk::default() };
    for (index, request) in requests.into_iter().enumerate() {
        let place = |field: &str| if single { field.to_owned() } else { format!("requests[{index}].{field}") };
        if index == 0 {
            let model = request.model.unwrap_or_default();
            ask.model = model.strip_prefix("models/").unwrap_or(&model).to_owned();
            ask.dimensions = request.dimensions;
            ask.title = request.title;
            ask.task = request.task.as_deref().and_then(|word| task(word, &mut ask.unknown));
        } else if request.dimensions != ask.dimensions {
            return Err(wrong(place("outputDimensionality"), "all inputs of one request share their dimensions"));
        }
        let content = request.content.ok_or_else(|| wrong(place("content"), "there is nothing to embed"))?;
        ask.inputs.push(
            content.into_input().ok_or_else(|| wrong(place("content.parts"), "an input is text, or one picture"))?,
        );
    }
    check_count(&ask.inputs, "requests")?;
    Ok(ask)
}

impl Content {
    fn into_input(mut self) -> Option<EmbedInput> {
        if let [Part { inline: Some(blob), text: None }] = self.parts.as_slice() {
            return Some(EmbedInput::Image(mime::data_url(&blob.mime, &blob.data)));
        }
        if self.parts.iter().any(|part| part.inline.is_some()) || self.parts.is_empty() {
            return None;
        }
        let texts: Vec<String> = self.parts.iter_mut().filter_map(|part| part.text.take()).collect();
        Some(EmbedInput::Text(texts.join("\n")))
    }
}

fn task(word: &str, unknown: &mut Vec<String>) -> Option<EmbedTask> {
    Some(match word {
        "RETRIEVAL_QUERY" | "QUESTION_ANSWERING" | "FACT_VERIFICATION" | "CODE_RETRIEVAL_QUERY" => EmbedTask::Query,
        "RETRIEVAL_DOCUMENT" => EmbedTask::Document,
        "SEMANTIC_SIMILARITY" => EmbedTask::Similarity,
        "CLASSIFICATION" => EmbedTask::Classification,
        "CLUSTERING" => EmbedTask::Clustering,
        "" | "TASK_TYPE_UNSPECIFIED" => return None,
        other => {
            unknown.push(format!("taskType[{other}]"));
            return None;
        }
    })
}

#[derive(Serialize)]
struct BatchOut<'a> {
    requests: Vec<RequestOut<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestOut<'a> {
    model: String,
    content: ContentOut<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u64>,
}

#[derive(Serialize)]
struct ContentOut<'a> {
    parts: [PartOut<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum PartOut<'a> {
    Text(&'a str),
    #[serde(rename_all = "camelCase")]
    InlineData {
        mime_type: String,
        data: String,
    },
}

fn write_ask(ask: &EmbedAsk, model: &str, dropped: &mut Dropped) -> Result<Vec<u8>, Fault> {
    let mut requests = Vec::with_capacity(ask.inputs.len());
    for input in &ask.inputs {
        let part = match input {
            EmbedInput::Text(text) => PartOut::Text(text),
            EmbedInput::Tokens(_) => {
                return Err(untranslatable("token ids mean nothing to this model: send the text"));
            }
            EmbedInput::Image(url) => match mime::source_of(url.clone()) {
                (Some(mime_type), Source::Base64(data)) => PartOut::InlineData { mime_type, data },
                _ => return Err(untranslatable("an image must be a base64 data URL")),
            },
        };
        requests.push(RequestOut {
            model: format!("models/{model}"),
            content: ContentOut { parts: [part] },
            task_type: ask.task.map(|task| match task {
                EmbedTask::Query => "RETRIEVAL_QUERY",
                EmbedTask::Document => "RETRIEVAL_DOCUMENT",
                EmbedTask::Classification => "CLASSIFICATION",
                EmbedTask::Clustering => "CLUSTERING",
                EmbedTask::Similarity => "SEMANTIC_SIMILARITY",
            }),
            title: ask.title.as_deref(),
            output_dimensionality: ask.dimensions,
        });
    }
    dropped.note_if(ask.user.is_some(), "user");
    dropped.note_if(ask.truncate.is_some(), "truncate");
    for name in &ask.unknown {
        dropped.note(name.as_str());
    }
    Ok(match requests.as_slice() {
        [one] => bytes(one),
        _ => bytes(&BatchOut { requests }),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(default)]
    embedding: Option<Embedding>,
    #[serde(default)]
    embeddings: Option<Vec<Embedding>>,
    #[serde(default)]
    usage_metadata: Option<UsageBody>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Embedding {
    values: Vec<f32>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct UsageBody {
    prompt_token_count: u64,
}

fn read_answer(body: &[u8]) -> Result<EmbedAnswer, Fault> {
    let response: Response = serde_json::from_slice(body).map_err(|_| not_an_answer())?;
    let list = response.embeddings.or_else(|| response.embedding.map(|one| vec![one])).ok_or_else(not_an_answer)?;
    Ok(EmbedAnswer {
        id: None,
        model: String::new(),
        vectors: list.into_iter().map(|embedding| Vector(embedding.values)).collect(),
        usage: Usage { input: response.usage_metadata.unwrap_or_default().prompt_token_count, ..Usage::default() },
    })
}

#[derive(Serialize)]
struct Values<'a> {
    values: &'a [f32],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<Values<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embeddings: Option<Vec<Values<'a>>>,
    usage_metadata: UsageBody,
}

fn write_answer(answer: &EmbedAnswer, ask: &EmbedAsk) -> Vec<u8> {
    let mut values = answer.vectors.iter().map(|vector| Values { values: &vector.0 });
    let (embedding, embeddings) = if ask.single { (values.next(), None) } else { (None, Some(values.collect())) };
    let usage_metadata = UsageBody { prompt_token_count: answer.usage.input_total() };
    bytes(&ResponseOut { embedding, embeddings, usage_metadata })
}

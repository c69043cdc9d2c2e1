//! Lists of models and counts of tokens, in each dialect's words. One plain list in, bytes out.

use serde::Serialize;

/// One model as a listing shows it.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// The name clients send.
    pub name: String,
    /// Unix seconds since when it is offered.
    pub created: u64,
    /// Who serves it: provider names, the owner first.
    pub owners: Vec<String>,
    /// Most input tokens, if known.
    pub context: Option<u64>,
    /// Most output tokens, if known.
    pub output: Option<u64>,
}

/// In whose words to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListForm {
    /// `/v1/models` of OpenAI.
    OpenAi,
    /// `/v1/models` of Anthropic.
    Anthropic,
    /// `/v1beta/models` of Gemini.
    Gemini,
    /// `/v1/models` of Cohere, for callers of its paths.
    Cohere,
}

impl ListForm {
    /// The form for a path: OpenAI and Anthropic share `/v1/models`, and only Anthropic's clients send
    /// `anthropic-version`.
    #[must_use]
    pub fn of(path: &str, has_anthropic_version: bool) -> Self {
        if path.starts_with("/v1beta/") {
            Self::Gemini
        } else if has_anthropic_version {
            Self::Anthropic
        } else {
            Self::OpenAi
        }
    }
}

/// Writes the list.
#[must_use]
pub fn list(form: ListForm, models: &[Listed]) -> Vec<u8> {
    match form {
        ListForm::OpenAi => bytes(&OpenAiList { object: "list", data: models.iter().map(OpenAiModel::from).collect() }),
        ListForm::Anthropic => bytes(&AnthropicList {
            data: models.iter().map(AnthropicModel::from).collect(),
            has_more: false,
            first_id: models.first().map(|model| model.name.as_str()),
            last_id: models.last().map(|model| model.name.as_str()),
        }),
        ListForm::Gemini => bytes(&GeminiList { models: models.iter().map(GeminiModel::from).collect() }),
        ListForm::Cohere => bytes(&CohereList { models: models.iter().map(CohereModel::from).collect() }),
    }
}

/// Writes one model.
#[must_use]
pub fn single(form: ListForm, model: &Listed) -> Vec<u8> {
    match form {
        ListForm::OpenAi => bytes(&OpenAiModel::from(model)),
        ListForm::Anthropic => bytes(&AnthropicModel::from(model)),
        ListForm::Gemini => bytes(&GeminiModel::from(model)),
        ListForm::Cohere => bytes(&CohereModel::from(model)),
    }
}

/// In whose words to answer a question for a count of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountForm {
    /// `/v1/messages/count_tokens`.
    Anthropic,
    /// `:countTokens`.
    Gemini,
    /// `/v1/responses/input_tokens`.
    Responses,
}

/// Writes a count of input tokens.
#[must_use]
pub fn token_count(form: CountForm, tokens: u64) -> Vec<u8> {
    match form {
        CountForm::Anthropic => bytes(&InputTokens { object: None, input_tokens: tokens }),
        CountForm::Responses => bytes(&InputTokens { object: Some("response.input_tokens"), input_tokens: tokens }),
        CountForm::Gemini => {
            let details = [ModalityTokens { modality: "TEXT", token_count: tokens }];
            bytes(&TotalTokens { total_tokens: tokens, prompt_tokens_details: details })
        }
    }
}

#[derive(Serialize)]
struct InputTokens {
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'static str>,
    input_tokens: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TotalTokens {
    total_tokens: u64,
    prompt_tokens_details: [ModalityTokens; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ModalityTokens {
    modality: &'static str,
    token_count: u64,
}

#[derive(Serialize)]
struct OpenAiList<'a> {
    object: &'static str,
    data: Vec<OpenAiModel<'a>>,
}

#[derive(Serialize)]
struct OpenAiModel<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
}

impl<'a> From<&'a Listed> for OpenAiModel<'a> {
    fn from(model: &'a Listed) -> Self {
        let owned_by = model.owners.first().map_or("gatehouse", String::as_str);
        Self { id: &model.name, object: "model", created: model.created, owned_by }
    }
}

#[derive(Serialize)]
struct AnthropicList<'a> {
    data: Vec<AnthropicModel<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

#[derive(Serialize)]
struct AnthropicModel<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
}

impl<'a> From<&'a Listed> for AnthropicModel<'a> {
    fn from(model: &'a Listed) -> Self {
        Self {
            kind: "model",
            id: &model.name,
            display_name: &model.name,
            created_at: rfc3339(model.created),
            max_input_tokens: model.context,
            max_tokens: model.output,
        }
    }
}

/// The moment as `2026-11-22T00:00:00Z`; the epoch where it is out of range.
fn rfc3339(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or_default();
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

#[derive(Serialize)]
struct GeminiList<'a> {
    models: Vec<GeminiModel<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GeminiModel<'a> {
    name: String,
    base_model_id: &'a str,
    version: &'static str,
    display_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_token_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_token_limit: Option<u64>,
    supported_generation_methods: &'static [&'static str],
}

impl<'a> From<&'a Listed> for GeminiModel<'a> {
    fn from(model: &'a Listed) -> Self {
        Self {
            name: format!("models/{}", model.name),
            base_model_id: &model.name,
            version: "1",
            display_name: &model.name,
            input_token_limit: model.context,
            output_token_limit: model.output,
            supported_generation_methods: &["generateContent", "streamGenerateContent", "countTokens", "embedContent"],
        }
    }
}

#[derive(Serialize)]
struct CohereList<'a> {
    models: Vec<CohereModel<'a>>,
}

#[derive(Serialize)]
struct CohereModel<'a> {
    name: &'a str,
    endpoints: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    context_length: Option<u64>,
}

impl<'a> From<&'a Listed> for CohereModel<'a> {
    fn from(model: &'a Listed) -> Self {
        Self { name: &model.name, endpoints: &["chat", "embed", "rerank"], context_length: model.context }
    }
}

/// Compact JSON of our own types, which cannot fail to serialise.
fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models() -> Vec<Listed> {
        let owners = vec!["claude".to_owned(), "aws".to_owned()];
        let fast = Listed { name: "fast".into(), created: 1_700_000_000, owners, context: Some(200_000), output: None };
        vec![fast, Listed { name: "backup".into(), ..Listed::default() }]
    }
    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn the_header_decides_whose_list_it_is() {
        assert_eq!(ListForm::of("/v1/models", true), ListForm::Anthropic);
        assert_eq!(ListForm::of("/v1/models", false), ListForm::OpenAi);
        assert_eq!(ListForm::of("/v1beta/models", true), ListForm::Gemini);
    }

    #[test]
    fn openai_lists_models_with_their_owner() {
        assert_eq!(
            text(list(ListForm::OpenAi, &models())),
            r#"{"object":"list","data":[{"id":"fast","object":"model","created":1700000000,"owned_by":"claude"},{"id":"backup","object":"model","created":0,"owned_by":"gatehouse"}]}"#
        );
    }

    #[test]
    fn anthropic_lists_models_by_pages() {
        assert_eq!(
            text(list(ListForm::Anthropic, &models()[..1])),
            r#"{"data":[{"type":"model","id":"fast","display_name":"fast","created_at":"2023-11-14T22:13:20Z","max_input_tokens":200000}],"has_more":false,"first_id":"fast","last_id":"fast"}"#
        );
        assert_eq!(
            text(list(ListForm::Anthropic, &[])),
            r#"{"data":[],"has_more":false,"first_id":null,"last_id":null}"#
        );
    }

    #[test]
    fn gemini_names_models_as_resources() {
        assert_eq!(
            text(single(ListForm::Gemini, &models()[0])),
            r#"{"name":"models/fast","baseModelId":"fast","version":"1","displayName":"fast","inputTokenLimit":200000,"supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens","embedContent"]}"#
        );
    }

    #[test]
    fn cohere_lists_models_with_their_endpoints() {
        assert_eq!(
            text(single(ListForm::Cohere, &models()[1])),
            r#"{"name":"backup","endpoints":["chat","embed","rerank"]}"#
        );
    }

    #[test]
    fn counts_are_told_in_the_words_of_the_path() {
        assert_eq!(text(token_count(CountForm::Anthropic, 7)), r#"{"input_tokens":7}"#);
        assert_eq!(
            text(token_count(CountForm::Responses, 7)),
            r#"{"object":"response.input_tokens","input_tokens":7}"#
        );
        assert_eq!(
            text(token_count(CountForm::Gemini, 7)),
            r#"{"totalTokens":7,"promptTokensDetails":[{"modality":"TEXT","tokenCount":7}]}"#
        );
    }
}

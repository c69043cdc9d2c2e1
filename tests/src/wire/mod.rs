//! The six dialects as a provider speaks them, written apart from the gateway's own translators on purpose: a mistake
//! shared by both would not be seen. One file each: the request a client sends, the answer (whole and in frames), the
//! error, and what can be read back out of them.

pub mod anthropic;
pub mod bedrock;
pub mod cohere;
pub mod embeddings;
pub mod event_stream;
pub mod gemini;
pub mod openai_chat;
pub mod openai_responses;

use bytes::Bytes;
use serde_json::{Value, json};

/// One wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI Chat Completions.
    OpenAiChat,
    /// OpenAI Responses.
    OpenAiResponses,
    /// Anthropic Messages.
    Anthropic,
    /// Gemini `generateContent`.
    Gemini,
    /// Bedrock Converse.
    Bedrock,
    /// Cohere v2 chat.
    Cohere,
}

/// What a provider answers, before it is put into a dialect.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The text, in the pieces in which a stream sends it.
    pub text: Vec<String>,
    /// Thought and its signature, said before the text.
    pub reasoning: Option<(String, String)>,
    /// Calls: id, tool name, arguments.
    pub calls: Vec<(String, String, Value)>,
    /// Input tokens, none of them cached.
    pub input_tokens: u64,
    /// Output tokens, thinking included.
    pub output_tokens: u64,
}

impl Answer {
    /// A text, streamed word by word.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let pieces = text.split_inclusive(' ').map(str::to_owned).collect();
        Self { text: pieces, reasoning: None, calls: Vec::new(), input_tokens: 11, output_tokens: 7 }
    }

    /// No text yet, to be filled with calls.
    #[must_use]
    pub fn silent() -> Self {
        Self::text("").without_text()
    }

    /// Adds a call of a tool.
    #[must_use]
    pub fn call(mut self, id: &str, tool: &str, arguments: Value) -> Self {
        self.calls.push((id.to_owned(), tool.to_owned(), arguments));
        self
    }

    /// Thinks first.
    #[must_use]
    pub fn thinking(mut self, thought: &str, signature: &str) -> Self {
        self.reasoning = Some((thought.to_owned(), signature.to_owned()));
        self
    }

    /// Reports this usage.
    #[must_use]
    pub fn usage(mut self, input_tokens: u64, output_tokens: u64) -> Self {
        self.input_tokens = input_tokens;
        self.output_tokens = output_tokens;
        self
    }

    /// The text in one piece.
    #[must_use]
    pub fn whole_text(&self) -> String {
        self.text.concat()
    }

    fn without_text(mut self) -> Self {
        self.text.clear();
        self
    }
}

/// What an upstream can see of a request, whatever its dialect: the ground truth of the conformance examiner.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Every text of system and user turns, in order.
    pub texts: Vec<String>,
    /// Images: MIME type and base64 data.
    pub images: Vec<(String, String)>,
    /// Tools offered: name and parameter schema.
    pub tools: Vec<(String, Value)>,
    /// Calls in the history: id and tool name.
    pub calls: Vec<(String, String)>,
    /// Tool results in the history: id (or tool name where the dialect has no ids) and text.
    pub results: Vec<(String, String)>,
    /// Schema the output must follow.
    pub schema: Option<Value>,
    /// Was reasoning asked for?
    pub reasoning: bool,
    /// Thoughts in the history: signature, or the text where the dialect has no signatures.
    pub thoughts: Vec<String>,
}

impl Dialect {
    /// All six.
    pub const ALL: [Self; 6] =
        [Self::OpenAiChat, Self::OpenAiResponses, Self::Anthropic, Self::Gemini, Self::Bedrock, Self::Cohere];

    /// The name in configuration, metrics and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::OpenAiResponses => "openai_responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
            Self::Cohere => "cohere",
        }
    }

    /// The dialect a provider's path belongs to, by its end, so that any base URL works.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        if path.ends_with("/chat/completions") {
            Some(Self::OpenAiChat)
        } else if path.ends_with("/responses") {
            Some(Self::OpenAiResponses)
        } else if path.ends_with("/messages") {
            Some(Self::Anthropic)
        } else if path.ends_with(":generateContent") || path.ends_with(":streamGenerateContent") {
            Some(Self::Gemini)
        } else if path.ends_with("/converse") || path.ends_with("/converse-stream") {
            Some(Self::Bedrock)
        } else if path.ends_with("/chat") {
            Some(Self::Cohere)
        } else {
            None
        }
    }

    /// The gateway's path for a call (DESIGN §3.4), query included.
    #[must_use]
    pub fn path(self, model: &str, stream: bool) -> String {
        match (self, stream) {
            (Self::OpenAiChat, _) => "/v1/chat/completions".to_owned(),
            (Self::OpenAiResponses, _) => "/v1/responses".to_owned(),
            (Self::Anthropic, _) => "/v1/messages".to_owned(),
            (Self::Gemini, false) => format!("/v1beta/models/{model}:generateContent"),
            (Self::Gemini, true) => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
            (Self::Bedrock, false) => format!("/model/{model}/converse"),
            (Self::Bedrock, true) => format!("/model/{model}/converse-stream"),
            (Self::Cohere, _) => "/v2/chat".to_owned(),
        }
    }

    /// A plain request of one user turn.
    #[must_use]
    pub fn request(self, model: &str, prompt: &str, stream: bool) -> Value {
        let mut request = match self {
            Self::OpenAiChat => openai_chat::request(model, prompt),
            Self::OpenAiResponses => openai_responses::request(model, prompt),
            Self::Anthropic => anthropic::request(model, prompt),
            Self::Gemini => return gemini::request(prompt),
            Self::Bedrock => return bedrock::request(prompt),
            Self::Cohere => cohere::request(model, prompt),
        };
        if stream {
            request["stream"] = json!(true);
        }
        request
    }

    /// Does this request of a provider's client ask for a stream?
    #[must_use]
    pub fn wants_stream(self, path: &str, request: &Value) -> bool {
        match self {
            Self::Gemini => path.ends_with(":streamGenerateContent"),
            Self::Bedrock => path.ends_with("/converse-stream"),
            _ => request["stream"] == json!(true),
        }
    }

    /// The answer in whole.
    #[must_use]
    pub fn unary(self, model: &str, answer: &Answer) -> Bytes {
        let body = match self {
            Self::OpenAiChat => openai_chat::unary(model, answer),
            Self::OpenAiResponses => openai_responses::unary(model, answer),
            Self::Anthropic => anthropic::unary(model, answer),
            Self::Gemini => gemini::unary(model, answer),
            Self::Bedrock => bedrock::unary(answer),
            Self::Cohere => cohere::unary(answer),
        };
        Bytes::from(body.to_string())
    }

    /// The answer as the frames of a stream. `request` decides what some dialects send (`stream_options`).
    #[must_use]
    pub fn frames(self, model: &str, answer: &Answer, request: &Value) -> Vec<Bytes> {
        match self {
            Self::OpenAiChat => openai_chat::frames(model, answer, request),
            Self::OpenAiResponses => openai_responses::frames(model, answer),
            Self::Anthropic => anthropic::frames(model, answer),
            Self::Gemini => gemini::frames(model, answer),
            Self::Bedrock => bedrock::frames(answer),
            Self::Cohere => cohere::frames(answer),
        }
    }

    /// Content type of a stream.
    #[must_use]
    pub const fn stream_type(self) -> &'static str {
        match self {
            Self::Bedrock => "application/vnd.amazon.eventstream",
            _ => "text/event-stream",
        }
    }

    /// A provider's error body.
    #[must_use]
    pub fn error(self, status: u16, message: &str) -> Bytes {
        let body = match self {
            Self::OpenAiChat | Self::OpenAiResponses => {
                json!({"error": {"message": message, "type": openai_chat::error_type(status), "param": null, "code": null}})
            }
            Self::Anthropic => {
                json!({"type": "error", "error": {"type": anthropic::error_type(status), "message": message}})
            }
            Self::Gemini => {
                json!({"error": {"code": status, "message": message, "status": gemini::error_status(status)}})
            }
            Self::Bedrock | Self::Cohere => json!({"message": message}),
        };
        Bytes::from(body.to_string())
    }

    /// The visible text of a whole answer.
    #[must_use]
    pub fn text_of(self, body: &Value) -> String {
        let texts: Vec<&str> = match self {
            Self::OpenAiChat => vec![body["choices"][0]["message"]["content"].as_str().unwrap_or_default()],
            Self::OpenAiResponses => openai_responses::texts(body),
            Self::Anthropic => each(&body["content"]).filter_map(|block| block["text"].as_str()).collect(),
            Self::Gemini => gemini::texts(body),
            Self::Bedrock => {
                each(&body["output"]["message"]["content"]).filter_map(|block| block["text"].as_str()).collect()
            }
            Self::Cohere => each(&body["message"]["content"]).filter_map(|block| block["text"].as_str()).collect(),
        };
        texts.concat()
    }

    /// The text one streamed event adds.
    #[must_use]
    pub fn text_of_event(self, event: &Value) -> String {
        let text = match self {
            Self::OpenAiChat => event["choices"][0]["delta"]["content"].as_str(),
            Self::OpenAiResponses => {
                event["delta"].as_str().filter(|_| event["type"] == json!("response.output_text.delta"))
            }
            Self::Anthropic => event["delta"]["text"].as_str(),
            Self::Gemini => return gemini::texts(event).concat(),
            Self::Bedrock => event["delta"]["text"].as_str(),
            Self::Cohere => event["delta"]["message"]["content"]["text"].as_str(),
        };
        text.unwrap_or_default().to_owned()
    }

    /// Whether an event of a stream says that the answer is whole.
    #[must_use]
    pub fn is_terminal(self, event: &Value) -> bool {
        match self {
            Self::OpenAiChat => event["choices"][0]["finish_reason"].is_string(),
            Self::OpenAiResponses => event["type"] == json!("response.completed"),
            Self::Anthropic => event["type"] == json!("message_stop"),
            Self::Gemini => event["candidates"][0]["finishReason"].is_string(),
            Self::Bedrock => event["stopReason"].is_string(),
            Self::Cohere => event["type"] == json!("message-end"),
        }
    }

    /// The message of an error if the body has the shape this dialect's clients expect.
    #[must_use]
    pub fn error_message(self, body: &Value) -> Option<String> {
        let message = match self {
            Self::OpenAiChat | Self::OpenAiResponses => {
                body["error"]["type"].as_str()?;
                &body["error"]["message"]
            }
            Self::Anthropic => {
                body["error"]["type"].as_str().filter(|_| body["type"] == json!("error"))?;
                &body["error"]["message"]
            }
            Self::Gemini => {
                body["error"]["status"].as_str()?;
                body["error"]["code"].as_u64()?;
                &body["error"]["message"]
            }
            Self::Bedrock | Self::Cohere => &body["message"],
        };
        message.as_str().map(str::to_owned)
    }

    /// Whether an event of a stream is the dialect's in-band error.
    #[must_use]
    pub fn is_error_event(self, event: &Value) -> bool {
        match self {
            Self::OpenAiChat | Self::Gemini => event["error"].is_object(),
            Self::OpenAiResponses => event["type"] == json!("response.failed") || event["type"] == json!("error"),
            Self::Anthropic => event["type"] == json!("error"),
            // An exception message: its payload is the error itself.
            Self::Bedrock => event[":exception-type"].is_string(),
            Self::Cohere => event["type"] == json!("message-end") && event["delta"]["finish_reason"] == json!("ERROR"),
        }
    }

    /// What this request shows.
    #[must_use]
    pub fn see(self, request: &Value) -> Seen {
        match self {
            Self::OpenAiChat => openai_chat::see(request),
            Self::OpenAiResponses => openai_responses::see(request),
            Self::Anthropic => anthropic::see(request),
            Self::Gemini => gemini::see(request),
            Self::Bedrock => bedrock::see(request),
            Self::Cohere => cohere::see(request),
        }
    }
}

/// The elements of a JSON array, or nothing.
pub(crate) fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A string, or nothing.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A frame of server-sent events with data alone.
pub(crate) fn data_frame(data: &Value) -> Bytes {
    Bytes::from(format!("data: {data}\n\n"))
}

/// A frame of server-sent events named by its own `type`.
pub(crate) fn named_frame(data: &Value) -> Bytes {
    Bytes::from(format!("event: {}\ndata: {data}\n\n", text(&data["type"])))
}

/// Splits `data:<mime>;base64,<data>` in two.
pub(crate) fn split_data_url(url: &str) -> Option<(String, String)> {
    let (mime, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
    Some((mime.to_owned(), data.to_owned()))
}

/// The arguments of a call in two halves, as a stream sends them.
pub(crate) fn halves(arguments: &Value) -> [String; 2] {
    let whole = arguments.to_string();
    let middle = whole.char_indices().nth(whole.chars().count() / 2).map_or(0, |(at, _)| at);
    let (first, second) = whole.split_at(middle);
    [first.to_owned(), second.to_owned()]
}

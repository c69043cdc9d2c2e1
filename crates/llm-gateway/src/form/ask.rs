//! What a client asks of a model.

use serde_json::value::RawValue;

/// A request for an answer, in the superset form.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// Name of the dialect it was read from: `extras` and the service tier are in its words. Empty if none.
    pub origin: &'static str,
    /// The model as the client named it.
    pub model: String,
    /// Shall the answer come as a stream?
    pub stream: bool,
    /// Chat only: did the client ask for a usage chunk at the end of the stream (`stream_options.include_usage`)?
    pub stream_usage: bool,
    /// Instructions before the conversation. Kept as blocks, so that cache marks survive; never merged.
    pub system: Vec<Block>,
    /// The conversation. Instructions in mid-conversation are turns of [`Role::System`].
    pub turns: Vec<Turn>,
    /// Tools the model may call.
    pub tools: Vec<Tool>,
    /// Which tools it must or may call.
    pub tool_choice: Option<ToolChoice>,
    /// May it call several tools in one turn?
    pub parallel_tools: Option<bool>,
    /// Most output tokens.
    pub output_cap: Option<u64>,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// Top-k sampling.
    pub top_k: Option<u64>,
    /// Texts at which to stop.
    pub stop: Vec<String>,
    /// Sampling seed.
    pub seed: Option<i64>,
    /// Number of answers wanted.
    pub n: Option<u32>,
    /// Penalty for frequent tokens.
    pub frequency_penalty: Option<f64>,
    /// Penalty for tokens already present.
    pub presence_penalty: Option<f64>,
    /// Log probabilities wanted: `Some(k)` = of the chosen tokens and the `k` best alternatives.
    pub logprobs: Option<u32>,
    /// Shape of the output.
    pub format: Option<Format>,
    /// How much to think, and what to show of it.
    pub reasoning: Option<ReasoningAsk>,
    /// The end user's opaque id.
    pub user: Option<String>,
    /// Key/value tags of the request, as a JSON object.
    pub metadata: Option<Box<RawValue>>,
    /// Service tier, in the words of the dialect it came from.
    pub service_tier: Option<String>,
    /// Routing hint for the provider's prompt cache.
    pub cache_key: Option<String>,
    /// Verbosity of the text (`low`, `medium`, `high`).
    pub verbosity: Option<String>,
    /// Should the provider keep the answer (`store`)?
    pub store: Option<bool>,
    /// The answer this one continues (Responses' `previous_response_id`), if the gateway has not resolved it.
    pub previous: Option<String>,
    /// Fields that only the dialect of origin knows, by name, as raw JSON. The writer of the same dialect writes them
    /// back; every other writer names them in `Dropped`.
    pub extras: Vec<(String, Box<RawValue>)>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions (OpenAI's `system` and `developer`).
    System,
    /// The user, tool results included.
    User,
    /// The model.
    Assistant,
}

/// One turn of the conversation.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub blocks: Vec<Block>,
}

/// One piece of content, perhaps the end of a cacheable prefix.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The content.
    pub content: Content,
    /// A cache breakpoint after this block.
    pub cache: Option<CacheMark>,
}

impl Block {
    /// A block without a cache mark.
    #[must_use]
    pub fn new(content: Content) -> Self {
        Self { content, cache: None }
    }
    /// Plain text without a cache mark.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Content::Text { text: text.into(), citations: Vec::new() })
    }
}

/// Lifetime of a cached prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheMark {
    /// Five minutes, or the provider's only lifetime.
    FiveMinutes,
    /// One hour.
    OneHour,
}

/// Kinds of content.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Text, with the sources it cites.
    Text {
        /// The text.
        text: String,
        /// Sources, if the model cited any.
        citations: Vec<Citation>,
    },
    /// An image, a sound, a video or a document.
    Media(Media),
    /// A call the model made.
    ToolCall(ToolCall),
    /// What a tool answered.
    ToolResult(ToolResult),
    /// What the model thought.
    Reasoning(Reasoning),
    /// The model's refusal in its own words (OpenAI's `refusal`).
    Refusal(String),
    /// Something only one dialect knows (server tool use, search results, computer calls): raw JSON of that dialect.
    Native {
        /// The dialect's name.
        dialect: &'static str,
        /// The block's type in that dialect, for `Dropped`.
        kind: String,
        /// The block.
        raw: RawJson,
    },
}

/// Raw JSON that can be compared.
#[derive(Clone, Debug)]
pub struct RawJson(pub Box<RawValue>);
impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// What a media block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A sound.
    Audio,
    /// A film.
    Video,
    /// A document (PDF, text, office file).
    Document,
}

/// A picture, a sound, a film or a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// Which of them.
    pub kind: MediaKind,
    /// MIME type (`image/png`), if known.
    pub mime: Option<String>,
    /// Where its bytes are.
    pub source: Source,
    /// File name or title.
    pub name: Option<String>,
    /// OpenAI's `detail` (`low`, `high`, `auto`).
    pub detail: Option<String>,
    /// Anthropic and Bedrock: shall the model cite this document?
    pub citations: bool,
}

/// Where the bytes of a media block are.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Here, in standard base64.
    Base64(String),
    /// At an address.
    Url(String),
    /// With the provider, under this id.
    File(String),
    /// Plain text given as a document.
    Text(String),
}

/// A source the model cites.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Citation {
    /// Address, if it is on the web.
    pub url: Option<String>,
    /// Title of the source.
    pub title: Option<String>,
    /// The passage cited.
    pub quote: Option<String>,
    /// Where in the answer's text it applies: start and end in Unicode scalar values.
    pub span: Option<(u64, u64)>,
    /// Index of the document of the request it points at, and the place in it, in the words of the dialect of origin.
    pub native: Option<RawJson>,
}

/// A call of a tool by the model.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// Id that the result will name. Never empty: a reader whose dialect has none mints one.
    pub id: String,
    /// The tool's name, as the client defined it.
    pub name: String,
    /// Arguments as JSON text; never empty (`{}`).
    pub arguments: String,
    /// Gemini: the thought signature that came with this call and must return with it.
    pub signature: Option<Signature>,
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// The call's id.
    pub id: String,
    /// The tool's name, if the dialect says it (Gemini) or the history tells.
    pub name: Option<String>,
    /// The content.
    pub blocks: Vec<Block>,
    /// Did the tool fail?
    pub error: bool,
}

/// Who issued a signature or an encrypted thought. Foreign ones are dropped, never forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// Anthropic models, wherever hosted.
    Anthropic,
    /// Google models.
    Google,
    /// OpenAI models.
    OpenAi,
    /// Any other; never sent on across vendors.
    Other,
}

impl Issuer {
    /// The letter that stands for it in values that ride through clients; none for those never sent on.
    pub(crate) const fn letter(self) -> Option<char> {
        Some(match self {
            Self::Anthropic => 'a',
            Self::Google => 'g',
            Self::OpenAi => 'o',
            Self::Other => return None,
        })
    }

    /// The issuer a letter stands for.
    pub(crate) const fn of_letter(letter: char) -> Option<Self> {
        Some(match letter {
            'a' => Self::Anthropic,
            'g' => Self::Google,
            'o' => Self::OpenAi,
            _ => return None,
        })
    }
}

/// Proof that a thought is the model's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Who issued it.
    pub issuer: Issuer,
    /// The opaque value.
    pub value: String,
}

/// What the model thought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reasoning {
    /// The thought, or its summary; empty when only the encrypted form exists.
    pub text: String,
    /// Is `text` a summary (Responses) and not the thought itself?
    pub summary: bool,
    /// Signature over the text, to be returned unmodified.
    pub signature: Option<Signature>,
    /// The thought in encrypted form (Anthropic `redacted_thinking.data`, Responses `encrypted_content`).
    pub encrypted: Option<Signature>,
    /// The item's id in the dialect of origin (Responses `rs_…`).
    pub id: Option<String>,
}

/// A tool the model may call.
#[derive(Clone, Debug)]
pub enum Tool {
    /// A function of the client's.
    Function {
        /// Name.
        name: String,
        /// What it does.
        description: Option<String>,
        /// JSON Schema of the arguments; `None` when the client gave none.
        parameters: Option<Box<RawValue>>,
        /// Must the arguments follow the schema?
        strict: Option<bool>,
        /// A cache breakpoint after this tool.
        cache: Option<CacheMark>,
    },
    /// A tool only one dialect knows (web search, code execution, MCP connector): raw JSON of that dialect.
    Native {
        /// The dialect's name.
        dialect: &'static str,
        /// The tool's type in that dialect, for `Dropped`.
        kind: String,
        /// The definition.
        raw: Box<RawValue>,
    },
}

/// Which tools the model must or may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// None.
    None,
    /// As it likes.
    Auto,
    /// At least one.
    Any,
    /// This one.
    Tool(String),
    /// One of these; `required` = at least one (OpenAI's `allowed_tools`, Gemini's `allowedFunctionNames`).
    OneOf {
        /// Names.
        names: Vec<String>,
        /// Must one be called?
        required: bool,
    },
}

/// Shape of the output.
#[derive(Clone, Debug)]
pub enum Format {
    /// Free text.
    Text,
    /// Any JSON object.
    Json,
    /// JSON that follows a schema.
    Schema {
        /// The schema's name.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// The schema.
        schema: Box<RawValue>,
        /// Must it be followed exactly?
        strict: Option<bool>,
    },
}

/// How hard to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as the model can.
    Minimal,
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// Very much.
    XHigh,
    /// All it has.
    Max,
}

impl Effort {
    /// Word used by OpenAI, Anthropic (`output_config.effort`) and Bedrock.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "none" => Self::None,
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::XHigh,
            "max" => Self::Max,
            _ => return None,
        })
    }

    /// Token budget for dialects that count instead: doubles with each step, from 1,024 (the least Anthropic takes).
    #[must_use]
    pub const fn budget(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Minimal | Self::Low => 1024,
            Self::Medium => 2048,
            Self::High => 4096,
            Self::XHigh => 8192,
            Self::Max => 16384,
        }
    }

    /// The effort a token budget stands for.
    #[must_use]
    pub const fn from_budget(tokens: u64) -> Self {
        match tokens {
            0 => Self::None,
            1..=1024 => Self::Low,
            1025..=2048 => Self::Medium,
            2049..=4096 => Self::High,
            4097..=8192 => Self::XHigh,
            _ => Self::Max,
        }
    }
}

/// Whether to think.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thinking {
    /// The client did not say; effort or budget may still.
    #[default]
    Unsaid,
    /// No.
    Off,
    /// Yes.
    On,
    /// As the model sees fit (Anthropic `adaptive`, Gemini budget −1).
    Adaptive,
}

/// How much to think, and what to show of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReasoningAsk {
    /// Whether.
    pub thinking: Thinking,
    /// How hard.
    pub effort: Option<Effort>,
    /// Most tokens to think with.
    pub budget: Option<u64>,
    /// Summary wanted (`auto`, `concise`, `detailed`); Gemini's `includeThoughts` reads as `auto`, Anthropic's
    /// `display: omitted` as `none`.
    pub summary: Option<String>,
    /// Responses: shall encrypted thoughts be returned (`include: ["reasoning.encrypted_content"]`)?
    pub encrypted: bool,
}

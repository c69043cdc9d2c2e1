//! Embeddings: the superset of the OpenAI, Gemini and Cohere dialects.

use gatehouse_domain::Usage;

/// A request for vectors.
#[derive(Clone, Debug, Default)]
pub struct EmbedAsk {
    /// The model as the client named it.
    pub model: String,
    /// What to embed, in order.
    pub inputs: Vec<EmbedInput>,
    /// Length of the vectors wanted.
    pub dimensions: Option<u64>,
    /// How the vectors are written.
    pub encoding: Encoding,
    /// What the vectors are for.
    pub task: Option<EmbedTask>,
    /// Gemini: title of the document.
    pub title: Option<String>,
    /// Cohere: what to do with inputs that are too long (`NONE`, `START`, `END`).
    pub truncate: Option<String>,
    /// The end user's opaque id.
    pub user: Option<String>,
    /// Gemini: did the client use the single form (`embedContent`), whose answer holds one vector?
    pub single: bool,
    /// Names of fields only the dialect of origin knows.
    pub unknown: Vec<String>,
}

/// One thing to embed.
#[derive(Clone, Debug, PartialEq)]
pub enum EmbedInput {
    /// Text.
    Text(String),
    /// Token ids of the model's own tokeniser (OpenAI).
    Tokens(Vec<u32>),
    /// An image as a data URL (Cohere).
    Image(String),
}

/// How vectors are written on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// JSON numbers.
    #[default]
    Float,
    /// Little-endian f32 in base64.
    Base64,
}

/// What vectors are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmbedTask {
    /// A search query.
    Query,
    /// A document to be found.
    Document,
    /// Classification.
    Classification,
    /// Clustering.
    Clustering,
    /// Likeness of texts.
    Similarity,
}

/// The vectors.
#[derive(Clone, Debug, Default)]
pub struct EmbedAnswer {
    /// The provider's id, if it has one.
    pub id: Option<String>,
    /// The model that answered.
    pub model: String,
    /// One per input, in order.
    pub vectors: Vec<Vector>,
    /// Tokens.
    pub usage: Usage,
}

/// One vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector(pub Vec<f32>);

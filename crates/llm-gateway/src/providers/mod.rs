//! Providers as values: one short file for each kind, and what all of them share.
//!
//! `kind` says what a kind is, `settings` turns a kind and its configuration into a [`Provider`], `request` writes the
//! request for one, `judge` says what a bad answer of one means. Everything is pure.

mod anthropic;
mod anthropic_compatible;
mod azure_openai;
mod bedrock;
mod cerebras;
mod cohere;
mod deepseek;
mod demo;
mod endpoint;
mod fireworks;
mod gemini;
mod github_models;
mod groq;
mod hide;
mod huggingface;
mod judge;
mod kind;
mod lmstudio;
mod members;
mod mistral;
mod model;
mod moonshot;
mod nvidia;
mod ollama;
mod openai;
mod openai_compatible;
mod openrouter;
mod perplexity;
mod request;
mod sambanova;
mod settings;
mod sigv4;
mod together;
mod vertex;
mod vertex_token;
mod vllm;
mod wait;
mod xai;
mod zai;

pub use crate::dialects::DialectName;
pub use endpoint::encode_segment;
pub use hide::hide;
pub use judge::judge;
pub use kind::{Auth, Native, Needs, Operation, Place, ProviderKind, Rewrite, Wants};
pub use model::issuer;
pub use request::{Ask, KeptAt, betas, outbound, outbound_kept, path};
pub use settings::{Problem, Provider, Settings, resolve};
pub use vertex_token::{assertion, read_token};

/// Every kind, sorted by name.
pub static ALL: &[&ProviderKind] = &[
    &anthropic::KIND,
    &anthropic_compatible::KIND,
    &azure_openai::KIND,
    &bedrock::KIND,
    &cerebras::KIND,
    &cohere::KIND,
    &deepseek::KIND,
    &demo::KIND,
    &fireworks::KIND,
    &gemini::KIND,
    &github_models::KIND,
    &groq::KIND,
    &huggingface::KIND,
    &lmstudio::KIND,
    &mistral::KIND,
    &moonshot::KIND,
    &nvidia::KIND,
    &ollama::KIND,
    &openai::KIND,
    &openai_compatible::KIND,
    &openrouter::KIND,
    &perplexity::KIND,
    &sambanova::KIND,
    &together::KIND,
    &vertex::KIND,
    &vllm::KIND,
    &xai::KIND,
    &zai::KIND,
];

/// The kind of that name.
#[must_use]
pub fn kind(name: &str) -> Option<&'static ProviderKind> {
    ALL.iter().copied().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests;

//! Embeddings: OpenAI, Gemini and Cohere, each to each, over `form::EmbedAsk` and `form::EmbedAnswer`.

pub mod cohere;
pub mod gemini;
pub mod openai;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehouse_domain::{Code, Fault};

use crate::form::{Dropped, EmbedAnswer, EmbedAsk, EmbedInput, Vector};

/// Most inputs in one request.
const INPUTS_MAX: usize = 2048;

/// One wire format of embeddings. All functions are pure.
pub struct EmbedDialect {
    /// Its name: `openai`, `gemini`, `cohere`.
    pub name: &'static str,
    /// Reads a request. `ask.model` is overwritten by the caller where the path carries it.
    ///
    /// Errors: `InvalidJson`, or `InvalidRequest` with `param` naming the field.
    pub read_ask: fn(&[u8]) -> Result<EmbedAsk, Fault>,
    /// Writes a request for an upstream that calls the model by the name given. What it cannot say goes to `Dropped`.
    ///
    /// Errors: `NotTranslatable` when an input is of a kind the dialect has no word for.
    pub write_ask: fn(&EmbedAsk, &str, &mut Dropped) -> Result<Vec<u8>, Fault>,
    /// Reads an answer. Errors: `UpstreamBroken`.
    pub read_answer: fn(&[u8]) -> Result<EmbedAnswer, Fault>,
    /// Writes an answer in the form the request asked for.
    pub write_answer: fn(&EmbedAnswer, &EmbedAsk) -> Vec<u8>,
}

/// Little-endian f32 in standard base64.
fn to_base64(vector: &Vector) -> String {
    let bytes: Vec<u8> = vector.0.iter().flat_map(|number| number.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

/// The vector in base64 of little-endian f32; `None` if it is none.
fn from_base64(text: &str) -> Option<Vector> {
    let bytes = STANDARD.decode(text).ok()?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| Vector(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()))
}

/// Refuses no input and too many.
fn check_count(inputs: &[EmbedInput], param: &str) -> Result<(), Fault> {
    match inputs.len() {
        0 => Err(Fault::new(Code::InvalidRequest, "there is nothing to embed").at(param)),
        1..=INPUTS_MAX => Ok(()),
        _ => Err(Fault::new(Code::InvalidRequest, "at most 2048 inputs fit in one request").at(param)),
    }
}

fn not_an_answer() -> Fault {
    Fault::new(Code::UpstreamBroken, "the provider's answer holds no embeddings")
}

fn untranslatable(message: &'static str) -> Fault {
    Fault::new(Code::NotTranslatable, message).at("input")
}

/// Compact JSON of our own types, which cannot fail to serialise.
fn bytes(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_little_endian_f32() {
        let vector = Vector(vec![1.0, -0.5]);
        assert_eq!(to_base64(&vector), "AACAPwAAAL8=");
        assert_eq!(from_base64("AACAPwAAAL8="), Some(vector));
        assert_eq!(from_base64("AACA"), None);
    }
}

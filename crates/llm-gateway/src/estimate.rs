//! Token estimates before the provider has counted: for reservations, for limits, and for providers that never say.

mod text;

pub use text::estimate_text;

use crate::form::{Ask, Block, Content, Format, Media, MediaKind, Source, Tool};

/// What the frame of one message costs: role, separators.
const PER_MESSAGE: u64 = 4;
/// What a request costs beyond its messages: the start of the answer.
const PER_REQUEST: u64 = 3;
/// What the frame of one tool costs beyond its name, description and schema.
const PER_TOOL: u64 = 8;
/// A picture of ordinary size; the providers' counts lie between 85 and 1,600.
const PER_IMAGE: u64 = 800;
/// Bytes of base64 sound per token: 16 kB/s of sound, 25 tokens a second (Gemini's count is 32, OpenAI's 10).
const SOUND_BYTES_PER_TOKEN: u64 = 850;
/// Bytes of base64 document per token: a page is some 100 kB and 800 tokens or more.
const DOCUMENT_BYTES_PER_TOKEN: u64 = 100;
/// A medium whose size is not known here.
const PER_REMOTE: u64 = 1500;

/// Estimates the input tokens of a request: its texts, tools and schema, a flat amount for pictures.
#[must_use]
pub fn estimate_ask(ask: &Ask) -> u64 {
    let system = if ask.system.is_empty() { 0 } else { PER_MESSAGE + blocks(&ask.system) };
    let turns: u64 = ask.turns.iter().map(|turn| PER_MESSAGE + blocks(&turn.blocks)).sum();
    let tools: u64 = ask.tools.iter().map(tool).sum();
    let format = match &ask.format {
        Some(Format::Schema { schema, .. }) => estimate_text(schema.get()),
        _ => 0,
    };
    PER_REQUEST + system + turns + tools + format
}

/// A quick guess, rather too high, for a body that is not parsed: three bytes a token, the JSON around the text counted
/// in; but a body with pictures in it is not tokens to its last byte, so the guess grows slower beyond a million bytes.
#[must_use]
pub const fn estimate_bytes(body_bytes: u64) -> u64 {
    const FULL: u64 = 1 << 20;
    if body_bytes <= FULL { body_bytes.div_ceil(3) } else { FULL.div_ceil(3) + (body_bytes - FULL) / 64 }
}

fn blocks(blocks: &[Block]) -> u64 {
    blocks.iter().map(|block| content(&block.content)).sum()
}

fn content(content: &Content) -> u64 {
    match content {
        Content::Text { text, .. } | Content::Refusal(text) => estimate_text(text),
        Content::Media(media) => medium(media),
        Content::ToolCall(call) => PER_MESSAGE + estimate_text(&call.name) + estimate_text(&call.arguments),
        Content::ToolResult(result) => PER_MESSAGE + blocks(&result.blocks),
        Content::Reasoning(thought) => estimate_text(&thought.text),
        Content::Native { raw, .. } => estimate_text(raw.0.get()),
    }
}

fn medium(media: &Media) -> u64 {
    match (&media.source, media.kind) {
        (Source::Text(text), _) => estimate_text(text),
        (_, MediaKind::Image) => PER_IMAGE,
        (Source::Base64(data), MediaKind::Document) => PER_IMAGE + data.len() as u64 / DOCUMENT_BYTES_PER_TOKEN,
        (Source::Base64(data), MediaKind::Audio | MediaKind::Video) => data.len() as u64 / SOUND_BYTES_PER_TOKEN,
        (Source::Url(_) | Source::File(_), _) => PER_REMOTE,
    }
}

fn tool(tool: &Tool) -> u64 {
    match tool {
        Tool::Function { name, description, parameters, .. } => {
            let schema = parameters.as_ref().map_or(0, |schema| estimate_text(schema.get()));
            PER_TOOL + estimate_text(name) + description.as_deref().map_or(0, estimate_text) + schema
        }
        Tool::Native { raw, .. } => estimate_text(raw.get()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::{Role, Turn};

    #[test]
    fn a_request_costs_its_texts_and_frames() {
        let turn = Turn { role: Role::User, blocks: vec![Block::text("Hello there")] };
        let ask = Ask { turns: vec![turn], ..Ask::default() };
        assert_eq!(estimate_ask(&ask), PER_REQUEST + PER_MESSAGE + estimate_text("Hello there"));
    }

    #[test]
    fn the_guess_from_bytes_is_rather_too_high() {
        let body = r#"{"model":"m","messages":[{"role":"user","content":"What is the capital of France, please?"}]}"#;
        assert!(estimate_bytes(body.len() as u64) >= estimate_text(body));
        assert!(estimate_bytes(50 << 20) < 2_000_000);
    }
}

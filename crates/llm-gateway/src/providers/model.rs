//! What a model's name says about it, wherever it is hosted: whose signatures it understands, how it takes thinking.

use crate::dialects::ThinkingStyle;
use crate::form::Issuer;

/// Who issues the signatures of a model: its maker, on every host. Signatures of one maker's model are valid on other
/// hosts of the same model; OpenAI's encrypted reasoning is moreover bound to the organisation, which a name cannot tell.
#[must_use]
pub fn issuer(name: &str) -> Issuer {
    let name = name.to_ascii_lowercase();
    if name.contains("claude") {
        Issuer::Anthropic
    } else if last_segment(&name).starts_with("gemini") {
        Issuer::Google
    } else if is_openai(last_segment(&name)) {
        Issuer::OpenAi
    } else {
        Issuer::Other
    }
}

/// How a model takes thinking, by its family; `Unknown` for models nobody told us about.
#[must_use]
pub(super) fn thinking(name: &str) -> ThinkingStyle {
    let name = name.to_ascii_lowercase();
    let last = last_segment(&name);
    if let Some(at) = name.find("claude") {
        return claude(&name[at..]);
    }
    if last.starts_with("gemini") {
        return gemini(last);
    }
    if last.starts_with("gpt-oss") || is_openai_reasoning(last) {
        return ThinkingStyle::Effort;
    }
    if is_openai(last) { ThinkingStyle::None } else { ThinkingStyle::Unknown }
}

/// Is this one of OpenAI's models that reason (the o series, GPT-5 and later but for its chat variants)?
#[must_use]
pub(super) fn is_openai_reasoning(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let last = last_segment(&name);
    let series_o = last.starts_with('o') && last.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    let codex = last.starts_with("codex-mini");
    let gpt =
        last.starts_with("gpt-") && version(last).is_some_and(|version| version >= (5, 0)) && !last.contains("-chat");
    series_o || codex || gpt
}

fn is_openai(last: &str) -> bool {
    let known = ["gpt-", "chatgpt-", "codex-", "text-embedding-", "davinci", "babbage"];
    (known.iter().any(|prefix| last.starts_with(prefix)) && !last.starts_with("gpt-oss")) || is_openai_reasoning(last)
}

/// Adaptive thinking came with Claude 4.6, thinking at all with 3.7.
fn claude(name: &str) -> ThinkingStyle {
    match version(name) {
        None => ThinkingStyle::Unknown,
        Some(version) if version < (3, 7) => ThinkingStyle::None,
        Some(version) if version < (4, 6) => ThinkingStyle::Budget,
        Some(_) => ThinkingStyle::Effort,
    }
}

/// Levels came with Gemini 3, budgets with 2.5.
fn gemini(name: &str) -> ThinkingStyle {
    match version(name) {
        None => ThinkingStyle::Unknown,
        Some(version) if version < (2, 5) => ThinkingStyle::None,
        Some(version) if version < (3, 0) => ThinkingStyle::Budget,
        Some(_) => ThinkingStyle::Effort,
    }
}

fn last_segment(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The version in a name: the first part that begins with a digit, unless it is a date, and the number after it.
fn version(name: &str) -> Option<(u32, u32)> {
    let mut parts = name.split(['-', '.', '@', ':', '_']);
    let first = parts.find(|part| part.starts_with(|first: char| first.is_ascii_digit()))?;
    let digits = first.find(|c: char| !c.is_ascii_digit()).unwrap_or(first.len());
    let major = if digits <= 2 { first[..digits].parse().ok()? } else { return None };
    let minor = parts.next().filter(|part| part.len() <= 2).and_then(|part| part.parse().ok());
    Some((major, minor.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_belong_to_the_maker_on_every_host() {
        for name in ["claude-sonnet-4-5", "us.anthropic.claude-opus-4-6-v1:0", "anthropic/claude-opus-5", "claude-3@2"]
        {
            assert_eq!(issuer(name), Issuer::Anthropic, "{name}");
        }
        assert_eq!(issuer("google/gemini-3-pro"), Issuer::Google);
        assert_eq!(issuer("models/gemini-2.5-pro"), Issuer::Google);
        for name in ["gpt-5-mini", "o3", "openai/o4-mini", "GPT-4o"] {
            assert_eq!(issuer(name), Issuer::OpenAi, "{name}");
        }
        for name in ["openai/gpt-oss-120b", "gemma-3", "llama3", "olmo-2", "", "o"] {
            assert_eq!(issuer(name), Issuer::Other, "{name}");
        }
    }

    #[test]
    fn thinking_follows_the_version_in_the_name() {
        let expected = [
            ("claude-3-5-haiku-20241022", ThinkingStyle::None),
            ("claude-3-7-sonnet-latest", ThinkingStyle::Budget),
            ("claude-opus-4-20250514", ThinkingStyle::Budget),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", ThinkingStyle::Budget),
            ("anthropic/claude-opus-4.6", ThinkingStyle::Effort),
            ("claude-sonnet-5", ThinkingStyle::Effort),
            ("gemini-2.0-flash", ThinkingStyle::None),
            ("gemini-2.5-pro", ThinkingStyle::Budget),
            ("gemini-3-pro-preview", ThinkingStyle::Effort),
            ("gemini-flash-latest", ThinkingStyle::Unknown),
            ("gpt-4o-2024-08-06", ThinkingStyle::None),
            ("gpt-5-mini", ThinkingStyle::Effort),
            ("gpt-5-chat-latest", ThinkingStyle::None),
            ("o3-mini", ThinkingStyle::Effort),
            ("gpt-oss-20b", ThinkingStyle::Effort),
            ("qwen3", ThinkingStyle::Unknown),
        ];
        for (name, style) in expected {
            assert_eq!(thinking(name), style, "{name}");
        }
    }
}

//! "Did you mean": near names among those a caller may use.

use gatehouse_domain::{Code, Fault};
use strsim::{jaro_winkler, normalized_damerau_levenshtein};

/// Names shorter than this are compared; anything longer is not a typing error.
const LONGEST: usize = 128;
/// How many names are looked at: a refusal must stay cheap.
const MOST_COMPARED: usize = 1000;
const MOST_SHOWN: usize = 3;
const NEAR_ENOUGH: f64 = 0.72;

/// The refusal for a model nobody configured, with up to three near names among `usable`: those the caller may use, and
/// no others, so that a refusal tells nothing a listing would not.
pub fn unknown_model<'a>(asked: &str, usable: impl IntoIterator<Item = &'a str>) -> Fault {
    let near = suggestion(asked, usable);
    let asked = shortened(asked);
    let message = format!("There is no model `{asked}` here.{near} GET /v1/models lists every model this key may use.");
    Fault::new(Code::UnknownModel, message).at("model")
}

/// " Did you mean `fast`?", with up to three near names among `usable`; empty if none is near.
pub fn suggestion<'a>(asked: &str, usable: impl IntoIterator<Item = &'a str>) -> String {
    let near = nearest(asked, usable);
    match near.split_last() {
        None => String::new(),
        Some((only, [])) => format!(" Did you mean `{only}`?"),
        Some((last, others)) => format!(" Did you mean `{}` or `{last}`?", others.join("`, `")),
    }
}

/// The nearest names, best first.
fn nearest<'a>(asked: &str, usable: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    if asked.is_empty() || asked.len() > LONGEST {
        return Vec::new();
    }
    let mut scored: Vec<(f64, &str)> = usable
        .into_iter()
        .filter(|name| name.len() <= LONGEST)
        .take(MOST_COMPARED)
        .map(|name| (likeness(asked, name), name))
        .filter(|(score, _)| *score >= NEAR_ENOUGH)
        .collect();
    scored.sort_by(|(a, a_name), (b, b_name)| b.total_cmp(a).then_with(|| a_name.cmp(b_name)));
    scored.truncate(MOST_SHOWN);
    scored.into_iter().map(|(_, name)| name).collect()
}

/// 1 for the same name. Case never matters; a provider prefix (`openai/gpt-5`) is tried away on both sides.
fn likeness(asked: &str, name: &str) -> f64 {
    let (asked, name) = (asked.to_lowercase(), name.to_lowercase());
    let bare = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
    let score = |a: &str, b: &str| normalized_damerau_levenshtein(a, b).max(jaro_winkler(a, b) - 0.15);
    score(&asked, &name).max(score(&bare(&asked), &bare(&name)) - 0.05)
}

/// At most 64 characters of what the caller sent.
fn shortened(asked: &str) -> String {
    match asked.char_indices().nth(64) {
        Some((end, _)) => format!("{}…", &asked[..end]),
        None => asked.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODELS: [&str; 5] = ["fast", "backup", "gpt-5-mini", "gpt-5", "claude-haiku-4-5"];

    #[test]
    fn a_typing_error_is_answered_with_the_name_that_was_meant() {
        let fault = unknown_model("gtp-5-mini", MODELS);
        assert_eq!((fault.code, fault.status), (Code::UnknownModel, 404));
        assert!(fault.message.contains("Did you mean `gpt-5-mini`"), "{}", fault.message);
    }

    #[test]
    fn a_provider_prefix_does_not_hide_the_model() {
        assert_eq!(nearest("anthropic/claude-haiku-4-5", MODELS), ["claude-haiku-4-5"]);
    }

    #[test]
    fn a_name_like_no_other_gets_no_suggestion() {
        assert!(nearest("llama", MODELS).is_empty());
        assert!(!unknown_model("llama", MODELS).message.contains("Did you mean"));
    }

    #[test]
    fn a_hostile_name_is_neither_compared_nor_echoed_whole() {
        let fault = unknown_model(&"é".repeat(100_000), MODELS);
        assert!(fault.message.len() < 400);
    }
}

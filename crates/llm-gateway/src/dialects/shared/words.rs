//! Tool names, call ids, arguments and counters, made fit for those who are strict about them.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::form::{Ask, Content, Tool};

/// More tokens than this nobody sends; a provider's nonsense must not overflow a sum.
const TOKENS_MAX: u64 = 1 << 48;

/// A token counter as a provider sent it, kept where sums of counters cannot overflow.
pub(in crate::dialects) fn sane(tokens: u64) -> u64 {
    tokens.min(TOKENS_MAX)
}

/// What a client sees when a call's arguments are not a JSON object: they come whole, as text, under this key.
const UNREADABLE: &str = "unreadable_arguments";

/// `word` if it has at most `max` letters, digits, `_`, `-` and letters of `also`; else a shortened form of it with a
/// hash of the whole, the same on every call and replica.
pub(in crate::dialects) fn fit<'a>(word: &'a str, max: usize, also: &str) -> Cow<'a, str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || also.contains(c);
    if !word.is_empty() && word.len() <= max && word.chars().all(allowed) {
        return Cow::Borrowed(word);
    }
    let hash = fnv1a(word.bytes());
    let mut fitted: String =
        word.chars().map(|c| if allowed(c) { c } else { '_' }).take(max.saturating_sub(9)).collect();
    fitted.push('_');
    fitted.push_str(&format!("{hash:08x}"));
    Cow::Owned(fitted)
}

/// The tool names a dialect's owner takes. Others are written shortened and cleaned, and put back in what is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToolNames {
    /// Most letters.
    pub max: usize,
    /// What it takes besides letters, digits, `_` and `-`.
    pub also: &'static str,
}

impl ToolNames {
    /// The name to write.
    pub(in crate::dialects) fn fit<'a>(&self, name: &'a str) -> Cow<'a, str> {
        fit(name, self.max, self.also)
    }

    /// The client's own name of a tool that is called `wire` in an answer, where that is another one. Decoders do not
    /// know the request, so the gateway asks this for every tool call before it is written for the client.
    #[must_use]
    pub fn client_name<'a>(&self, ask: &'a Ask, wire: &str) -> Option<&'a str> {
        let functions = || {
            ask.tools.iter().filter_map(|tool| match tool {
                Tool::Function { name, .. } => Some(name),
                Tool::Native { .. } => None,
            })
        };
        if functions().any(|name| name == wire) {
            return None;
        }
        let called = ask.turns.iter().flat_map(|turn| &turn.blocks).filter_map(|block| match &block.content {
            Content::ToolCall(call) => Some(&call.name),
            _ => None,
        });
        functions().chain(called).find(|name| self.fit(name) == wire).map(String::as_str).filter(|name| *name != wire)
    }
}

/// FNV-1a, 32 bits: short, stable across releases, and never used against an adversary.
pub(in crate::dialects) fn fnv1a(bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// A call's arguments as a JSON object: as they are, `{}` for none, wrapped when they are anything else.
pub(in crate::dialects) fn arguments_object(arguments: &str) -> Cow<'_, RawValue> {
    let trimmed = arguments.trim_ascii();
    if trimmed.starts_with('{')
        && let Ok(raw) = serde_json::from_str::<&RawValue>(trimmed)
    {
        return Cow::Borrowed(raw);
    }
    let text = if trimmed.is_empty() {
        "{}".to_owned()
    } else {
        format!("{{\"{UNREADABLE}\":{}}}", serde_json::Value::from(arguments))
    };
    Cow::Owned(RawValue::from_string(text).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: ToolNames = ToolNames { max: 64, also: "" };

    #[test]
    fn a_good_name_stays_and_a_bad_one_comes_back() {
        let long = "server.files/".repeat(8);
        let tool = |name: &str| Tool::Function {
            name: name.to_owned(),
            description: None,
            parameters: None,
            strict: None,
            cache: None,
        };
        let ask = Ask { tools: vec![tool("plain"), tool(&long), tool("a.b")], ..Ask::default() };
        for name in ["plain", long.as_str(), "a.b"] {
            let wire = NAMES.fit(name);
            assert!(wire.len() <= 64 && wire.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'));
            assert_eq!(NAMES.client_name(&ask, &wire).unwrap_or(&wire), name);
        }
        assert_eq!(NAMES.client_name(&ask, "unheard_of"), None);
    }

    #[test]
    fn arguments_are_always_an_object() {
        assert_eq!(arguments_object("").get(), "{}");
        assert_eq!(arguments_object("{\"big\":12345678901234567890123}").get(), "{\"big\":12345678901234567890123}");
        assert_eq!(arguments_object("{\"a\":").get(), "{\"unreadable_arguments\":\"{\\\"a\\\":\"}");
        assert_eq!(arguments_object("[1]").get(), "{\"unreadable_arguments\":\"[1]\"}");
    }
}

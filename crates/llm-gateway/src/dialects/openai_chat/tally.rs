//! Counts answers that are forwarded byte for byte.

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::answer::stop_of;
use crate::dialects::openai_shared::details::UsageIn;
use crate::dialects::openai_shared::lines::{DataLines, value_of};
use crate::dialects::{Counted, Tally};

/// A tally.
pub(super) fn tally() -> Box<dyn Tally> {
    Box::new(ChatTally {
        lines: DataLines::default(),
        scan: Scan { keys: &KEYS, counted: Counted::default(), envelope: u64::MAX, called: false },
    })
}

struct ChatTally {
    lines: DataLines,
    scan: Scan,
}

struct Scan {
    keys: &'static Keys,
    counted: Counted,
    /// The shortest chunk so far: about what a chunk takes without its text.
    envelope: u64,
    called: bool,
}

impl Tally for ChatTally {
    fn feed(&mut self, bytes: &Bytes) {
        let scan = &mut self.scan;
        self.lines.feed(bytes, &mut |data| scan.frame(data));
    }

    fn counted(&self) -> Counted {
        self.scan.counted.clone()
    }
}

impl Scan {
    /// Looks at one chunk. Only one that holds usage is parsed.
    fn frame(&mut self, data: &[u8]) {
        if data == b"[DONE]" {
            self.counted.complete = true;
            return;
        }
        if value_of(&self.keys.usage, data).is_some_and(|value| value.starts_with(b"{"))
            && let Ok(UsageOnly { usage: Some(usage), service_tier }) = serde_json::from_slice(data)
        {
            self.counted.usage = Some(usage.usage().served(service_tier.as_deref()));
        }
        if !self.called && value_of(&self.keys.calls, data).is_some_and(|value| value.starts_with(b"[")) {
            self.called = true;
        }
        match value_of(&self.keys.finish, data) {
            Some(value) if value.starts_with(b"\"") && !value.starts_with(b"\"\"") => {
                let word =
                    value[1..].split(|&byte| byte == b'"').next().and_then(|word| std::str::from_utf8(word).ok());
                self.counted.stop = Some(stop_of(word, self.called, false));
                // A stream without `[DONE]` is whole with its finish reason.
                self.counted.complete = true;
            }
            Some(_) => self.measure(data.len()),
            None => {
                let failed = value_of(&self.keys.error, data).is_some_and(|value| value.starts_with(b"{"));
                self.counted.failed |= failed;
            }
        }
    }

    /// Estimates the text in a chunk as what it is longer than the shortest one.
    fn measure(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        self.envelope = self.envelope.min(bytes);
        self.counted.output_bytes += bytes - self.envelope + 1;
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct UsageOnly {
    usage: Option<UsageIn>,
    service_tier: Option<String>,
}

/// What is searched for. Made once: a finder is a quarter of a kilobyte, and there may be thousands of streams.
struct Keys {
    choices: Finder<'static>,
    usage: Finder<'static>,
    finish: Finder<'static>,
    calls: Finder<'static>,
    refusal: Finder<'static>,
    tier: Finder<'static>,
    error: Finder<'static>,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    choices: Finder::new("\"choices\""),
    usage: Finder::new("\"usage\""),
    finish: Finder::new("\"finish_reason\""),
    calls: Finder::new("\"tool_calls\""),
    refusal: Finder::new("\"refusal\""),
    tier: Finder::new("\"service_tier\""),
    error: Finder::new("\"error\""),
});

/// Counts a whole answer. Only its usage is parsed: to walk through the rest, let alone to parse it, took three times as
/// long, and the caller gets its bytes as they are. An answer that is cut off has no brace at its end.
pub(super) fn count(body: &[u8]) -> Option<Counted> {
    let Keys { choices, usage, finish, calls, refusal, tier, error: _ } = &*KEYS;
    let body = body.trim_ascii();
    let choices = value_of(choices, body).and_then(|value| value.strip_prefix(b"["))?;
    if !choices.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    if !(body.starts_with(b"{") && body.ends_with(b"}")) {
        return None;
    }
    let usage = value_of(usage, body).filter(|value| value.starts_with(b"{"));
    let Some(usage) = usage else { return count_all(body) };
    let usage = UsageIn::read(usage)?;
    let ended = value_of(finish, choices);
    // Of the answer itself: before its choices or behind them. What they say is most of its bytes.
    let (before, behind) = (&body[..body.len() - choices.len()], ended.unwrap_or(choices));
    let tier = value_of(tier, before).or_else(|| value_of(tier, behind)).and_then(word);
    let finish = ended.and_then(word);
    let calls = value_of(calls, choices).is_some_and(|value| value.starts_with(b"[{"));
    let refused = value_of(refusal, choices).is_some_and(|value| value.starts_with(b"\""));
    Some(Counted {
        usage: Some(usage.usage().served(tier)),
        stop: Some(stop_of(finish, calls, refused)),
        complete: true,
        output_bytes: 0,
        failed: false,
    })
}

/// The string a value is, if it is one; the words looked for here have nothing escaped in them.
fn word(value: &[u8]) -> Option<&str> {
    let rest = value.strip_prefix(b"\"")?;
    std::str::from_utf8(rest.split(|byte| *byte == b'"').next()?).ok()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WholeIn<'a> {
    #[serde(borrow)]
    choices: Option<Vec<ChoiceIn<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ChoiceIn<'a> {
    finish_reason: Option<String>,
    #[serde(borrow)]
    message: MessageIn<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MessageIn<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    refusal: Option<IgnoredAny>,
}

/// The same for an answer without usage, whose length is what can be told of it.
fn count_all(body: &[u8]) -> Option<Counted> {
    let choices = serde_json::from_slice::<WholeIn<'_>>(body).ok()?.choices?;
    let length = |raw: Option<&RawValue>| raw.map_or(0, |raw| raw.get().len() as u64);
    let first = choices.first()?;
    let calls = first.message.tool_calls.is_some_and(|raw| raw.get() != "[]");
    Some(Counted {
        usage: None,
        stop: Some(stop_of(first.finish_reason.as_deref(), calls, first.message.refusal.is_some())),
        complete: true,
        output_bytes: choices
            .iter()
            .map(|choice| length(choice.message.content) + length(choice.message.tool_calls))
            .sum(),
        failed: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const USAGE: &str = r#""usage":{"prompt_tokens":9,"completion_tokens":4}"#;

    fn counted(choices: &str, rest: &str) -> Option<Counted> {
        count(format!(r#"{{"id":"c","choices":{choices},{rest}}}"#).as_bytes())
    }

    #[test]
    fn a_whole_answer_is_counted_whatever_its_text_says() {
        let text = r#"[ {"message":{"content":"the \"usage\": {\"x\":1}, \"finish_reason\":\"length\""},"finish_reason":"stop"}]"#;
        for choices in [text, &text.replace("[ {", "[{")] {
            let counted = counted(choices, USAGE).unwrap();
            assert_eq!((counted.usage.unwrap().input, counted.usage.unwrap().output), (9, 4));
            assert_eq!(counted.stop, Some(crate::form::Stop::EndTurn));
        }
    }

    #[test]
    fn how_an_answer_was_served_is_found_before_its_choices_and_behind_them() {
        let (tier, choices) =
            (r#""service_tier":"priority","#, r#""choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"#);
        for members in [[tier, choices], [choices, tier]] {
            let answer = format!("{{{}{USAGE}}}", members.concat());
            let usage = count(answer.as_bytes()).unwrap().usage.unwrap();
            assert_eq!(usage.tier, gatehouse_domain::ServiceTier::Priority, "{answer}");
        }
    }

    #[test]
    fn an_answer_without_usage_is_told_by_its_length() {
        let counted = counted(r#"[{"message":{"content":"four"},"finish_reason":"stop"}]"#, "\"usage\":null").unwrap();
        assert_eq!((counted.usage, counted.output_bytes), (None, 6));
    }

    #[test]
    fn what_is_no_answer_or_cut_off_is_not_counted() {
        let whole = format!(r#"{{"choices":[{{"message":{{"content":"a"}}}}],{USAGE}}}"#);
        assert!(count(whole.as_bytes()).is_some());
        for cut in 1..whole.len() - 2 {
            let half = &whole.as_bytes()[..cut];
            assert!(half.ends_with(b"}") || count(half).is_none(), "{}", &whole[..cut]);
        }
        for other in ["", "<html>", "{}", r#"{"error":{"message":"no"}}"#, r#"{"choices":[]}"#] {
            assert!(count(other.as_bytes()).is_none(), "{other}");
        }
    }
}

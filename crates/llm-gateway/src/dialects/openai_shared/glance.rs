//! `usage` in one pass, as nearly everybody writes it: objects of whole numbers, at most two deep. Every forwarded answer has
//! one, and a deserializer takes five times as long for it. Whatever is written otherwise is left to that.

use memchr::memchr;

use super::details::{InputDetailsIn, OutputDetailsIn, UsageIn};
use crate::scan::plain_end;

/// Reads the `usage` that `json` begins with; `None` if it holds anything but numbers, or anything twice.
pub(super) fn usage(json: &[u8]) -> Option<UsageIn> {
    let mut usage = UsageIn::default();
    Cursor(json).object(|key, cursor| {
        let place = match key {
            b"prompt_tokens" | b"input_tokens" => &mut usage.prompt_tokens,
            b"completion_tokens" | b"output_tokens" => &mut usage.completion_tokens,
            b"total_tokens" => &mut usage.total_tokens,
            b"prompt_cache_hit_tokens" => &mut usage.prompt_cache_hit_tokens,
            b"cached_tokens" => &mut usage.cached_tokens,
            b"prompt_tokens_details" | b"input_tokens_details" => {
                return cursor.details(&mut usage.prompt_tokens_details, input);
            }
            b"completion_tokens_details" | b"output_tokens_details" => {
                return cursor.details(&mut usage.completion_tokens_details, output);
            }
            _ => return cursor.unknown(key),
        };
        cursor.count(place)
    })?;
    Some(usage)
}

fn input<'a>(details: &'a mut InputDetailsIn, key: &[u8]) -> Option<&'a mut Option<u64>> {
    Some(match key {
        b"cached_tokens" => &mut details.cached_tokens,
        b"cache_write_tokens" => &mut details.cache_write_tokens,
        b"audio_tokens" => &mut details.audio_tokens,
        b"image_tokens" => &mut details.image_tokens,
        _ => return None,
    })
}

fn output<'a>(details: &'a mut OutputDetailsIn, key: &[u8]) -> Option<&'a mut Option<u64>> {
    Some(match key {
        b"reasoning_tokens" => &mut details.reasoning_tokens,
        b"audio_tokens" => &mut details.audio_tokens,
        b"image_tokens" => &mut details.image_tokens,
        _ => return None,
    })
}

/// What is left to read.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// Passes over an object; `each` passes over the value of each key.
    fn object(&mut self, mut each: impl FnMut(&'a [u8], &mut Self) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        if self.take(b'}') {
            return Some(());
        }
        loop {
            self.expect(b'"')?;
            // A quote that is escaped ends no key; what stands before it is none of those that are known.
            let (key, rest) = self.0.split_at(memchr(b'"', self.0)?);
            self.0 = rest;
            self.expect(b'"')?;
            self.expect(b':')?;
            each(key, self)?;
            if !self.take(b',') {
                return self.expect(b'}');
            }
        }
    }

    /// An object of counters, or null.
    fn details<T: Default>(
        &mut self,
        place: &mut Option<T>,
        counter: for<'t> fn(&'t mut T, &[u8]) -> Option<&'t mut Option<u64>>,
    ) -> Option<()> {
        if self.null() {
            return Some(());
        }
        if place.is_some() {
            return None;
        }
        let details = place.insert(T::default());
        self.object(|key, cursor| match counter(details, key) {
            Some(place) => cursor.count(place),
            None => cursor.unknown(key),
        })
    }

    /// A counter nobody looks for. What is escaped may be one that somebody does.
    fn unknown(&mut self, key: &[u8]) -> Option<()> {
        let is_plain = plain_end(key, 0) == key.len();
        if is_plain { self.count(&mut None) } else { None }
    }

    /// A whole number, or null.
    fn count(&mut self, place: &mut Option<u64>) -> Option<()> {
        if self.null() {
            return Some(());
        }
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at(digits);
        let leads_with_zero = number.len() > 1 && number[0] == b'0';
        if number.is_empty() || leads_with_zero || place.is_some() || matches!(rest, [b'.' | b'e' | b'E', ..]) {
            return None;
        }
        let digit = |sum: u64, byte: &u8| sum.checked_mul(10)?.checked_add(u64::from(byte - b'0'));
        *place = Some(number.iter().try_fold(0, digit)?);
        self.0 = rest;
        Some(())
    }

    fn null(&mut self) -> bool {
        self.skip_space();
        let rest = self.0.strip_prefix(b"null");
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let rest = self.0.strip_prefix(&[byte]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }

    fn skip_space(&mut self) {
        while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize as _;

    use super::*;

    fn by_serde(json: &[u8]) -> Option<UsageIn> {
        UsageIn::deserialize(&mut serde_json::Deserializer::from_slice(json)).ok()
    }

    #[test]
    fn what_providers_write_needs_no_second_look() {
        for json in [
            r#"{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13},"more":1"#,
            r#"{ "input_tokens" : 9 , "input_tokens_details" : { "cached_tokens" : 2 } , "output_tokens" : 4 }"#,
            r#"{"prompt_tokens":9,"prompt_tokens_details":null,"completion_tokens_details":{"reasoning_tokens":3,"accepted_prediction_tokens":0}}"#,
            r#"{"prompt_tokens":9,"queue_time":null,"prompt_cache_hit_tokens":18446744073709551615}"#,
            "{}",
        ] {
            let seen = usage(json.as_bytes()).expect(json);
            assert_eq!(format!("{seen:?}"), format!("{:?}", by_serde(json.as_bytes()).unwrap()), "{json}");
        }
    }

    #[test]
    fn what_is_written_otherwise_is_left_to_others() {
        for json in [
            r#"{"prompt_tokens":9.0}"#,
            r#"{"prompt_tokens":1e3}"#,
            r#"{"prompt_tokens":-1}"#,
            r#"{"prompt_tokens":"9"}"#,
            r#"{"prompt_tokens":18446744073709551616}"#,
            r#"{"prompt_tokens":9,"prompt_tokens":9}"#,
            r#"{"prompt\u005ftokens":9}"#,
            r#"{"prompt_tokens":9"#,
            "[]",
            "",
        ] {
            assert!(usage(json.as_bytes()).is_none(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn what_is_seen_at_a_glance_is_what_a_deserializer_sees(json in r#"\{("(prompt_tokens|input_tokens|cached_tokens|x)"[: ]{1,2}([0-9]{1,3}|null|\{"audio_tokens":[0-9.]{1,2}\})[,} ]{1,2}){1,3}"#) {
            // Of what is written twice, once as null, a deserializer makes nothing at all.
            if let (Some(seen), Some(read)) = (usage(json.as_bytes()), by_serde(json.as_bytes())) {
                prop_assert_eq!(format!("{seen:?}"), format!("{read:?}"));
            }
        }
    }
}

//! Tags: `name=value` pairs that usage is counted under. Everywhere one text, sorted by name: `env=prod,job=nightly`.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The most tags of one call.
pub const TAGS_MAX: usize = 16;
/// The longest name and the longest value, in bytes.
pub const TAG_BYTES_MAX: usize = 64;

/// Reads tags as a caller or a configuration writes them, and writes them the one way: sorted, later ones over earlier
/// ones. `None` if any of them is not `name=value` in letters, digits and `._-/:`, or there are too many.
#[must_use]
pub fn tags<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<Option<Arc<str>>> {
    let mut known = BTreeMap::new();
    for pair in texts.into_iter().flat_map(|text| text.split(',')).map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        if !is_word(name) || !is_word(value) {
            return None;
        }
        known.insert(name, value);
    }
    if known.len() > TAGS_MAX {
        return None;
    }
    let pairs: Vec<String> = known.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Some((!pairs.is_empty()).then(|| pairs.join(",").into()))
}

fn is_word(text: &str) -> bool {
    (1..=TAG_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_written_one_way_whatever_way_they_came() {
        let written = tags(["job=nightly, env=dev", "env=prod"]).unwrap();
        assert_eq!(written.as_deref(), Some("env=prod,job=nightly"));
        assert_eq!(tags(["", " , "]), Some(None));
    }

    #[test]
    fn what_is_no_tag_is_none() {
        let many: Vec<String> = (0..=TAGS_MAX).map(|n| format!("t{n}=x")).collect();
        for text in ["env", "=x", "env=", "a b=c", "a=b c", "ä=b", &many.join(","), &format!("a={}", "x".repeat(65))] {
            assert_eq!(tags([text]), None, "{text}");
        }
    }
}

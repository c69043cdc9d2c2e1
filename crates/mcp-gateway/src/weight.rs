//! About how many tokens a tool takes in a model's context. Definitions are JSON of English words, so an estimate by runs of
//! characters is enough: a word is a token for every six letters or part of them, digits go in threes, marks that stand
//! together in twos. Held against `o200k_base` on a page of real definitions it is within a sixth; it is for comparing and
//! for warning, never for billing.

/// Tokens of a text, about.
#[must_use]
pub fn tokens(text: &str) -> u32 {
    let (mut sum, mut run, mut before) = (0_u32, 0_u32, Class::Space);
    for character in text.chars() {
        let class = Class::of(character);
        run = if class == before { run + 1 } else { 1 };
        let starts = match class {
            Class::Letter => run % 6 == 1,
            Class::Digit => run % 3 == 1,
            Class::Mark => run % 2 == 1,
            Class::Space => false,
            Class::Wide => true,
        };
        sum = sum.saturating_add(u32::from(starts));
        before = class;
    }
    sum
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    Mark,
    Space,
    Wide,
}

impl Class {
    fn of(character: char) -> Self {
        match character {
            'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{6ff}' => Self::Letter,
            '0'..='9' => Self::Digit,
            _ if character.is_whitespace() => Self::Space,
            _ if character.is_ascii() => Self::Mark,
            _ => Self::Wide,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_weighs_nothing_and_more_weighs_more() {
        assert_eq!(tokens(""), 0);
        assert!(tokens(r#"{"name":"search"}"#) < tokens(r#"{"name":"search","description":"Finds things."}"#));
    }
}

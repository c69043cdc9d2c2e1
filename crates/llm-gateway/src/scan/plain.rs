//! How far a JSON text goes on as it is. A long body spends its time here, so it is looked at once, for everything there is
//! to know of it, in the widest registers the processor has.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch};

/// A stretch of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Where a quote, a backslash or a control character stands that is no part of it, or the end of the text.
    pub(super) end: usize,
    /// Are escapes a part of it?
    pub(super) escaped: bool,
    /// All of it is ASCII. It may be that a byte behind it is not and nothing is said, never the other way round.
    pub(super) ascii: bool,
}

/// Bytes that are looked at eight at a time before a text counts as a long one: names and words take a step or two.
const SHORT: usize = 32;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Where the stretch ends that begins at `from` and has nothing in it that would have to be escaped in a string.
pub(crate) fn plain_end(text: &[u8], from: usize) -> usize {
    stretch::<false>(text, from, from + SHORT).end
}

/// The stretch that begins at `from`, in a string that begins at `start`. It may go over escapes that are in order, and does
/// in all but the first and the last few bytes.
pub(super) fn within_string(text: &[u8], start: usize, from: usize) -> Stretch {
    stretch::<true>(text, from, start + SHORT)
}

/// From `long` on, registers are used.
fn stretch<const ESCAPES: bool>(text: &[u8], from: usize, mut long: usize) -> Stretch {
    let (mut at, mut escaped, mut seen) = (from, false, 0);
    loop {
        if at >= long {
            let wide = dispatch!(Level::new(), simd => registers::<_, ESCAPES>(simd, &text[at..]));
            at += wide.end;
            escaped |= wide.escaped;
            seen |= if wide.ascii { 0 } else { HIGHS };
            // What is left is shorter than a register, or what the stretch ends with is in it.
            long = usize::MAX;
        }
        let Some(Ok(eight)) = text.get(at..at + 8).map(<[u8; 8]>::try_from) else { break };
        let word = u64::from_le_bytes(eight);
        seen |= word;
        let found = special(word);
        if found != 0 {
            let end = at + (found.trailing_zeros() / 8) as usize;
            return Stretch { end, escaped, ascii: seen & HIGHS == 0 };
        }
        at += 8;
    }
    while let Some(byte) = text.get(at).filter(|byte| **byte >= 0x20 && **byte != b'"' && **byte != b'\\') {
        seen |= u64::from(*byte);
        at += 1;
    }
    Stretch { end: at, escaped, ascii: seen & HIGHS == 0 }
}

/// Where the escape ends that stands at `at`; `None` if it is broken.
pub(super) fn escape_end(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 2),
        b'u' => text.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit).then_some(at + 6),
        _ => None,
    }
}

/// The high bit of every byte that is a control character, up to the first one exactly; 0 if none is.
const fn controls(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word & HIGHS
}

/// The high bit of every byte that has to be escaped in a string, up to the first one exactly; 0 if none has.
const fn special(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    (quote.wrapping_sub(ONES) & !quote | backslash.wrapping_sub(ONES) & !backslash) & HIGHS | controls(word)
}

/// Of the bytes with their second bit turned, which makes the quote (0x22) follow the control characters (to 0x1f), the last
/// one to be found.
const LAST: u8 = 0x20;
const TURNED: u8 = 0x02;

/// The stretch that a text begins with, up to a byte in the register behind it; with or without escapes.
#[inline(always)]
fn registers<S: Simd, const ESCAPES: bool>(simd: S, text: &[u8]) -> Stretch {
    let width = S::u8s::LEN;
    let (mut at, mut escaped, mut seen) = (0, false, S::u8s::splat(simd, 0));
    let mut calm = true;
    'stretch: loop {
        // Four in one go while nothing is found in any of them, then one by one until nothing is found again.
        for four in text[at..].chunks_exact(if calm { 4 * width } else { usize::MAX }) {
            let [a, b, c, d] = std::array::from_fn(|n| S::u8s::from_slice(simd, &four[n * width..(n + 1) * width]));
            let low = (a ^ TURNED).min(b ^ TURNED).min((c ^ TURNED).min(d ^ TURNED));
            let backslash = a.simd_eq(b'\\') | b.simd_eq(b'\\') | c.simd_eq(b'\\') | d.simd_eq(b'\\');
            if (low.simd_le(LAST) | backslash).any_true() {
                break;
            }
            seen |= a | b | c | d;
            at += 4 * width;
        }
        let Some(one) = text.get(at..at + width) else { break };
        let one = S::u8s::from_slice(simd, one);
        let mut found = ((one ^ TURNED).simd_le(LAST) | one.simd_eq(b'\\')).to_bitmask();
        seen |= one;
        let begin = at;
        at += width;
        calm = found == 0;
        while found != 0 {
            let special = begin + found.trailing_zeros() as usize;
            let after = if ESCAPES && text[special] == b'\\' { escape_end(text, special) } else { None };
            let Some(after) = after else {
                at = special;
                break 'stretch;
            };
            escaped = true;
            if after >= at {
                at = after;
                break;
            }
            found &= u64::MAX << (after - begin);
        }
    }
    Stretch { end: at, escaped, ascii: seen.simd_lt(0x80).all_true() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same, byte by byte.
    fn slowly(text: &[u8]) -> usize {
        text.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\').unwrap_or(text.len())
    }

    /// Over all escapes that are in order.
    fn slowly_over_escapes(text: &[u8]) -> usize {
        let mut at = 0;
        loop {
            at += slowly(&text[at..]);
            match escape_end(text, at).filter(|_| text[at] == b'\\') {
                Some(after) => at = after,
                None => return at,
            }
        }
    }

    #[track_caller]
    fn agree(text: &[u8]) {
        assert_eq!(plain_end(text, 0), slowly(text), "{text:?}");
        let (mut end, mut escaped, mut ascii) = (0, false, true);
        loop {
            let stretch = within_string(text, 0, end);
            (end, escaped, ascii) = (stretch.end, escaped | stretch.escaped, ascii & stretch.ascii);
            // Those that it leaves to the caller.
            let Some(after) = escape_end(text, end).filter(|_| text[end] == b'\\') else { break };
            (end, escaped) = (after, true);
        }
        assert_eq!(end, slowly_over_escapes(text), "{text:?}");
        assert_eq!(escaped, text[..end].contains(&b'\\'), "{text:?}");
        assert!(text[..end].is_ascii() || !ascii, "{text:?}");
    }

    #[test]
    fn a_text_ends_at_the_first_byte_that_is_not_plain() {
        for length in 0..600 {
            for end in ['"', '\\', '\n', '\u{1f}', '\0', ' ', '\u{7f}', '\u{80}'] {
                agree(format!("{}{end}{}", "x".repeat(length), "y ~\\".repeat(80)).as_bytes());
            }
        }
    }

    #[test]
    fn every_byte_is_what_it_is_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for place in 0..330 {
                let mut text = [b'a'; 330];
                text[place] = byte;
                agree(&text);
            }
        }
    }

    #[test]
    fn escapes_are_passed_wherever_they_stand_and_broken_ones_are_not() {
        for length in 0..300 {
            for escape in [r"\n", r"\\", r#"\""#, r"\u00e9", r"\\\\\\\\\u12aF\\", r"\x", r"\u12", r"\u12g4", r"\"] {
                let before = "x".repeat(length);
                agree(format!("{before}{escape}").as_bytes());
                agree(format!("{before}{escape}{before}\"{escape}").as_bytes());
                agree(format!("{before}{escape}{before}{escape}{escape}{before}\n").as_bytes());
            }
        }
    }

    #[test]
    fn a_long_text_that_is_all_ascii_is_known_to_be() {
        for text in ["plain words ".repeat(50), r"line\n".repeat(80), r"\u00e9".repeat(50)] {
            assert!(within_string(text.as_bytes(), 0, 0).ascii, "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_is_what_is_found_byte_by_byte(text in proptest::collection::vec(
            prop_oneof![200 => 0x20..0x80_u8, 30 => Just(b'\\'), 30 => Just(b'n'), 1 => any::<u8>()],
            0..900,
        )) {
            agree(&text);
        }
    }
}

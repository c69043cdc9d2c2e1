//! Numbers people are known by: payment cards and US social security numbers.

use super::checksum::luhn;
use super::cursor::{Cursor, Open, mentions};

/// No number has more groups.
pub(super) const MOST_GROUPS: usize = 8;

/// Digits in groups, as they stand in the text.
pub(super) struct Groups {
    /// The digits as values.
    pub(super) digits: Vec<u8>,
    /// How many digits each group has.
    pub(super) sizes: Vec<usize>,
    /// What parts the groups; `None` if they are parted differently, or there is only one.
    pub(super) parted_by: Option<u8>,
}

impl Groups {
    /// Reads groups of digits parted by single bytes of `parts`; stops behind `most` digits and [`MOST_GROUPS`].
    pub(super) fn read(cursor: &mut Cursor<'_>, parts: &[u8], most: usize) -> Result<Self, Open> {
        let mut groups = Self { digits: Vec::new(), sizes: Vec::new(), parted_by: None };
        let mut between = Vec::new();
        loop {
            let digits = cursor.take_while(most + 1 - groups.digits.len(), |byte| byte.is_ascii_digit())?;
            groups.digits.extend(digits.iter().map(|digit| digit - b'0'));
            groups.sizes.push(digits.len());
            let mut ahead = *cursor;
            if groups.digits.len() > most || groups.sizes.len() == MOST_GROUPS {
                break;
            }
            let Some(part) = ahead.take_if(|byte| parts.contains(&byte))? else { break };
            if !ahead.peek()?.is_some_and(|byte| byte.is_ascii_digit()) {
                break;
            }
            between.push(part);
            *cursor = ahead;
        }
        groups.parted_by = between.first().copied().filter(|first| between.iter().all(|part| part == first));
        Ok(groups)
    }

    /// One run of digits, or groups parted alike.
    pub(super) fn uniform(&self) -> bool {
        self.sizes.len() == 1 || self.parted_by.is_some()
    }
}

/// A payment card.
pub(super) fn credit_card(mut cursor: Cursor<'_>) -> Result<Option<usize>, Open> {
    if cursor.before().is_some_and(|byte| matches!(byte, b'_' | b'.' | b'+')) {
        return Ok(None);
    }
    let groups = Groups::read(&mut cursor, b" -", 19)?;
    let shape = match groups.sizes.as_slice() {
        [_] => true,
        [4, 4, 4, rest] => (1..=4).contains(rest),
        [4, 6, rest] => (4..=5).contains(rest),
        [4, 4, 4, 4, rest] => (1..=3).contains(rest),
        _ => false,
    };
    let plausible = shape && groups.uniform() && issued(&groups.digits) && luhn(&groups.digits);
    Ok((plausible && cursor.ends()?).then_some(cursor.at()))
}

/// Whether an issuer hands out numbers of this beginning and length (ISO/IEC 7812).
fn issued(digits: &[u8]) -> bool {
    let first = |n: usize| digits.iter().take(n).fold(0u32, |number, &digit| number * 10 + u32::from(digit));
    match digits.len() {
        13 => first(1) == 4,
        14 => (300..=305).contains(&first(3)) || matches!(first(2), 36 | 38 | 39),
        15 => matches!(first(2), 34 | 37) || matches!(first(4), 1800 | 2131) || first(3) == 122,
        16 => {
            matches!(first(1), 4 | 6)
                || (51..=58).contains(&first(2))
                || first(2) == 36
                || (2221..=2720).contains(&first(4))
                || (3528..=3589).contains(&first(4))
        }
        18 => matches!(first(2), 58 | 62 | 63 | 67),
        19 => matches!(first(1), 4 | 6) || first(2) == 58,
        // Maestro: short ones begin with a few prefixes only.
        12 | 17 => {
            matches!(first(4), 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763) || (56..=58).contains(&first(2))
        }
        _ => false,
    }
}

/// A US social security number. Nine digits in a row need a word that says so.
pub(super) fn us_ssn(mut cursor: Cursor<'_>) -> Result<Option<usize>, Open> {
    if cursor.before().is_some_and(|byte| matches!(byte, b'-' | b'_' | b'.' | b'+')) {
        return Ok(None);
    }
    let groups = Groups::read(&mut cursor, b" -", 9)?;
    let [a, b, c, d, e, f, g, h, i] = *groups.digits.as_slice() else { return Ok(None) };
    let written = match groups.sizes.as_slice() {
        [3, 2, 4] => groups.parted_by == Some(b'-') || named(&cursor),
        [9] => named(&cursor),
        _ => false,
    };
    let exists = a != 9 && [a, b, c] != [0; 3] && [a, b, c] != [6; 3] && [d, e] != [0; 2] && [f, g, h, i] != [0; 4];
    Ok((written && exists && number_ends(cursor)?).then_some(cursor.at()))
}

fn named(cursor: &Cursor<'_>) -> bool {
    mentions(cursor.lead(48), ["ssn", "social security", "soc sec", "tax id"])
}

/// Whether nothing goes on with the number: no digit, no letter, no hyphen or point and a digit.
pub(super) fn number_ends(mut cursor: Cursor<'_>) -> Result<bool, Open> {
    if !cursor.ends()? {
        return Ok(false);
    }
    Ok(!(matches!(cursor.next()?, Some(b'-' | b'.' | b'/'))
        && cursor.peek()?.is_some_and(|byte| byte.is_ascii_digit())))
}

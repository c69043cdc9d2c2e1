//! Telephone numbers: by their form where it says enough, otherwise by a word nearby.

use super::cursor::{Cursor, Open, mentions};
use super::number::{MOST_GROUPS, number_ends};

/// Words before a number that make it a telephone number; parted by `|`.
const CALL: &str = "phone|telephone|mobile|cell|tel|fax|desk|call|dial|whatsapp|sms|text me|answering|messages to|message on|\
                    reach me|reach us|ring me|hotline|telefon|handy|téléphone|teléfono";
/// Words behind one.
const CALLED: &[&str] = &["office", "fax", "mobile", "cell", "home", "work", "desk", "phone"];
/// The most digits (ITU-T E.164).
const MOST_DIGITS: usize = 15;

/// A telephone number: written internationally, in the North American or another country's way, or named as one.
pub(super) fn phone(mut cursor: Cursor<'_>) -> Result<Option<usize>, Open> {
    if cursor.before().is_some_and(|byte| b"-_./+($#=".contains(&byte)) {
        return Ok(None);
    }
    let plus = cursor.take_if(|byte| byte == b'+')?.is_some();
    let Some(sizes) = dialled(&mut cursor)? else { return Ok(None) };
    let digits: usize = sizes.iter().sum();
    if digits < 7 {
        return Ok(None);
    }
    let text = cursor.taken();
    extension(&mut cursor)?;
    if !number_ends(cursor)? {
        return Ok(None);
    }
    let certain = (plus && digits >= 8)
        || (text.starts_with(b"00") && sizes.len() > 2 && digits >= 10)
        || (text.starts_with(b"(") && sizes.len() == 3 && (9..=11).contains(&digits))
        || north_american(text, &sizes)
        || (national(text, &sizes, digits) && !cursor.continues_a_number());
    // `2026-06-30` is a date, whatever it is called.
    let dated = matches!(*sizes, [4, 2, 2]);
    let certain = certain || (!dated && (named_before(&cursor) || named_behind(cursor)?));
    Ok(certain.then_some(cursor.at()))
}

/// Reads groups of digits with one separator between them, some in brackets, and returns their sizes.
fn dialled(cursor: &mut Cursor<'_>) -> Result<Option<Vec<usize>>, Open> {
    let mut sizes = Vec::new();
    loop {
        let bracket = cursor.take_if(|byte| byte == b'(')?.is_some();
        let group = cursor.take_while(MOST_DIGITS + 1, |byte| byte.is_ascii_digit())?.len();
        sizes.push(group);
        let closed = !bracket || cursor.take_if(|byte| byte == b')')?.is_some();
        if group == 0 || !closed || sizes.len() > MOST_GROUPS || sizes.iter().sum::<usize>() > MOST_DIGITS {
            return Ok(None);
        }
        let mut ahead = *cursor;
        let parted = ahead.take_if(|byte| b" -.".contains(&byte))?.is_some();
        let mut digit = ahead;
        // Brackets are around the second group at the latest: an area code.
        let opens = sizes.len() == 1 && digit.take_if(|byte| byte == b'(')?.is_some();
        let goes_on = digit.peek()?.is_some_and(|byte| byte.is_ascii_digit());
        if !goes_on || !(parted || bracket || opens) {
            return Ok(Some(sizes));
        }
        *cursor = ahead;
    }
}

/// Takes `x769` behind a number.
fn extension(cursor: &mut Cursor<'_>) -> Result<(), Open> {
    let mut ahead = *cursor;
    if ahead.take_if(|byte| byte == b'x' || byte == b'X')?.is_some()
        && !ahead.take_while(6, |byte| byte.is_ascii_digit())?.is_empty()
    {
        *cursor = ahead;
    }
    Ok(())
}

/// `0490 39 07 81`: a trunk prefix and groups.
fn national(text: &[u8], sizes: &[usize], digits: usize) -> bool {
    let trunk = matches!(text, [b'0', b'1'..=b'9', ..]);
    trunk && sizes.len() >= 3 && (9..=11).contains(&digits) && sizes.iter().all(|size| *size >= 2)
}

/// `541-714-1388`, `(898)666-3621`, `259.735.7502`, with or without a 1 before.
fn north_american(text: &[u8], sizes: &[usize]) -> bool {
    let parted = text.iter().any(|byte| b"-.)".contains(byte));
    let area = text.iter().find(|byte| byte.is_ascii_digit()).is_some_and(|digit| *digit >= b'1');
    parted && area && matches!(sizes, [3, 3, 4] | [1, 3, 3, 4])
}

fn named_before(cursor: &Cursor<'_>) -> bool {
    let lead = cursor.lead(40);
    // Another number in between was the one that was named.
    let from = lead.iter().rposition(u8::is_ascii_digit).map_or(0, |at| at + 1);
    mentions(&lead[from..], CALL.split('|'))
}

fn named_behind(mut cursor: Cursor<'_>) -> Result<bool, Open> {
    if cursor.take_if(|byte| byte == b' ' || byte == b'-')?.is_none() {
        return Ok(false);
    }
    let word = cursor.take_while(8, |byte| byte.is_ascii_alphabetic())?;
    Ok(CALLED.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes())))
}

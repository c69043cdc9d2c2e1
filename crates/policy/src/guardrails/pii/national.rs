//! National numbers that carry a checksum. Those that are digits only are taken in the way they are usually written, or
//! where the date in them exists: a checksum alone lets one number in ten pass.

use super::checksum::{is_date, luhn, mod_97, verhoeff, weighted};
use super::cursor::{Cursor, Open, mentions};
use super::number::Groups;

/// Any of them.
pub(super) fn any(cursor: Cursor<'_>) -> Result<Option<usize>, Open> {
    if cursor.before().is_some_and(|byte| matches!(byte, b'-' | b'_' | b'.' | b'+' | b'/')) {
        return Ok(None);
    }
    match lettered(cursor)? {
        Some(end) => Ok(Some(end)),
        None => digits_only(cursor),
    }
}

/// Numbers in one piece with letters in them: Spain, Italy, Finland, China, UK (NINO has no checksum and is left out).
fn lettered(mut cursor: Cursor<'_>) -> Result<Option<usize>, Open> {
    let word = cursor.take_while(19, |byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'+')?;
    if !cursor.ends()? {
        return Ok(None);
    }
    let mut upper = [0u8; 19];
    let upper = &mut upper[..word.len()];
    upper.copy_from_slice(word);
    upper.make_ascii_uppercase();
    let found = match upper.len() {
        9 => spanish(upper),
        11 => finnish(upper),
        16 => italian(upper),
        18 => chinese(upper),
        _ => false,
    };
    Ok(found.then_some(cursor.at()))
}

/// NIF and NIE: the last letter is the number modulo 23.
fn spanish(word: &[u8]) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let first = match word[0] {
        b'X' | b'0' => 0,
        b'Y' | b'1' => 1,
        b'Z' | b'2' => 2,
        digit @ b'3'..=b'9' => usize::from(digit - b'0'),
        _ => return false,
    };
    let number = word[1..8]
        .iter()
        .try_fold(first, |number, byte| byte.is_ascii_digit().then(|| number * 10 + usize::from(byte - b'0')));
    number.is_some_and(|number| LETTERS[number % 23] == word[8])
}

/// Codice fiscale: odd and even places count differently.
fn italian(word: &[u8]) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let letters = [0, 1, 2, 3, 4, 5, 8, 11, 15];
    if !letters.iter().all(|&at| word[at].is_ascii_uppercase())
        || !word[9].is_ascii_digit()
        || !word[6].is_ascii_digit()
    {
        return false;
    }
    let value = |byte: u8| u32::from(if byte.is_ascii_digit() { byte - b'0' } else { byte.wrapping_sub(b'A') });
    let sum: u32 = word[..15]
        .iter()
        .enumerate()
        .map(|(n, &byte)| if n % 2 == 0 { ODD.get(value(byte) as usize).copied().unwrap_or(0) } else { value(byte) })
        .sum();
    word.iter().all(u8::is_ascii_alphanumeric) && sum % 26 == value(word[15])
}

/// Henkilötunnus: date, century mark, number, and their remainder modulo 31.
fn finnish(word: &[u8]) -> bool {
    const MARKS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let number = word[..6]
        .iter()
        .chain(&word[7..10])
        .try_fold(0u32, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')));
    let two = |at: usize| u32::from(word[at].wrapping_sub(b'0')) * 10 + u32::from(word[at + 1].wrapping_sub(b'0'));
    b"+-ABCDEFYXWVU".contains(&word[6])
        && number.is_some_and(|number| MARKS[(number % 31) as usize] == word[10])
        && is_date(two(2), two(0))
}

/// Chinese resident number: a date, and ISO 7064 mod 11-2.
fn chinese(word: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const MARKS: &[u8; 11] = b"10X98765432";
    if !word[..17].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let digits: Vec<u8> = word[..17].iter().map(|byte| byte - b'0').collect();
    let number = |span: std::ops::Range<usize>| digits[span].iter().fold(0, |n, &digit| n * 10 + u32::from(digit));
    (1900..2100).contains(&number(6..10))
        && is_date(number(10..12), number(12..14))
        && MARKS[(weighted(&digits, &WEIGHTS) % 11) as usize] == word[17]
}

/// Numbers of digits, known by how they are grouped or by the date in them.
fn digits_only(mut cursor: Cursor<'_>) -> Result<Option<usize>, Open> {
    if !cursor.peek()?.is_some_and(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    let groups = Groups::read(&mut cursor, b" -.", 15)?;
    let digits = groups.digits.as_slice();
    let found = match (digits.len(), groups.sizes.as_slice()) {
        (9, [3, 3, 3]) => groups.uniform() && luhn(digits) && mentions(cursor.lead(40), ["sin", "social insurance"]),
        (10, [6, 4]) => swedish(digits) && groups.parted_by == Some(b'-'),
        (10, [3, 3, 4]) => british(digits) && mentions(cursor.lead(40), ["nhs", "patient", "national health"]),
        (11, [3, 3, 3, 2]) => brazilian(digits),
        (11, [11]) => polish(digits),
        (12, [8, 4]) => swedish(&digits[2..]) && groups.parted_by == Some(b'-'),
        (12, [4, 4, 4]) => groups.uniform() && digits[0] > 1 && verhoeff(digits),
        (12, [12]) => {
            let century = matches!(digits, [1, 8 | 9, ..] | [2, 0, ..]);
            (century && swedish(&digits[2..])) || (verhoeff(digits) && mentions(cursor.lead(40), ["aadhaar", "uidai"]))
        }
        (15, [15] | [1, 2, 2, 2, 3, 3, 2]) => french(digits),
        _ => false,
    };
    Ok((found && cursor.ends()?).then_some(cursor.at()))
}

/// Personnummer: a date and Luhn's checksum.
fn swedish(digits: &[u8]) -> bool {
    let two = |at: usize| u32::from(digits[at]) * 10 + u32::from(digits[at + 1]);
    luhn(digits) && is_date(two(2), two(4))
}

/// NHS number: mod 11.
fn british(digits: &[u8]) -> bool {
    let check = (11 - weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    check == u32::from(digits[9])
}

/// CPF: two check digits.
fn brazilian(digits: &[u8]) -> bool {
    let check = |n: usize| {
        let weights: Vec<u32> = (2..=10 + u32::from(n == 10)).rev().collect();
        (weighted(&digits[..n], &weights) * 10 % 11 % 10) == u32::from(digits[n])
    };
    digits.iter().any(|digit| *digit != digits[0]) && check(9) && check(10)
}

/// PESEL: a date whose month carries the century, and a weighted sum.
fn polish(digits: &[u8]) -> bool {
    let two = |at: usize| u32::from(digits[at]) * 10 + u32::from(digits[at + 1]);
    let check = (10 - weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10;
    is_date(two(2) % 20, two(4)) && check == u32::from(digits[10])
}

/// NIR: sex, a month, and the number modulo 97.
fn french(digits: &[u8]) -> bool {
    let month = u32::from(digits[3]) * 10 + u32::from(digits[4]);
    let check = u32::from(digits[13]) * 10 + u32::from(digits[14]);
    let rest = mod_97(digits[..13].iter().map(|digit| digit + b'0'));
    matches!(digits[0], 1 | 2) && (1..=12).contains(&month) && rest.is_some_and(|rest| 97 - rest == check)
}

//! Checksums of numbers.

/// Luhn's: cards, Canadian and Swedish numbers.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(n, &digit)| u32::from(if n % 2 == 1 { doubled(digit) } else { digit }))
        .sum();
    sum.is_multiple_of(10)
}

/// ISO 7064 mod 97-10 over digits and letters (A is 10): IBANs, with the first four characters moved to the end.
pub(super) fn mod_97(mut characters: impl Iterator<Item = u8>) -> Option<u32> {
    characters.try_fold(0u32, |rest, character| {
        let value = char::from(character).to_digit(36)?;
        Some((if value < 10 { rest * 10 + value } else { rest * 100 + value }) % 97)
    })
}

/// The sum of digits times weights.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(&digit, &weight)| u32::from(digit) * weight).sum()
}

/// Verhoeff's, over the dihedral group of order 10: Indian numbers.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    /// Composition in the group: rotations 0–4, reflections 5–9.
    fn compose(a: u8, b: u8) -> u8 {
        match (a < 5, b < 5) {
            (true, true) => (a + b) % 5,
            (true, false) => 5 + (a + b - 5) % 5,
            (false, true) => 5 + (a - b % 5) % 5,
            (false, false) => (a + 5 - b) % 5,
        }
    }
    /// The permutation, applied once per place from the right.
    const NEXT: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let mut check = 0;
    for (place, &digit) in digits.iter().rev().enumerate() {
        let mut moved = digit;
        for _ in 0..place % 8 {
            moved = NEXT[usize::from(moved)];
        }
        check = compose(check, moved);
    }
    check == 0
}

/// Whether month and day exist. Leap years are not looked at.
pub(super) fn is_date(month: u32, day: u32) -> bool {
    let days = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().map(|byte| byte - b'0').collect()
    }

    #[test]
    fn luhn_knows_a_card_from_its_neighbours() {
        assert!(luhn(&digits("4111111111111111")));
        assert!(!luhn(&digits("4111111111111112")) && !luhn(&digits("4111111111111101")));
    }

    #[test]
    fn mod_97_of_a_whole_iban_is_one() {
        assert_eq!(mod_97("NWBK60161331926819GB29".bytes()), Some(1));
        assert_ne!(mod_97("NWBK60161331926819GB28".bytes()), Some(1));
    }

    #[test]
    fn verhoeff_knows_every_changed_digit_and_swapped_pair() {
        assert!(verhoeff(&digits("2363")));
        assert!(!verhoeff(&digits("2633")) && !verhoeff(&digits("2364")));
    }
}

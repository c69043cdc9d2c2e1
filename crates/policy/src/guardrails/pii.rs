//! Personal data that has a structure: numbers with checksums, addresses of mail and machines, telephone numbers.
//!
//! No names, no streets, no dates: finding those takes a language model of its own, and this is none. Each kind is a small
//! parser that is tried where a word or number begins; what it says depends on the text from there on and on a few bytes
//! before. Where a form alone says too little (a telephone number of seven digits), a word nearby must speak for it.

mod checksum;
mod contact;
mod cursor;
mod iban;
mod national;
mod number;

use std::sync::Arc;

use super::{Detector, Finding, View};
use cursor::{Cursor, Open};

/// A kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PiiKind {
    /// Payment cards: issuer prefix, length and Luhn checksum.
    CreditCard,
    /// Bank accounts: length of the country and mod-97 checksum.
    Iban,
    /// Mail addresses.
    Email,
    /// IPv4 and IPv6 addresses.
    Ip,
    /// US social security numbers.
    UsSsn,
    /// Telephone numbers.
    Phone,
    /// National numbers with a checksum: Brazil, Canada, China, Finland, France, India, Italy, Poland, Spain, Sweden, UK.
    NationalId,
}

impl PiiKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::CreditCard, Self::Iban, Self::Email, Self::Ip, Self::UsSsn, Self::Phone, Self::NationalId];

    /// The word in configuration and findings.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::CreditCard => "credit_card",
            Self::Iban => "iban",
            Self::Email => "email",
            Self::Ip => "ip",
            Self::UsSsn => "us_ssn",
            Self::Phone => "phone",
            Self::NationalId => "national_id",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::CreditCard => "[REDACTED:credit_card]",
            Self::Iban => "[REDACTED:iban]",
            Self::Email => "[REDACTED:email]",
            Self::Ip => "[REDACTED:ip]",
            Self::UsSsn => "[REDACTED:us_ssn]",
            Self::Phone => "[REDACTED:phone]",
            Self::NationalId => "[REDACTED:national_id]",
        }
    }

    /// Tries the kind at a place where a word or number begins.
    fn parse(self, cursor: Cursor<'_>) -> Result<Option<usize>, Open> {
        match self {
            Self::CreditCard => number::credit_card(cursor),
            Self::Iban => iban::iban(cursor),
            Self::Email => contact::email(cursor),
            Self::Ip => contact::ip(cursor),
            Self::UsSsn => number::us_ssn(cursor),
            Self::Phone => number::phone(cursor),
            Self::NationalId => national::any(cursor),
        }
    }

    /// Whether something of this kind can begin with this byte.
    fn begins_with(self, byte: u8) -> bool {
        match self {
            Self::CreditCard | Self::UsSsn => byte.is_ascii_digit(),
            Self::Phone => byte.is_ascii_digit() || byte == b'+' || byte == b'(',
            Self::Iban => byte.is_ascii_alphabetic(),
            Self::NationalId | Self::Email => byte.is_ascii_alphanumeric(),
            Self::Ip => byte.is_ascii_hexdigit() || byte == b':',
        }
    }
}

/// The longest stretch a parser looks at: a mail address and what ends it.
const REACH: usize = 512;

/// Finds personal data of some kinds.
pub(super) struct Pii {
    kinds: Vec<(PiiKind, Arc<str>)>,
}

impl Pii {
    /// No kinds at all means every kind.
    pub(super) fn new(kinds: &[PiiKind]) -> Self {
        let kinds = if kinds.is_empty() { &PiiKind::ALL } else { kinds };
        Self { kinds: kinds.iter().map(|kind| (*kind, kind.word().into())).collect() }
    }
}

impl Detector for Pii {
    fn kind(&self) -> &'static str {
        "pii"
    }

    fn scan(&self, view: View<'_>, found: &mut Vec<Finding>) -> usize {
        let bytes = view.text.as_bytes();
        for at in view.from..bytes.len() {
            let byte = bytes[at];
            let begins = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
            if !begins || !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'(' | b':')) {
                continue;
            }
            let cursor = Cursor::new(bytes, at, view.last);
            let mut open = false;
            for (kind, rule) in &self.kinds {
                if !kind.begins_with(byte) {
                    continue;
                }
                match kind.parse(cursor) {
                    Ok(None) => {}
                    Ok(Some(end)) => {
                        found.push(Finding { span: at..end, rule: rule.clone(), label: kind.label() });
                    }
                    Err(Open) => open = true,
                }
            }
            if open {
                return at;
            }
        }
        bytes.len()
    }

    fn reach(&self) -> usize {
        REACH
    }
}

#[cfg(test)]
mod tests;

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
mod phone;

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
            Self::Phone => phone::phone(cursor),
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
        let wanted = PiiKind::ALL.into_iter().filter(|kind| kinds.is_empty() || kinds.contains(kind));
        Self { kinds: wanted.map(|kind| (kind, kind.word().into())).collect() }
    }
}

impl Detector for Pii {
    fn kind(&self) -> &'static str {
        "pii"
    }

    fn scan(&self, view: View<'_>, found: &mut Vec<Finding>) -> usize {
        let bytes = view.text.as_bytes();
        let known = found.len();
        // Where each kind goes on: within a number that was found there is no other one of its kind.
        let mut free = [0; PiiKind::ALL.len()];
        let mut settled = bytes.len();
        for at in view.from..bytes.len() {
            if !begins(bytes, at) {
                continue;
            }
            let cursor = Cursor::new(bytes, at, view.last);
            let mut open = false;
            for (n, (kind, rule)) in self.kinds.iter().enumerate() {
                if at < free[n] || !kind.begins_with(bytes[at]) {
                    continue;
                }
                match kind.parse(cursor) {
                    Ok(None) => {}
                    Ok(Some(end)) => {
                        free[n] = end;
                        found.push(Finding { span: at..end, rule: rule.clone(), label: kind.label() });
                    }
                    Err(Open) => open = true,
                }
            }
            if open {
                settled = at;
                break;
            }
        }
        // The next scan begins outside of everything found, so that it finds the same again.
        while let Some(around) = found[known..].iter().find(|one| one.span.start < settled && settled < one.span.end) {
            settled = around.span.start;
        }
        settled
    }

    fn reach(&self) -> usize {
        REACH
    }
}

/// Whether a word or number may begin here.
fn begins(bytes: &[u8], at: usize) -> bool {
    let inside = at > 0 && bytes[at - 1].is_ascii_alphanumeric();
    !inside && (bytes[at].is_ascii_alphanumeric() || matches!(bytes[at], b'+' | b'(' | b':'))
}

#[cfg(test)]
mod tests;

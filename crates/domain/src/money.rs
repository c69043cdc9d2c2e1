//! Money in integers: amounts in nano-dollars, prices in pico-dollars a token, so that no sum ever drifts.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub, SubAssign};

use serde::{Deserialize, Serialize};

/// An amount in nano-dollars (10⁻⁹ USD). Arithmetic saturates: a wrong sum never wraps into a credit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Nano-dollars.
    pub nano_usd: i64,
}

/// A price in pico-dollars (10⁻¹² USD) a token: 1 USD per million tokens is 1,000,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PicoPerToken(pub u64);

/// Rates as people write them, in USD per million tokens; what is not written costs what the plainer token costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WrittenRates {
    /// Fresh input.
    pub input: Option<f64>,
    /// Visible output.
    pub output: Option<f64>,
    /// Cache reads; else as input.
    pub cache_read: Option<f64>,
    /// Cache writes for five minutes; else as input.
    pub cache_write: Option<f64>,
    /// Cache writes for one hour; else as `cache_write`.
    pub cache_write_1h: Option<f64>,
    /// Reasoning; else as output.
    pub reasoning: Option<f64>,
    /// Audio input; else as input.
    pub input_audio: Option<f64>,
    /// Audio output; else as output.
    pub output_audio: Option<f64>,
    /// Image and video input; else as input.
    pub input_image: Option<f64>,
    /// Image output; else as output.
    pub output_image: Option<f64>,
}

/// Tokens of one kind and what one of them costs: a line of an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PricedPart {
    /// The kind, by its name in price lists: `input`, `cache_read`, `output`, `reasoning`, …
    pub kind: &'static str,
    /// How many.
    pub tokens: u64,
    /// What one costs.
    pub rate: PicoPerToken,
}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self { nano_usd: 0 };

    /// From nano-dollars.
    #[must_use]
    pub const fn from_nano_usd(nano_usd: i64) -> Self {
        Self { nano_usd }
    }

    /// From dollars as written in a configuration file, rounded to the nearest nano-dollar.
    #[must_use]
    pub fn from_usd(usd: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "float to int casts saturate, which is the meaning here")]
        Self { nano_usd: (usd * 1e9).round() as i64 }
    }

    /// Dollars, for people and JSON. Not for sums.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "only shown, never summed")]
    pub fn usd(self) -> f64 {
        self.nano_usd as f64 / 1e9
    }

    /// Longest text of an amount.
    pub const TEXT_BYTES_MAX: usize = 24;

    /// Dollars with nine decimals and no rounding: `0.000123400`.
    pub fn text(self, room: &mut [u8; Self::TEXT_BYTES_MAX]) -> &str {
        const DECIMALS: usize = 9;
        // By hand, from the last digit on: it is written into the head of every answer.
        let (mut at, mut nano, mut digits) = (room.len(), self.nano_usd.unsigned_abs(), 0);
        while nano > 0 || digits <= DECIMALS {
            if digits == DECIMALS {
                at -= 1;
                room[at] = b'.';
            }
            at -= 1;
            room[at] = b'0' + u8::try_from(nano % 10).unwrap_or_default();
            (nano, digits) = (nano / 10, digits + 1);
        }
        if self.nano_usd < 0 {
            at -= 1;
            room[at] = b'-';
        }
        std::str::from_utf8(&room[at..]).unwrap_or_default()
    }

    /// What the lines of an invoice sum up to, rounded up once, at the end.
    #[must_use]
    pub fn of_parts(parts: &[PricedPart]) -> Self {
        Self::from_pico_usd(parts.iter().map(|part| part.rate.times(part.tokens)).fold(0, u128::saturating_add))
    }

    /// From a sum of pico-dollars, rounded up: a call that cost anything never costs nothing.
    #[must_use]
    pub fn from_pico_usd(pico: u128) -> Self {
        Self { nano_usd: i64::try_from(pico.div_ceil(1000)).unwrap_or(i64::MAX) }
    }
}

impl PicoPerToken {
    /// From USD per million tokens.
    #[must_use]
    pub fn from_usd_per_million(usd: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates; prices are not negative"
        )]
        Self((usd * 1e6).round() as u64)
    }

    /// Pico-dollars for so many tokens.
    #[must_use]
    pub fn times(self, tokens: u64) -> u128 {
        u128::from(self.0) * u128::from(tokens)
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { nano_usd: self.nano_usd.saturating_add(other.nano_usd) }
    }
}
impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { nano_usd: self.nano_usd.saturating_sub(other.nano_usd) }
    }
}
impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
impl SubAssign for Money {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}
impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; Self::TEXT_BYTES_MAX]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_have_nine_decimals_whatever_the_amount() {
        for (nano, text) in [
            (0, "0.000000000"),
            (123_400, "0.000123400"),
            (-1, "-0.000000001"),
            (12_000_000_000, "12.000000000"),
            (i64::MAX, "9223372036.854775807"),
            (i64::MIN, "-9223372036.854775808"),
        ] {
            assert_eq!(Money::from_nano_usd(nano).to_string(), text);
        }
    }
}

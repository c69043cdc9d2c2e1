//! `prices`: names, figures, days, edges, hours.

use std::collections::BTreeMap;

use gatehouse_domain::{ServiceTier, WrittenRates};
use jiff::civil::{Date, Time};

use crate::check::{Check, nth};
use crate::written::{OffPeak, PricePeriod, PriceTier, Prices, Provider};

/// A cent a token: a higher figure is meant per thousand tokens, or in another currency.
const USD_PER_MILLION_MAX: f64 = 10_000.0;

/// The section `prices`.
pub(super) fn section(prices: &Prices, providers: &BTreeMap<String, Provider>, check: &mut Check) {
    table("prices.overrides", prices, check);
    for name in prices.overrides.keys() {
        let Some((provider, _)) = name.split_once('/') else { continue };
        if !providers.contains_key(provider) && !check.positions.has(&format!("providers.{provider}")) {
            let hint = check.near(provider, providers.keys().map(String::as_str));
            check.warn(&format!("prices.overrides.{name}"), format!("there is no provider `{provider}`"), hint);
        }
    }
}

/// A price file of its own.
pub(crate) fn file(prices: &Prices, check: &mut Check) {
    table("overrides", prices, check);
}

fn table(path: &str, prices: &Prices, check: &mut Check) {
    for (name, price) in &prices.overrides {
        let path = format!("{path}.{name}");
        if !name.split_once('/').is_some_and(|(provider, model)| !provider.is_empty() && !model.is_empty()) {
            check.error_at(&path, "a price belongs to `provider/model`", None);
        }
        let mut before: Option<Date> = None;
        for (n, written) in price.periods().enumerate() {
            let path = if n == 0 { path.clone() } else { nth(&format!("{path}.changes"), n - 1) };
            before = day(&path, written.from, before, check).or(before);
            period(&path, &written, check);
        }
    }
}

/// The first day of a price, which comes after that of the price before.
fn day(path: &str, from: Option<&str>, before: Option<Date>, check: &mut Check) -> Option<Date> {
    let (path, text) = (format!("{path}.from"), from?);
    // Only the whole form, so that no day is read as another one.
    let Some(day) = text.parse::<Date>().ok().filter(|day| day.to_string() == text) else {
        check.error_at(&path, format!("`{text}` is not a day"), Some("write it as 2026-12-01".to_owned()));
        return None;
    };
    if before.is_some_and(|before| before >= day) {
        check.error_at(&path, "not after the day before it", Some("put the earliest day first".to_owned()));
    }
    Some(day)
}

fn period(path: &str, period: &PricePeriod<'_>, check: &mut Check) {
    rates(path, &period.rates, check);
    tiers(path, period.tiers, check);
    for (class, price) in period.classes {
        let path = format!("{path}.classes.{class}");
        let known = ServiceTier::ALL.into_iter().filter(|tier| *tier != ServiceTier::Standard).map(ServiceTier::as_str);
        if !known.clone().any(|known| known == class) {
            let hint = check.near(class, known);
            check.error_at(&path, format!("there is no class `{class}`"), hint);
        }
        rates(&path, &price.rates(), check);
        tiers(&path, &price.tiers, check);
    }
    if let Some(hours) = period.off_peak {
        let path = format!("{path}.off_peak");
        let minutes = [("from", &hours.from), ("until", &hours.until)].map(|(field, text)| {
            let minute = minute_of(text);
            if minute.is_none() {
                let hint = Some("write hours and minutes, UTC, as 16:30".to_owned());
                check.error_at(&format!("{path}.{field}"), format!("`{text}` is not a time of the day"), hint);
            }
            minute
        });
        if minutes[0].is_some() && minutes[0] == minutes[1] {
            check.error_at(&format!("{path}.until"), "these hours are over when they begin", None);
        }
        rates(&path, &hours.rates(), check);
        tiers(&path, &hours.tiers, check);
    }
}

fn tiers(path: &str, tiers: &[PriceTier], check: &mut Check) {
    let mut before = 0;
    for (n, tier) in tiers.iter().enumerate() {
        let path = nth(&format!("{path}.tiers"), n);
        if tier.above <= before {
            let hint = Some("edges are above 0 and ascend".to_owned());
            check.error_at(&format!("{path}.above"), format!("{} is not above {before}", tier.above), hint);
        }
        before = tier.above;
        rates(&path, &tier.rates(), check);
    }
}

fn rates(path: &str, rates: &WrittenRates, check: &mut Check) {
    let written = [
        ("input", rates.input),
        ("output", rates.output),
        ("cache_read", rates.cache_read),
        ("cache_write", rates.cache_write),
        ("cache_write_1h", rates.cache_write_1h),
        ("reasoning", rates.reasoning),
        ("input_audio", rates.input_audio),
        ("output_audio", rates.output_audio),
        ("input_image", rates.input_image),
        ("output_image", rates.output_image),
    ];
    for (field, usd) in written.into_iter().filter_map(|(field, usd)| Some((field, usd?))) {
        if !(0.0..=USD_PER_MILLION_MAX).contains(&usd) {
            let message = format!("{usd} is not a price from 0 to {USD_PER_MILLION_MAX} USD per million tokens");
            check.error_at(&format!("{path}.{field}"), message, None);
        }
    }
}

/// Minutes after midnight.
fn minute_of(text: &str) -> Option<u16> {
    let time = text.parse::<Time>().ok().filter(|_| text.len() == 5)?;
    u16::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).ok()
}

impl OffPeak {
    /// The minutes after midnight (UTC) at which these hours begin and end; `None` for what a check refuses.
    #[must_use]
    pub fn minutes(&self) -> Option<(u16, u16)> {
        Some((minute_of(&self.from)?, minute_of(&self.until)?))
    }
}

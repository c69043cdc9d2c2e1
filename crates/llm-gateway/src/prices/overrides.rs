//! Prices of one's own: what the configuration says, in USD per million tokens, in the form of the built-in list. What a tier
//! does not name costs what its short prompt costs, and what a class or the cheaper hours do not name, what the ordinary
//! way costs.

use gatehouse_domain::{PicoPerToken, ServiceTier, WrittenRates};

use super::catalogue::{Dated, midnight};
use super::price::{Named, OffPeak, Price, Rates, Schedule, Tier};

/// Rates of a short prompt, and of longer ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UsdSchedule {
    /// Of a short prompt.
    pub base: WrittenRates,
    /// Of prompts of more input tokens than this, edges ascending.
    pub tiers: Vec<(u64, WrittenRates)>,
}

/// A price from one day on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Override {
    /// The first day, as `2026-12-01` (UTC); without it since ever.
    pub from: Option<String>,
    /// The ordinary way.
    pub standard: UsdSchedule,
    /// Other ways to be served.
    pub classes: Vec<(ServiceTier, UsdSchedule)>,
    /// Cheaper hours: minutes after midnight (UTC) at which they begin and end.
    pub off_peak: Option<(u16, u16, UsdSchedule)>,
}

impl Override {
    /// As a price that can be asked.
    ///
    /// # Errors
    /// With a sentence, when a figure is negative, not a number, or so high that it must be in another unit; or when input or
    /// output has none.
    pub(super) fn dated(&self) -> Result<Dated, String> {
        let standard = named(&self.standard.base)?;
        let classes = self.classes.iter().map(|(tier, schedule)| Ok((*tier, schedule.over(standard)?)));
        let off_peak = self.off_peak.as_ref().map(|(from, until, schedule)| {
            Ok::<_, String>(OffPeak { from: *from, until: *until, schedule: schedule.over(standard)? })
        });
        let price = Price {
            standard: self.standard.over(Named::default())?,
            classes: classes.collect::<Result<_, String>>()?,
            off_peak: off_peak.transpose()?,
        };
        Ok(Dated { from_secs: self.from.as_deref().map_or(0, midnight), price })
    }
}

impl UsdSchedule {
    fn over(&self, below: Named) -> Result<Schedule, String> {
        let base = named(&self.base)?.over(below);
        let complete = |named| Rates::complete(named).ok_or_else(|| "input or output has no price".to_owned());
        let tier = |(above, rates): &(u64, WrittenRates)| {
            Ok(Tier { above: *above, rates: complete(named(rates)?.over(base))? })
        };
        Ok(Schedule { base: complete(base)?, tiers: self.tiers.iter().map(tier).collect::<Result<_, String>>()? })
    }
}

fn named(rates: &WrittenRates) -> Result<Named, String> {
    Ok(Named {
        input: rate("input", rates.input)?,
        output: rate("output", rates.output)?,
        cache_read: rate("cache_read", rates.cache_read)?,
        cache_write_5m: rate("cache_write", rates.cache_write)?,
        cache_write_1h: rate("cache_write_1h", rates.cache_write_1h)?,
        reasoning: rate("reasoning", rates.reasoning)?,
        input_audio: rate("input_audio", rates.input_audio)?,
        output_audio: rate("output_audio", rates.output_audio)?,
        input_image: rate("input_image", rates.input_image)?,
        output_image: rate("output_image", rates.output_image)?,
    })
}

fn rate(name: &str, usd_per_million: Option<f64>) -> Result<Option<PicoPerToken>, String> {
    let Some(usd) = usd_per_million else { return Ok(None) };
    // A cent a token, as in build.py: beyond it the figure is per thousand tokens or in another currency.
    if !(0.0..=10_000.0).contains(&usd) {
        return Err(format!("{name}: {usd} is not a price in USD per million tokens (0 to 10000)"));
    }
    Ok(Some(PicoPerToken::from_usd_per_million(usd)))
}

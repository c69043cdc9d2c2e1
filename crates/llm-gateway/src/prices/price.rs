//! One price: rates for every kind of token, dearer ones above a prompt size, and what a usage costs at them.

use gatehouse_domain::{Money, Now, PicoPerToken, PricedPart, ServiceTier, Usage};

/// What one token of each kind costs. Complete: what a price list leaves open was filled in by [`Rates::complete`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Fresh text input.
    pub input: PicoPerToken,
    /// Visible text output.
    pub output: PicoPerToken,
    /// Input read from the prompt cache.
    pub cache_read: PicoPerToken,
    /// Input written to the cache for five minutes.
    pub cache_write_5m: PicoPerToken,
    /// Input written to the cache for one hour.
    pub cache_write_1h: PicoPerToken,
    /// Reasoning output.
    pub reasoning: PicoPerToken,
    /// Audio input.
    pub input_audio: PicoPerToken,
    /// Audio output.
    pub output_audio: PicoPerToken,
    /// Image and video input.
    pub input_image: PicoPerToken,
    /// Image output.
    pub output_image: PicoPerToken,
}

/// The rates a price list names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Fresh text input.
    pub input: Option<PicoPerToken>,
    /// Visible text output.
    pub output: Option<PicoPerToken>,
    /// Input read from the prompt cache; else as fresh input.
    pub cache_read: Option<PicoPerToken>,
    /// Input written to the cache for five minutes; else as fresh input.
    pub cache_write_5m: Option<PicoPerToken>,
    /// Input written to the cache for one hour; else as for five minutes.
    pub cache_write_1h: Option<PicoPerToken>,
    /// Reasoning output; else as visible output.
    pub reasoning: Option<PicoPerToken>,
    /// Audio input; else as text input.
    pub input_audio: Option<PicoPerToken>,
    /// Audio output; else as text output.
    pub output_audio: Option<PicoPerToken>,
    /// Image and video input; else as text input.
    pub input_image: Option<PicoPerToken>,
    /// Image output; else as text output.
    pub output_image: Option<PicoPerToken>,
}

impl Named {
    /// The slot of a rate by its name in the catalogue and in the configuration file; `None` for an unknown name.
    pub fn slot(&mut self, name: &str) -> Option<&mut Option<PicoPerToken>> {
        Some(match name {
            "input" => &mut self.input,
            "output" => &mut self.output,
            "cache_read" => &mut self.cache_read,
            "cache_write" => &mut self.cache_write_5m,
            "cache_write_1h" => &mut self.cache_write_1h,
            "reasoning" => &mut self.reasoning,
            "input_audio" => &mut self.input_audio,
            "output_audio" => &mut self.output_audio,
            "input_image" => &mut self.input_image,
            "output_image" => &mut self.output_image,
            _ => return None,
        })
    }

    /// What is named here, and where nothing is, what `below` names: a tier over its base.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        Self {
            input: self.input.or(below.input),
            output: self.output.or(below.output),
            cache_read: self.cache_read.or(below.cache_read),
            cache_write_5m: self.cache_write_5m.or(below.cache_write_5m),
            cache_write_1h: self.cache_write_1h.or(below.cache_write_1h),
            reasoning: self.reasoning.or(below.reasoning),
            input_audio: self.input_audio.or(below.input_audio),
            output_audio: self.output_audio.or(below.output_audio),
            input_image: self.input_image.or(below.input_image),
            output_image: self.output_image.or(below.output_image),
        }
    }
}

impl Rates {
    /// Fills in what a list leaves open, always with the rate of the plainer token, never with zero. `None` when input or
    /// output itself is not named: then there is no price.
    #[must_use]
    pub fn complete(named: Named) -> Option<Self> {
        let (input, output) = (named.input?, named.output?);
        let cache_write_5m = named.cache_write_5m.unwrap_or(input);
        Some(Self {
            input,
            output,
            cache_read: named.cache_read.unwrap_or(input),
            cache_write_5m,
            cache_write_1h: named.cache_write_1h.unwrap_or(cache_write_5m),
            reasoning: named.reasoning.unwrap_or(output),
            input_audio: named.input_audio.unwrap_or(input),
            output_audio: named.output_audio.unwrap_or(output),
            input_image: named.input_image.unwrap_or(input),
            output_image: named.output_image.unwrap_or(output),
        })
    }

    /// Each kind of token that was used, with its rate.
    fn parts(&self, usage: &Usage) -> [PricedPart; 11] {
        let part = |kind, tokens, rate| PricedPart { kind, tokens, rate };
        [
            part("input", usage.input, self.input),
            part("input_tool", usage.input_tool, self.input),
            part("cache_read", usage.cache_read, self.cache_read),
            part("cache_write", usage.cache_write_5m, self.cache_write_5m),
            part("cache_write_1h", usage.cache_write_1h, self.cache_write_1h),
            part("input_audio", usage.input_audio, self.input_audio),
            part("input_image", usage.input_image, self.input_image),
            part("output", usage.output, self.output),
            part("reasoning", usage.reasoning, self.reasoning),
            part("output_audio", usage.output_audio, self.output_audio),
            part("output_image", usage.output_image, self.output_image),
        ]
    }
}

/// Rates that hold for the whole request once its prompt is longer than an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Input tokens of all kinds above which these rates hold; a prompt of exactly so many still pays the lower ones.
    pub above: u64,
    /// The rates.
    pub rates: Rates,
}

/// What the tokens of one way of being served cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The rates of a short prompt.
    pub base: Rates,
    /// Rates of longer prompts, edges ascending.
    pub tiers: Vec<Tier>,
}

/// Hours of the day (UTC) with a schedule of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffPeak {
    /// Minutes after midnight at which they begin.
    pub from: u16,
    /// Minutes after midnight at which they are over; before `from` if midnight lies between.
    pub until: u16,
    /// What holds then.
    pub schedule: Schedule,
}

/// The price of one model at one provider from one day on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// The ordinary way.
    pub standard: Schedule,
    /// Other ways the provider sells, where it sells any: batch, flex, priority.
    pub classes: Vec<(ServiceTier, Schedule)>,
    /// Cheaper hours, for the ordinary way.
    pub off_peak: Option<OffPeak>,
}

impl Schedule {
    fn rates_for(&self, input_tokens: u64) -> &Rates {
        self.tiers.iter().rev().find(|tier| input_tokens > tier.above).map_or(&self.base, |tier| &tier.rates)
    }
}

impl OffPeak {
    fn holds(&self, unix_secs: u64) -> bool {
        let minute = (unix_secs / 60 % 1440) as u16;
        if self.from <= self.until {
            (self.from..self.until).contains(&minute)
        } else {
            minute >= self.from || minute < self.until
        }
    }
}

impl Price {
    /// A price that is the same however a call is served.
    #[must_use]
    pub fn flat(base: Rates) -> Self {
        Self { standard: Schedule { base, tiers: Vec::new() }, classes: Vec::new(), off_peak: None }
    }

    /// What this usage costs at this moment, rounded up once, at the end.
    #[must_use]
    pub fn cost(&self, usage: &Usage, now: Now) -> Money {
        Money::of_parts(&self.rates(usage, now).parts(usage))
    }

    /// The lines of an invoice for this usage; they sum up to [`cost`](Self::cost) before it is rounded.
    #[must_use]
    pub fn parts(&self, usage: &Usage, now: Now) -> Vec<PricedPart> {
        let parts = self.rates(usage, now).parts(usage);
        parts.into_iter().filter(|part| part.tokens > 0).collect()
    }

    /// The most a text call with so many input and output tokens can cost, cached or not, reasoned or not. For reservations:
    /// audio and image tokens, which may be dearer, are only known afterwards. Cheaper hours may end while it runs; a tier
    /// cheaper than the ordinary one that was asked for may not be had.
    #[must_use]
    pub fn ceiling(&self, input_tokens: u64, output_tokens: u64, asked: ServiceTier) -> Money {
        let most = |schedule: &Schedule| {
            let rates = schedule.rates_for(input_tokens);
            let dearest_in = rates.input.max(rates.cache_write_5m).max(rates.cache_write_1h);
            let dearest_out = rates.output.max(rates.reasoning);
            Money::from_pico_usd(dearest_in.times(input_tokens).saturating_add(dearest_out.times(output_tokens)))
        };
        most(&self.standard).max(most(self.schedule(asked)))
    }

    /// The ordinary rates of a short prompt, for listings.
    #[must_use]
    pub fn base(&self) -> &Rates {
        &self.standard.base
    }

    fn rates(&self, usage: &Usage, now: Now) -> &Rates {
        let off_peak =
            self.off_peak.as_ref().filter(|hours| usage.tier == ServiceTier::Standard && hours.holds(now.unix_secs()));
        let schedule = off_peak.map_or_else(|| self.schedule(usage.tier), |hours| &hours.schedule);
        schedule.rates_for(usage.input_total())
    }

    /// A tier the list does not name costs what the ordinary one costs.
    fn schedule(&self, tier: ServiceTier) -> &Schedule {
        self.classes.iter().find(|(named, _)| *named == tier).map_or(&self.standard, |(_, schedule)| schedule)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    /// So many minutes after a midnight.
    fn at(minute: u64) -> Now {
        Now(SystemTime::UNIX_EPOCH + Duration::from_secs(20_000 * 86_400 + minute * 60))
    }

    fn plain(input: f64, output: f64) -> Schedule {
        let base = Rates::complete(Named { input: usd(input), output: usd(output), ..Named::default() }).unwrap();
        Schedule { base, tiers: Vec::new() }
    }

    fn usd(per_million: f64) -> Option<PicoPerToken> {
        Some(PicoPerToken::from_usd_per_million(per_million))
    }

    #[test]
    fn what_a_list_leaves_open_costs_as_much_as_the_plainer_token() {
        let rates = Rates::complete(Named { input: usd(1.0), output: usd(4.0), ..Named::default() }).unwrap();
        assert_eq!((rates.cache_read, rates.cache_write_1h), (rates.input, rates.input));
        assert_eq!((rates.reasoning, rates.output_audio), (rates.output, rates.output));
    }

    #[test]
    fn half_a_price_is_no_price() {
        assert_eq!(Rates::complete(Named { input: usd(1.0), ..Named::default() }), None);
    }

    #[test]
    fn the_edge_of_a_tier_is_exact_to_the_token() {
        let below = Rates::complete(Named { input: usd(1.0), output: usd(2.0), ..Named::default() }).unwrap();
        let above = Rates::complete(Named { input: usd(3.0), output: usd(5.0), ..Named::default() }).unwrap();
        let price = Price {
            standard: Schedule { base: below, tiers: vec![Tier { above: 200_000, rates: above }] },
            ..Price::flat(below)
        };
        let cost =
            |input, cache_read| price.cost(&Usage { input, cache_read, output: 1, ..Usage::default() }, at(0)).nano_usd;
        assert_eq!(cost(199_999, 0), 199_999_000 + 2_000);
        assert_eq!(cost(199_999, 1), 200_000_000 + 2_000, "cached tokens count towards the edge");
        assert_eq!(cost(200_000, 1), 600_003_000 + 5_000);
    }

    #[test]
    fn a_sum_below_a_nano_dollar_is_rounded_up_and_never_free() {
        let rates =
            Rates::complete(Named { input: Some(PicoPerToken(1)), output: usd(0.0), ..Named::default() }).unwrap();
        let price = Price::flat(rates);
        assert_eq!(price.cost(&Usage { input: 1, ..Usage::default() }, at(0)).nano_usd, 1);
        assert_eq!(price.cost(&Usage { input: 1001, ..Usage::default() }, at(0)).nano_usd, 2);
    }

    #[test]
    fn the_lines_of_an_invoice_sum_up_to_the_cost() {
        let named =
            Named { input: usd(1.0), output: usd(4.0), cache_read: usd(0.1), reasoning: usd(8.0), ..Named::default() };
        let price = Price::flat(Rates::complete(named).unwrap());
        let usage = Usage { input: 7, cache_read: 1001, output: 3, reasoning: 5, input_tool: 2, ..Usage::default() };
        let parts = price.parts(&usage, at(0));
        assert_eq!(
            parts.iter().map(|part| part.kind).collect::<Vec<_>>(),
            ["input", "input_tool", "cache_read", "output", "reasoning"]
        );
        assert_eq!(Money::of_parts(&parts), price.cost(&usage, at(0)));
    }

    #[test]
    fn an_absurd_usage_saturates() {
        let rates = Rates::complete(Named { input: usd(9e6), output: usd(9e6), ..Named::default() }).unwrap();
        let price = Price::flat(rates);
        assert_eq!(price.cost(&Usage { input: u64::MAX, ..Usage::default() }, at(0)).nano_usd, i64::MAX);
    }

    #[test]
    fn a_call_costs_what_the_tier_costs_that_served_it() {
        let (half, double) = (plain(0.5, 1.0), plain(2.0, 4.0));
        let classes = vec![(ServiceTier::Flex, half), (ServiceTier::Priority, double)];
        let price = Price { standard: plain(1.0, 2.0), classes, off_peak: None };
        let cost = |tier| price.cost(&Usage { input: 10, output: 5, tier, ..Usage::default() }, at(0)).nano_usd;
        assert_eq!(ServiceTier::ALL.map(cost), [20_000, 20_000, 10_000, 40_000], "batch has no price of its own here");
    }

    #[test]
    fn a_dearer_tier_that_is_asked_for_is_reserved_and_a_cheaper_one_not_counted_on() {
        let classes = vec![(ServiceTier::Flex, plain(0.5, 1.0)), (ServiceTier::Priority, plain(2.0, 4.0))];
        let price = Price { standard: plain(1.0, 2.0), classes, off_peak: None };
        let ceiling = |tier| price.ceiling(10, 5, tier).nano_usd;
        assert_eq!(
            [ServiceTier::Flex, ServiceTier::Standard, ServiceTier::Priority].map(ceiling),
            [20_000, 20_000, 40_000]
        );
    }

    #[test]
    fn cheaper_hours_begin_and_end_on_the_minute_also_over_midnight() {
        let off_peak = OffPeak { from: 16 * 60 + 30, until: 30, schedule: plain(0.5, 1.0) };
        let price = Price { standard: plain(1.0, 2.0), classes: Vec::new(), off_peak: Some(off_peak) };
        let cost = |minute| price.cost(&Usage { input: 2, ..Usage::default() }, at(minute)).nano_usd;
        assert_eq!([989, 990, 1439, 0, 29, 30].map(cost), [2_000, 1_000, 1_000, 1_000, 1_000, 2_000]);
    }
}

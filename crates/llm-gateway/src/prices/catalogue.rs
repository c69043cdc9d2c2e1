//! Finding the price of a model.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use gatehouse_domain::{Now, PicoPerToken, ServiceTier};
use gatehouse_packed::packed;
use jiff::civil::Date;

use super::names;
use super::overrides::Override;
use super::price::{Named, Price, Rates, Schedule, Tier};

/// Lines of `kind, model, from, max_input, max_output, rates, source`, tab-separated, sorted by bytes.
static BUILTIN: LazyLock<String> = LazyLock::new(|| packed!("catalogue.tsv"));

/// Prices of every model, built in and configured.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// By `provider-name/model`, as in `prices.overrides` of the configuration file.
    overrides: BTreeMap<String, Vec<Dated>>,
}

/// The prices of one model over time, and its limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceList {
    /// Prices by the second from which they hold, ascending; the first holds since ever. Empty: unpriced.
    pub prices: Vec<Dated>,
    /// Longest prompt in tokens, if known.
    pub max_input: Option<u64>,
    /// Longest answer in tokens, if known.
    pub max_output: Option<u64>,
}

/// A price and the time from which it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dated {
    /// Unix seconds of midnight UTC of the first day.
    pub from_secs: u64,
    /// The price.
    pub price: Price,
}

/// One line of the built-in catalogue, for listings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Provider kind.
    pub kind: &'static str,
    /// Model, lower case.
    pub model: &'static str,
    /// First day of the price; empty if it holds since ever.
    pub from: &'static str,
    /// Longest prompt in tokens.
    pub max_input: Option<u64>,
    /// Longest answer in tokens.
    pub max_output: Option<u64>,
    /// The price.
    pub price: Price,
    /// Which lists it comes from.
    pub source: &'static str,
}

impl PriceList {
    /// The price that holds now; `None` if the model is unpriced.
    #[must_use]
    pub fn at(&self, now: Now) -> Option<&Price> {
        let holds = |from_secs: u64| from_secs == 0 || from_secs <= now.unix_secs();
        self.prices.iter().rev().find(|dated| holds(dated.from_secs)).map(|dated| &dated.price)
    }
}

impl Catalogue {
    /// The built-in prices alone. Costs nothing: lines are read when they are asked for.
    #[must_use]
    pub fn builtin() -> Self {
        Self::default()
    }

    /// Lays configured prices over `provider/model`, days ascending. The first one without a day replaces the built-in prices
    /// whole; with one, it follows those that held before.
    ///
    /// # Errors
    /// With a sentence, when the name or a figure is none.
    pub fn set(&mut self, provider_and_model: &str, prices: &[Override]) -> Result<(), String> {
        if !provider_and_model.contains('/') {
            return Err(format!("`{provider_and_model}` should be written provider/model"));
        }
        let prices = prices.iter().map(Override::dated).collect::<Result<Vec<_>, _>>()?;
        self.overrides.insert(provider_and_model.to_owned(), prices);
        Ok(())
    }

    /// Prices and limits of a model as the provider calls it. `provider` is the provider's name in the configuration,
    /// `kind` its kind. A model nobody has a price for comes back without prices, never with a price of nothing.
    #[must_use]
    pub fn find(&self, provider: &str, kind: &str, model: &str) -> PriceList {
        let mut list = find_builtin(kind, model);
        if let Some(own) = self.overrides.get(&format!("{provider}/{model}")) {
            let first = own.first().map_or(0, |dated| dated.from_secs);
            list.prices.retain(|dated| dated.from_secs < first);
            list.prices.extend(own.iter().cloned());
        }
        list
    }

    /// Every built-in line, in order of kind, model and day.
    pub fn rows() -> impl Iterator<Item = Row> {
        BUILTIN.lines().filter_map(parse)
    }
}

fn find_builtin(kind: &str, model: &str) -> PriceList {
    for name in names::candidates(kind, model) {
        for kind in names::kinds(kind, &name) {
            let mut list = PriceList::default();
            for row in lines_of(kind, &name).filter_map(parse) {
                list.max_input = row.max_input;
                list.max_output = row.max_output;
                list.prices.push(Dated { from_secs: midnight(row.from), price: row.price });
            }
            if !list.prices.is_empty() {
                return list;
            }
        }
    }
    PriceList::default()
}

/// The lines of one model: adjacent, because the file is sorted.
fn lines_of(kind: &str, model: &str) -> impl Iterator<Item = &'static str> {
    let key = format!("{kind}\t{model}\t");
    BUILTIN[first_line_from(&BUILTIN, &key)..].lines().take_while(move |line| line.starts_with(&key))
}

/// Where the first line that is not less than `key` begins.
fn first_line_from(text: &str, key: &str) -> usize {
    let line_start = |at: usize| memchr::memrchr(b'\n', &text.as_bytes()[..at]).map_or(0, |newline| newline + 1);
    let (mut low, mut high) = (0, text.len());
    while low < high {
        let start = line_start(low + (high - low) / 2);
        let end = memchr::memchr(b'\n', &text.as_bytes()[start..]).map_or(text.len(), |length| start + length + 1);
        if text.as_bytes()[start..end] < *key.as_bytes() {
            low = end;
        } else {
            high = start;
        }
    }
    low
}

fn parse(line: &'static str) -> Option<Row> {
    let mut fields = line.split('\t');
    let (kind, model, from) = (fields.next()?, fields.next()?, fields.next()?);
    let (max_input, max_output) = (fields.next()?.parse().ok(), fields.next()?.parse().ok());
    let price = parse_price(fields.next()?)?;
    Some(Row { kind, model, from, max_input, max_output, price, source: fields.next()? })
}

/// `input=1000 output=2000;>200000 input=2000;@flex input=500 output=1000;@flex>200000 input=1000`. What a tier does not name
/// costs what its schedule's short prompt costs, and that what the ordinary short prompt costs.
fn parse_price(text: &str) -> Option<Price> {
    let mut parts = text.split(';');
    let standard = parse_named(parts.next()?)?;
    let mut price = Price::flat(Rates::complete(standard)?);
    let mut below = standard;
    for part in parts {
        let (head, rates) = part.split_once(' ')?;
        let named = parse_named(rates)?;
        let (class, edge) = match head.split_once('>') {
            Some((class, edge)) => (class, Some(edge.parse().ok()?)),
            None => (head, None),
        };
        if edge.is_none() {
            below = named.over(standard);
            let tier = ServiceTier::of_word(class.strip_prefix('@')?);
            price.classes.push((tier, Schedule { base: Rates::complete(below)?, tiers: Vec::new() }));
        }
        if let Some(above) = edge {
            let schedule = if class.is_empty() { &mut price.standard } else { &mut price.classes.last_mut()?.1 };
            schedule.tiers.push(Tier { above, rates: Rates::complete(named.over(below))? });
        }
    }
    Some(price)
}

fn parse_named(text: &str) -> Option<Named> {
    let mut named = Named::default();
    for pair in text.split(' ') {
        let (name, pico) = pair.split_once('=')?;
        *named.slot(name)? = Some(PicoPerToken(pico.parse().ok()?));
    }
    Some(named)
}

/// Unix seconds at which a day begins in UTC; 0 for "since ever".
pub(super) fn midnight(day: &str) -> u64 {
    let Ok(day) = day.parse::<Date>() else { return 0 };
    let start = day.to_zoned(jiff::tz::TimeZone::UTC).map(|midnight| midnight.timestamp().as_second());
    start.ok().and_then(|secs| u64::try_from(secs).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;

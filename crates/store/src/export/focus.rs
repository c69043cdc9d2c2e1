//! FOCUS 1.3 (FinOps Open Cost and Usage Specification): one row per hour, payer, provider's model, kind of token and unit
//! price, `ChargeCategory` Usage.
//!
//! What the rows cost sums up to the ledger, to the nano-dollar. A row has a unit price where the price list still says what
//! the ledger was charged; where it does not (an interrupted attempt booked at its ceiling, a price changed since), or where
//! there is no price, `SkuPriceId` is null, and with it everything FOCUS derives from it. Tokens are then in
//! `x_ConsumedTokens`, which is always there. `ProviderName` and `PublisherName` are deprecated by 1.3 and still required.

use std::collections::BTreeMap;

use gatehouse_domain::{PricedPart, Usage};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::{LedgerEntry, StoreError};

const HOUR_MS: u64 = 3_600_000;

const COLUMNS: [&str; 46] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "HostProviderName",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
    "ServiceProviderName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
    "x_Agent",
    "x_Attempts",
    "x_ConsumedTokens",
    "x_Key",
    "x_PricingStatus",
    "x_User",
];

/// What attempts are summed up by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    hour_ms: u64,
    organisation: String,
    team: Option<String>,
    user: Option<String>,
    agent: Option<String>,
    key: String,
    tags: Option<String>,
    provider: String,
    model: String,
    kind: &'static str,
    /// Pico-dollars a token; `None`: there is none to name.
    rate: Option<u64>,
    pricing: &'static str,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    attempts: u64,
    tokens: u128,
    /// Pico-dollars by the unit price.
    listed: i128,
    /// Pico-dollars on the ledger.
    billed: i128,
}

/// Sums up attempts. Memory grows with the rows it makes, not with the attempts.
#[derive(Debug, Default)]
pub struct Focus {
    groups: BTreeMap<Group, Sum>,
}

impl Focus {
    /// Takes an attempt, with the lines of its invoice by the price list as it is now, if there is a price.
    pub fn take(&mut self, attempt: &LedgerEntry, parts: Option<&[PricedPart]>) {
        let billed = i128::from(attempt.cost.nano_usd) * 1000;
        let listed = |parts: &[PricedPart]| parts.iter().map(pico).sum::<i128>();
        match parts {
            _ if !attempt.priced => self.add(attempt, "all", None, "unpriced", total(&attempt.usage), 0, billed),
            // The ledger rounds up to the nano-dollar, once an attempt.
            Some(parts) if (0..1000).contains(&(billed - listed(parts))) => {
                let mut rounding = billed - listed(parts);
                for part in parts {
                    let cost = pico(part);
                    let tokens = u128::from(part.tokens);
                    self.add(attempt, part.kind, Some(part.rate.0), "priced", tokens, cost, cost + rounding);
                    rounding = 0;
                }
            }
            _ if billed == 0 && attempt.usage.is_empty() => {}
            _ => self.add(attempt, "all", None, "other_price", total(&attempt.usage), billed, billed),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of a sum")]
    fn add(
        &mut self,
        attempt: &LedgerEntry,
        kind: &'static str,
        rate: Option<u64>,
        pricing: &'static str,
        tokens: u128,
        listed: i128,
        billed: i128,
    ) {
        let group = Group {
            hour_ms: attempt.started_unix_ms / HOUR_MS * HOUR_MS,
            organisation: attempt.organisation.clone(),
            team: attempt.team.clone(),
            user: attempt.user.clone(),
            agent: attempt.agent.clone(),
            key: attempt.key.clone(),
            tags: attempt.tags.clone(),
            provider: attempt.provider.clone(),
            model: attempt.upstream_model.clone(),
            kind,
            rate,
            pricing,
        };
        let sum = self.groups.entry(group).or_default();
        sum.attempts += 1;
        sum.tokens += tokens;
        sum.listed += listed;
        sum.billed += billed;
    }

    /// The rows as CSV, in order of time.
    ///
    /// # Errors
    /// When a row cannot be written, which none of these is.
    pub fn csv(&self) -> Result<Vec<u8>, StoreError> {
        let failed = || StoreError::Row { table: "ledger", what: "a row cannot be exported" };
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(COLUMNS).map_err(|_| failed())?;
        for (group, sum) in &self.groups {
            writer.write_record(row(group, sum)).map_err(|_| failed())?;
        }
        writer.into_inner().map_err(|_| failed())
    }
}

/// The cells of a row, in the order of [`COLUMNS`]. Null is the empty cell.
fn row(group: &Group, sum: &Sum) -> [String; COLUMNS.len()] {
    let null = String::new;
    let start = moment(group.hour_ms);
    let (month_start, month_end) = month(start);
    let sku = format!("{}/{}/{}", group.provider, group.model, group.kind);
    let unit_price = group.rate.map_or_else(null, |rate| dollars(i128::from(rate)));
    let priced = |text: &str| if group.rate.is_some() { text.to_owned() } else { null() };
    let quantity = priced(&format!("{}.0", sum.tokens));
    let team = group.team.clone().unwrap_or_default();
    [
        dollars(sum.billed),
        group.organisation.clone(),
        group.organisation.clone(),
        "Organisation".to_owned(),
        "USD".to_owned(),
        month_end.to_string(),
        month_start.to_string(),
        "Usage".to_owned(),
        null(),
        format!("{} tokens of {} at {}", group.kind, group.model, group.provider),
        "Usage-Based".to_owned(),
        moment(group.hour_ms + HOUR_MS).to_string(),
        start.to_string(),
        quantity.clone(),
        priced("tokens"),
        dollars(sum.listed),
        unit_price.clone(),
        dollars(sum.billed),
        group.provider.clone(),
        null(),
        group.provider.clone(),
        dollars(sum.listed),
        unit_price,
        priced("Standard"),
        quantity,
        priced("tokens"),
        group.provider.clone(),
        group.provider.clone(),
        "AI and Machine Learning".to_owned(),
        group.model.clone(),
        group.provider.clone(),
        "Generative AI".to_owned(),
        sku.clone(),
        group.kind.to_owned(),
        null(),
        group.rate.map_or_else(null, |rate| format!("{sku}@{rate}")),
        team.clone(),
        team.clone(),
        if team.is_empty() { null() } else { "Team".to_owned() },
        tags(group.tags.as_deref()),
        group.agent.clone().unwrap_or_default(),
        sum.attempts.to_string(),
        sum.tokens.to_string(),
        group.key.clone(),
        group.pricing.to_owned(),
        group.user.clone().unwrap_or_default(),
    ]
}

fn pico(part: &PricedPart) -> i128 {
    i128::from(part.rate.0) * i128::from(part.tokens)
}

fn total(usage: &Usage) -> u128 {
    u128::from(usage.total())
}

/// Pico-dollars as dollars, without zeros that say nothing, but with a point: a reader that guesses types sees a decimal.
fn dollars(pico: i128) -> String {
    const UNIT: u128 = 1_000_000_000_000;
    let (sign, size) = (if pico < 0 { "-" } else { "" }, pico.unsigned_abs());
    let text = format!("{sign}{}.{:012}", size / UNIT, size % UNIT);
    let text = text.trim_end_matches('0');
    if text.ends_with('.') { format!("{text}0") } else { text.to_owned() }
}

/// A JSON object, as FOCUS writes tags.
fn tags(text: Option<&str>) -> String {
    let pairs = text.unwrap_or_default().split(',').filter_map(|pair| pair.split_once('='));
    let object: BTreeMap<&str, &str> = pairs.collect();
    if object.is_empty() { String::new() } else { serde_json::to_string(&object).unwrap_or_default() }
}

pub(super) fn moment(unix_ms: u64) -> Timestamp {
    i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}

/// The month of a moment in UTC: its first moment, and the first of the next.
fn month(moment: Timestamp) -> (Timestamp, Timestamp) {
    let first = moment.to_zoned(TimeZone::UTC).first_of_month().and_then(|day| day.start_of_day());
    let Ok(first) = first else { return (moment, moment) };
    let next = first.checked_add(1.month()).map_or(moment, |next| next.timestamp());
    (first.timestamp(), next)
}

#[cfg(test)]
mod tests {
    use gatehouse_domain::{AttemptId, Money, PicoPerToken};
    use uuid::Uuid;

    use super::*;

    /// 2026-11-22T12:34:56.789Z
    const MOMENT: u64 = 1_795_350_896_789;

    fn attempt(cost_nano: i64, usage: Usage) -> LedgerEntry {
        LedgerEntry {
            id: AttemptId(Uuid::nil()),
            started_unix_ms: MOMENT,
            key: "key_ci".to_owned(),
            organisation: "default".to_owned(),
            team: Some("support, \"first\"".to_owned()),
            user: None,
            agent: None,
            tags: Some("env=prod,job=sum".to_owned()),
            run: None,
            model: "fast".to_owned(),
            provider: "claude".to_owned(),
            upstream_model: "haiku".to_owned(),
            dialect: "openai_chat".to_owned(),
            operation: "chat".to_owned(),
            stream: false,
            status: "ok",
            http_status: 200,
            usage,
            estimated: false,
            priced: true,
            cost: Money::from_nano_usd(cost_nano),
            duration_us: 1,
            first_byte_us: 1,
        }
    }

    fn used() -> Usage {
        Usage { input: 3, output: 2, ..Usage::default() }
    }

    /// 3 × 1,000,100 + 2 × 5,000,000 pico-dollars: 13,000.3 nano-dollars, 13,001 on the ledger.
    fn parts() -> [PricedPart; 2] {
        [
            PricedPart { kind: "input", tokens: 3, rate: PicoPerToken(1_000_100) },
            PricedPart { kind: "output", tokens: 2, rate: PicoPerToken(5_000_000) },
        ]
    }

    fn rows(focus: &Focus) -> Vec<BTreeMap<String, String>> {
        let text = focus.csv().unwrap();
        csv::Reader::from_reader(&text[..]).deserialize().map(Result::unwrap).collect()
    }

    #[test]
    fn each_kind_of_token_has_a_row_and_they_sum_up_to_the_ledger() {
        let mut focus = Focus::default();
        focus.take(&attempt(13_001, used()), Some(&parts()));
        focus.take(&attempt(13_001, used()), Some(&parts()));
        let rows = rows(&focus);
        let cells = |column: &str| rows.iter().map(|row| row[column].clone()).collect::<Vec<_>>();
        assert_eq!(cells("SkuMeter"), ["input", "output"]);
        assert_eq!(cells("PricingQuantity"), ["6.0", "4.0"]);
        assert_eq!(cells("ListUnitPrice"), ["0.0000010001", "0.000005"]);
        assert_eq!(cells("ListCost"), ["0.0000060006", "0.00002"]);
        assert_eq!(cells("BilledCost"), ["0.000006002", "0.00002"], "26,002 nano-dollars together");
    }

    #[test]
    fn periods_are_the_hour_and_the_month_in_utc() {
        let mut focus = Focus::default();
        focus.take(&attempt(13_001, used()), Some(&parts()));
        let row = &rows(&focus)[0];
        assert_eq!(
            (&*row["ChargePeriodStart"], &*row["ChargePeriodEnd"]),
            ("2026-11-22T12:00:00Z", "2026-11-22T13:00:00Z")
        );
        assert_eq!(
            (&*row["BillingPeriodStart"], &*row["BillingPeriodEnd"]),
            ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")
        );
        assert_eq!((&*row["SubAccountId"], &*row["Tags"]), ("support, \"first\"", r#"{"env":"prod","job":"sum"}"#));
    }

    #[test]
    fn what_has_no_price_names_none_and_loses_no_token() {
        let mut focus = Focus::default();
        focus.take(&LedgerEntry { priced: false, ..attempt(0, used()) }, None);
        let rows = rows(&focus);
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!(
            (&*row["x_PricingStatus"], &*row["BilledCost"], &*row["x_ConsumedTokens"]),
            ("unpriced", "0.0", "5")
        );
        for column in [
            "SkuPriceId",
            "PricingCategory",
            "PricingQuantity",
            "PricingUnit",
            "ListUnitPrice",
            "ConsumedQuantity",
            "ConsumedUnit",
        ] {
            assert_eq!(row[column], "", "{column}");
        }
    }

    #[test]
    fn what_was_booked_at_another_price_keeps_its_cost() {
        let mut focus = Focus::default();
        focus.take(&attempt(99_999, used()), Some(&parts()));
        let rows = rows(&focus);
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!(
            (&*row["x_PricingStatus"], &*row["BilledCost"], &*row["SkuPriceId"]),
            ("other_price", "0.000099999", "")
        );
    }

    /// What 1.3 says of each column that a row of ours has: is it there in every row, and what may stand in it.
    enum Holds {
        Text,
        Decimal,
        Moment,
        OneOf(&'static [&'static str]),
        Object,
        Nothing,
    }

    #[test]
    fn every_cell_holds_what_its_column_may_hold() {
        use Holds::{Decimal, Moment, Nothing, Object, OneOf, Text};
        let columns = [
            ("BilledCost", true, Decimal),
            ("BillingAccountId", true, Text),
            ("BillingAccountName", false, Text),
            ("BillingAccountType", true, Text),
            ("BillingCurrency", true, OneOf(&["USD"])),
            ("BillingPeriodEnd", true, Moment),
            ("BillingPeriodStart", true, Moment),
            ("ChargeCategory", true, OneOf(&["Usage", "Purchase", "Tax", "Credit", "Adjustment"])),
            ("ChargeClass", false, OneOf(&["Correction"])),
            ("ChargeDescription", false, Text),
            ("ChargeFrequency", true, OneOf(&["One-Time", "Recurring", "Usage-Based"])),
            ("ChargePeriodEnd", true, Moment),
            ("ChargePeriodStart", true, Moment),
            ("ConsumedQuantity", false, Decimal),
            ("ConsumedUnit", false, Text),
            ("ContractedCost", true, Decimal),
            ("ContractedUnitPrice", false, Decimal),
            ("EffectiveCost", true, Decimal),
            ("HostProviderName", false, Text),
            ("InvoiceId", false, Nothing),
            ("InvoiceIssuerName", true, Text),
            ("ListCost", true, Decimal),
            ("ListUnitPrice", false, Decimal),
            ("PricingCategory", false, OneOf(&["Standard", "Dynamic", "Committed", "Other"])),
            ("PricingQuantity", false, Decimal),
            ("PricingUnit", false, Text),
            ("ProviderName", true, Text),
            ("PublisherName", true, Text),
            ("ServiceCategory", true, OneOf(&["AI and Machine Learning"])),
            ("ServiceName", true, Text),
            ("ServiceProviderName", true, Text),
            ("ServiceSubcategory", true, OneOf(&["Generative AI"])),
            ("SkuId", false, Text),
            ("SkuMeter", false, Text),
            ("SkuPriceDetails", false, Nothing),
            ("SkuPriceId", false, Text),
            ("SubAccountId", false, Text),
            ("SubAccountName", false, Text),
            ("SubAccountType", false, Text),
            ("Tags", false, Object),
        ];
        let standard: Vec<&str> = columns.iter().map(|(name, ..)| *name).collect();
        let (own, known): (Vec<&str>, Vec<&str>) = COLUMNS.into_iter().partition(|name| name.starts_with("x_"));
        assert_eq!(known, standard, "what is no column of FOCUS is marked so");
        assert!(COLUMNS.is_sorted() && own.is_sorted());
        let mut focus = Focus::default();
        focus.take(&attempt(13_001, used()), Some(&parts()));
        focus.take(&attempt(99_999, used()), Some(&parts()));
        focus.take(&LedgerEntry { priced: false, team: None, tags: None, ..attempt(0, used()) }, None);
        for row in rows(&focus) {
            for (name, always, holds) in &columns {
                let cell = &*row[*name];
                if cell.is_empty() {
                    assert!(!always, "{name} is null in {row:?}");
                    continue;
                }
                let good = match holds {
                    Text => cell.trim() == cell,
                    Decimal => cell.contains('.') && cell.parse::<f64>().is_ok_and(f64::is_finite),
                    Moment => cell.ends_with(":00Z") && cell.parse::<Timestamp>().is_ok(),
                    OneOf(words) => words.contains(&cell),
                    Object => serde_json::from_str::<BTreeMap<String, String>>(cell).is_ok(),
                    Nothing => false,
                };
                assert!(good, "{name}: {cell}");
            }
        }
    }

    /// Of columns that hang on one another: with a price there are all that follow from it, without one there is none.
    #[test]
    fn what_follows_from_a_price_is_there_with_it_and_not_without() {
        let mut focus = Focus::default();
        focus.take(&attempt(13_001, used()), Some(&parts()));
        focus.take(&attempt(99_999, used()), Some(&parts()));
        for row in rows(&focus) {
            for (name, with) in [
                ("ListUnitPrice", "SkuPriceId"),
                ("ContractedUnitPrice", "SkuPriceId"),
                ("PricingCategory", "SkuPriceId"),
                ("PricingQuantity", "SkuPriceId"),
                ("PricingUnit", "PricingQuantity"),
                ("ConsumedUnit", "ConsumedQuantity"),
                ("SubAccountType", "SubAccountId"),
            ] {
                assert_eq!(row[name].is_empty(), row[with].is_empty(), "{name} and {with} in {row:?}");
            }
            let number = |name: &str| row[name].parse::<f64>().unwrap_or_default();
            let product = number("PricingQuantity") * number("ListUnitPrice");
            assert!(row["SkuPriceId"].is_empty() || (product - number("ListCost")).abs() < 1e-12, "{row:?}");
        }
    }

    #[test]
    fn an_attempt_that_used_nothing_is_no_row() {
        let mut focus = Focus::default();
        focus.take(&attempt(0, Usage::default()), Some(&[]));
        assert_eq!(rows(&focus).len(), 0);
    }
}

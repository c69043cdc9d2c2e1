use std::time::{Duration, SystemTime};

use gatehouse_domain::{Money, Usage, WrittenRates};

use super::super::overrides::UsdSchedule;
use super::*;

fn at(day: &str) -> Now {
    Now(SystemTime::UNIX_EPOCH + Duration::from_secs(midnight(day)))
}

fn bill(kind: &str, model: &str, usage: Usage) -> Option<Money> {
    Catalogue::builtin().find("p", kind, model).at(at("2026-11-22")).map(|price| price.cost(&usage, at("2026-11-22")))
}

/// Nano-dollars from dollars written as an invoice would.
fn usd(text: &str) -> Option<Money> {
    Some(Money::from_usd(text.parse().unwrap()))
}

#[test]
fn every_line_is_a_price_and_the_file_is_sorted() {
    assert_eq!(Catalogue::rows().count(), BUILTIN.lines().count());
    let lines: Vec<&str> = BUILTIN.lines().collect();
    assert!(lines.is_sorted_by(|a, b| a.as_bytes() < b.as_bytes()));
    assert!(BUILTIN.len() < 600_000);
}

#[test]
fn every_line_is_found_under_its_own_name() {
    let catalogue = Catalogue::builtin();
    for row in Catalogue::rows() {
        let list = catalogue.find("p", row.kind, row.model);
        assert!(list.prices.iter().any(|dated| dated.price == row.price), "{} {}", row.kind, row.model);
    }
}

#[test]
fn every_kind_of_the_catalogue_is_a_provider_kind() {
    for row in Catalogue::rows() {
        assert!(crate::providers::ALL.iter().any(|kind| kind.name == row.kind), "{}", row.kind);
    }
}

#[test]
fn nothing_is_free_unless_it_says_so() {
    for row in Catalogue::rows().filter(|row| !row.model.ends_with(":free")) {
        let usage = Usage { input: 1000, output: 1000, cache_write_5m: 1000, ..Usage::default() };
        assert!(row.price.cost(&usage, at("2026-11-22")) > Money::ZERO, "{} {}", row.kind, row.model);
    }
}

#[test]
fn an_unpriced_model_has_no_price_rather_than_a_price_of_zero() {
    assert_eq!(bill("openai", "gpt-5-pro-max-ultra", Usage::default()), None);
    assert_eq!(bill("ollama", "llama3", Usage { input: 5, ..Usage::default() }), None);
}

// Invoices: each is worked out by hand from the provider's published prices.

#[test]
fn an_openai_invoice_with_cached_input_and_reasoning() {
    // gpt-5-mini: 0.25 in, 0.025 cached, 2.00 out, reasoning billed as output.
    let usage = Usage { input: 1_000, cache_read: 9_000, output: 300, reasoning: 700, ..Usage::default() };
    assert_eq!(bill("openai", "gpt-5-mini", usage), usd("0.002475"));
    assert_eq!(bill("azure-openai", "gpt-5-mini", usage), usd("0.002475"));
}

#[test]
fn an_anthropic_invoice_with_both_cache_lifetimes() {
    // claude-haiku-4-5: 1 in, 5 out, 0.10 read, 1.25 written for 5 minutes, 2 for an hour.
    let usage = Usage {
        input: 100,
        cache_read: 10_000,
        cache_write_5m: 2_000,
        cache_write_1h: 1_000,
        output: 50,
        ..Usage::default()
    };
    assert_eq!(bill("anthropic", "claude-haiku-4-5-20251001", usage), usd("0.00585"));
}

#[test]
fn a_gemini_invoice_on_both_sides_of_the_tier_edge() {
    // gemini-2.5-pro: 1.25 in, 10 out; above 200,000 input tokens 2.50 and 15 for the whole request.
    let prompt = |input| Usage { input, output: 100, reasoning: 900, ..Usage::default() };
    assert_eq!(bill("gemini", "gemini-2.5-pro", prompt(200_000)), usd("0.26"));
    assert_eq!(bill("gemini", "gemini-2.5-pro", prompt(200_001)), usd("0.5150025"));
}

#[test]
fn a_bedrock_invoice_of_a_regional_profile_is_dearer_than_the_global_price() {
    let usage = Usage { input: 1_000_000 / 10, output: 10_000, ..Usage::default() };
    assert_eq!(bill("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", usage), usd("0.495"));
    assert_eq!(bill("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", usage), usd("0.45"));
}

#[test]
fn a_vertex_invoice_by_dated_name() {
    let usage = Usage { input: 1_000, output: 1_000, ..Usage::default() };
    assert_eq!(bill("vertex", "claude-sonnet-4-5@20250929", usage), usd("0.018"));
    assert_eq!(bill("vertex", "claude-sonnet-4-5@20990101", usage), usd("0.018"));
}

#[test]
fn audio_tokens_have_a_rate_of_their_own_where_the_list_names_one() {
    let row = Catalogue::rows().find(|row| row.price.base().input_audio > row.price.base().input).unwrap();
    let usage = Usage { input_audio: 1_000_000, ..Usage::default() };
    let expected = Money::from_pico_usd(row.price.base().input_audio.times(1_000_000));
    let price = Price::flat(*row.price.base());
    assert_eq!(price.cost(&usage, at("2026-11-22")), expected);
}

#[test]
fn a_price_change_holds_from_its_day_on() {
    // o3 was 10 in, 40 out until 2025-06-10, and 2 and 8 since.
    let list = Catalogue::builtin().find("p", "openai", "o3");
    let usage = Usage { input: 1_000, output: 1_000, ..Usage::default() };
    assert_eq!(list.at(at("2025-06-09")).map(|price| price.cost(&usage, at("2025-06-09"))), usd("0.05"));
    assert_eq!(list.at(at("2025-06-10")).map(|price| price.cost(&usage, at("2025-06-10"))), usd("0.01"));
}

#[test]
fn a_dated_model_falls_back_to_its_family_only() {
    let family = bill("openai", "gpt-4o", Usage { input: 9, ..Usage::default() });
    assert_eq!(bill("openai", "gpt-4o-2031-01-01", Usage { input: 9, ..Usage::default() }), family);
    assert_ne!(bill("openai", "gpt-5-pro", Usage { input: 9, ..Usage::default() }), family);
}

#[test]
fn limits_come_with_the_price() {
    let list = Catalogue::builtin().find("p", "anthropic", "claude-haiku-4-5");
    assert_eq!((list.max_input, list.max_output), (Some(200_000), Some(64_000)));
}

#[test]
fn a_configured_price_replaces_the_built_in_one_for_that_provider_alone() {
    let mut catalogue = Catalogue::builtin();
    catalogue.set("local/qwen3", &[own(0.1, 0.3)]).unwrap();
    catalogue.set("mine/gpt-4o", &[own(1.0, 1.0)]).unwrap();
    let usage = Usage { input: 10, output: 10, ..Usage::default() };
    let cost = |provider, kind, model| {
        catalogue.find(provider, kind, model).at(at("2026-01-01")).map(|price| price.cost(&usage, at("2026-01-01")))
    };
    assert_eq!(cost("local", "openai-compatible", "qwen3"), usd("0.000004"));
    assert_eq!(cost("mine", "openai", "gpt-4o"), usd("0.00002"));
    assert_eq!(cost("theirs", "openai", "gpt-4o"), usd("0.000125"));
    assert_eq!(catalogue.find("mine", "openai", "gpt-4o").max_output, Some(16_384));
}

#[test]
fn a_figure_in_the_wrong_unit_is_refused() {
    let mut catalogue = Catalogue::builtin();
    for wrong in [-1.0, f64::NAN, 1e6] {
        assert!(catalogue.set("p/m", &[own(wrong, 1.0)]).is_err(), "{wrong}");
    }
}

fn own(input: f64, output: f64) -> Override {
    Override { standard: UsdSchedule { base: rates(input, output), tiers: Vec::new() }, ..Override::default() }
}

fn rates(input: f64, output: f64) -> WrittenRates {
    WrittenRates { input: Some(input), output: Some(output), ..WrittenRates::default() }
}

#[test]
fn a_configured_price_holds_from_its_day_on_and_the_built_in_one_until_then() {
    let mut catalogue = Catalogue::builtin();
    let later = |from: &str, price: Override| Override { from: Some(from.to_owned()), ..price };
    let prices = [later("2026-12-01", own(1.0, 1.0)), later("2027-01-01", own(2.0, 2.0))];
    catalogue.set("mine/gpt-4o", &prices).unwrap();
    let usage = Usage { input: 10, output: 10, ..Usage::default() };
    let cost = |day| catalogue.find("mine", "openai", "gpt-4o").at(at(day)).map(|price| price.cost(&usage, at(day)));
    assert_eq!(cost("2026-11-30"), usd("0.000125"));
    assert_eq!((cost("2026-12-01"), cost("2027-01-01")), (usd("0.00002"), usd("0.00004")));
}

#[test]
fn a_configured_price_has_tiers_ways_to_be_served_and_cheaper_hours() {
    let mut price = own(1.0, 2.0);
    price.standard.tiers = vec![(100, WrittenRates { input: Some(3.0), ..WrittenRates::default() })];
    price.classes = vec![(ServiceTier::Flex, UsdSchedule { base: rates(0.5, 0.5), tiers: Vec::new() })];
    price.off_peak = Some((0, 60, UsdSchedule { base: rates(0.25, 0.25), tiers: Vec::new() }));
    let mut catalogue = Catalogue::builtin();
    catalogue.set("p/m", &[price]).unwrap();
    let list = catalogue.find("p", "openai-compatible", "m");
    let nano = |input, tier, secs: u64| {
        let now = Now(SystemTime::UNIX_EPOCH + Duration::from_secs(20_000 * 86_400 + secs));
        list.at(now).unwrap().cost(&Usage { input, output: 10, tier, ..Usage::default() }, now).nano_usd
    };
    let noon = 43_200;
    assert_eq!(nano(100, ServiceTier::Standard, noon), 120_000);
    assert_eq!(nano(200, ServiceTier::Standard, noon), 620_000, "output costs what a short prompt's does");
    assert_eq!((nano(200, ServiceTier::Flex, noon), nano(10, ServiceTier::Standard, 5)), (105_000, 5_000));
}

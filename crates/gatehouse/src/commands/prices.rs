//! `gatehouse prices show|update`: what models cost, and a price file of one's own. No network.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use gatehouse_catalog::Price;
use gatehouse_domain::PicoPerToken;
use gatehouse_llm_gateway::prices::{Catalogue, Row};
use serde_json::{Map, Value, json};

use crate::cli::Output;
use crate::config_file::{self, PRICE_FILE};
use crate::failure::Failure;
use crate::output::Listing;

/// The fields a table shows. Amounts are USD per million tokens.
const COLUMNS: &[&str] = &["provider", "model", "from", "input", "output", "cache_read", "cache_write", "source"];

/// What to do with prices.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// List prices in USD per million tokens: your own first, then the built-in ones.
    Show {
        /// Only models whose name holds this.
        model: Option<String>,
    },
    /// Check a price file and store it in the data folder, in place of one stored before.
    Update {
        /// YAML or JSON: `overrides: {provider/model: {input: 1, output: 2}}`.
        file: PathBuf,
    },
}

/// Does it.
pub(crate) fn run(action: &Action, config: Option<&Path>, output: Output) -> Result<(), Failure> {
    let loaded = config_file::load(config)?;
    match action {
        Action::Show { model } => {
            let wanted = model.as_deref().unwrap_or_default().to_lowercase();
            let rows = own_rows(&loaded.config.prices).chain(Catalogue::rows().map(|row| built_in(&row)));
            let rows =
                rows.filter(|row| row["model"].as_str().is_some_and(|name| name.to_lowercase().contains(&wanted)));
            Listing::new(COLUMNS.iter().copied(), rows.collect()).write(output.output, &mut std::io::stdout().lock())
        }
        Action::Update { file } => update(file, &loaded.config.data_dir),
    }
}

fn update(file: &Path, data_dir: &Path) -> Result<(), Failure> {
    let bytes = config_file::read(file)?;
    let prices = gatehouse_catalog::load_prices(&bytes, &file.display().to_string());
    let prices = config_file::problems_as_failure(prices, file)?;
    gatehouse_store::DataDir::create(data_dir)?;
    let place = data_dir.join(PRICE_FILE);
    let draft = data_dir.join(format!("{PRICE_FILE}.{}", std::process::id()));
    // Whole or not at all: a gateway may be reading it.
    fs::write(&draft, &bytes).and_then(|()| fs::rename(&draft, &place)).map_err(|error| {
        Failure::problem(format!("cannot write {}: {error}", place.display()), "check who may write there")
    })?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "stored {} in {}", counted(prices.len()), place.display())?;
    writeln!(out, "in force from the next start or reload; prices in the configuration file come before them")?;
    Ok(())
}

fn counted(n: usize) -> String {
    format!("{n} price{}", if n == 1 { "" } else { "s" })
}

fn own_rows(prices: &BTreeMap<String, Price>) -> impl Iterator<Item = Map<String, Value>> {
    prices.iter().flat_map(|(name, price)| {
        let (provider, model) = name.split_once('/').unwrap_or_default();
        price.periods().map(move |period| {
            row(json!({
                "provider": provider,
                "model": model,
                "from": period.from,
                "input": period.rates.input,
                "output": period.rates.output,
                "cache_read": period.rates.cache_read,
                "cache_write": period.rates.cache_write,
                "source": "yours",
            }))
        })
    })
}

fn built_in(price: &Row) -> Map<String, Value> {
    let base = price.price.base();
    row(json!({
        "provider": price.kind,
        "model": price.model,
        "from": price.from,
        "input": usd(base.input),
        "output": usd(base.output),
        "cache_read": usd(base.cache_read),
        "cache_write": usd(base.cache_write_5m),
        "source": price.source,
    }))
}

fn row(fields: Value) -> Map<String, Value> {
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// USD per million tokens, for people.
#[expect(clippy::cast_precision_loss, reason = "only shown, never summed")]
fn usd(price: PicoPerToken) -> f64 {
    price.0 as f64 / 1e6
}

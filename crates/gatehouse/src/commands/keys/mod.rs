//! `gatehouse keys create|list|revoke|rotate`, on a data folder or through a running gateway.
//!
//! Both ways give the same rows, with the field names of `/api/v1/keys`.

mod local;
mod remote;

use clap::{Args, Subcommand};
use gatehouse_catalog::{Budget, Limit, Terms};
use gatehouse_domain::{IpRange, Role};
use serde_json::{Map, Value, json};

use crate::cli::{Output, PlaceArguments};
use crate::failure::Failure;
use crate::output::Listing;
use crate::place::Place;

/// The fields a table shows.
const COLUMNS: &[&str] = &["id", "name", "state", "shown", "team", "models", "source"];

/// What to do with keys.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "read once from the command line")]
pub(crate) enum Action {
    /// Make a key. Its secret is shown once.
    Create(Create),
    /// List keys.
    List,
    /// Take a key back, at once and for good.
    Revoke {
        /// Its id (`gatehouse keys list`).
        id: String,
    },
    /// Say who a key or bearer token stands for, what it may use and where it stands with its limits. Asks the gateway at --url.
    Whoami,
    /// Give a key a new secret under the same id.
    Rotate {
        /// Its id (`gatehouse keys list`).
        id: String,
        /// Seconds for which the secret it has stays good; 0 for a leaked one.
        #[arg(long, default_value_t = 3_600)]
        overlap_secs: u64,
    },
}

/// A key to make.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What people call it.
    pub(crate) name: String,
    /// The organisation it belongs to. A key has one owner: organisation, team, user, service account or agent.
    #[arg(long)]
    pub(crate) organisation: Option<String>,
    /// The team that pays. Beside another owner: which of the owner's teams.
    #[arg(long)]
    pub(crate) team: Option<String>,
    /// The person it belongs to.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// The service account it belongs to.
    #[arg(long)]
    pub(crate) service_account: Option<String>,
    /// The agent it belongs to.
    #[arg(long)]
    pub(crate) agent: Option<String>,
    /// Addresses it may be used from (10.0.0.0/8); may be given more than once. Without any: all.
    #[arg(long = "ip-range", value_name = "RANGE")]
    pub(crate) ip_ranges: Vec<IpRange>,
    /// A tag its usage is counted under (env=prod); may be given more than once.
    #[arg(long = "tag", value_name = "NAME=VALUE")]
    pub(crate) tags: Vec<String>,
    /// What it may do in the admin API: owner, admin, auditor, team_lead, developer or viewer.
    #[arg(long)]
    pub(crate) role: Option<Role>,
    /// A model it may use, or `prefix*`; may be given more than once. Without any: all.
    #[arg(long = "model", value_name = "MODEL")]
    pub(crate) models: Vec<String>,
    /// How fast it may call: requests=600/minute, tokens=200000/minute, concurrent=50, or a mapping as in the configuration
    /// file; may be given more than once.
    #[arg(long = "limit", value_name = "LIMIT", value_parser = limit)]
    pub(crate) limits: Vec<Value>,
    /// How much it may spend: 100/month (USD), or a mapping as in the configuration file; may be given more than once.
    #[arg(long = "budget", value_name = "BUDGET", value_parser = budget)]
    pub(crate) budgets: Vec<Value>,
    /// The first moment it no longer works: 2027-01-01 (UTC) or 2027-01-01T12:00:00Z.
    #[arg(long)]
    pub(crate) expires: Option<String>,
}

/// Does it.
pub(crate) async fn run(action: Action, place: &PlaceArguments, output: Output) -> Result<(), Failure> {
    let listing = match Place::open(place).await? {
        Place::Gateway(client) => remote::run(action, &client).await?,
        Place::Folder(folder) => {
            let listing = local::run(action, &folder).await;
            folder.store.close().await;
            listing?
        }
    };
    listing.write(output.output, &mut std::io::stdout().lock())
}

fn listed(keys: Vec<Map<String, Value>>) -> Listing {
    Listing::new(COLUMNS.iter().copied(), keys)
}

/// A key with the secret that is shown this once: one row.
fn issued(mut key: Map<String, Value>, secret: Value) -> Listing {
    key.insert("secret".to_owned(), secret);
    Listing::new(["id", "name", "secret"], vec![key])
}

/// Who somebody is: one row.
fn known(who: Map<String, Value>) -> Listing {
    Listing::new(["kind", "key", "name", "organisation", "team", "user", "agent", "role", "models"], vec![who])
}

/// The fields of a row.
fn object(row: Value) -> Map<String, Value> {
    match row {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// `requests=600/minute`, `tokens=200000/minute`, `concurrent=50`, or a mapping as in the configuration file.
fn limit(text: &str) -> Result<Value, String> {
    const FORM: &str = "write requests=600/minute, tokens=200000/minute, concurrent=50 or {\"requests\": 600, …}";
    let limit: Limit = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        let (what, rest) = text.split_once('=').ok_or(FORM)?;
        let (count, window) = rest.split_once('/').map_or((rest, None), |(count, window)| (count, Some(window)));
        let count: u64 = count.parse().map_err(|_| FORM)?;
        let written = window.map_or_else(|| json!({ what: count }), |window| json!({ what: count, "per": window }));
        serde_json::from_value(written).map_err(|error| format!("{error}; {FORM}"))?
    };
    Terms::of(vec![limit.clone()], Vec::new()).map_err(|wrong| wrong.to_string())?;
    serde_json::to_value(limit).map_err(|error| error.to_string())
}

/// `100/month`, or a mapping as in the configuration file.
fn budget(text: &str) -> Result<Value, String> {
    const FORM: &str = "write an amount in USD and a window: 100/month, or {\"usd\": 100, \"per\": \"month\", …}";
    let budget: Budget = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        let (usd, window) = text.split_once('/').ok_or(FORM)?;
        let usd: f64 = usd.trim_start_matches('$').parse().map_err(|_| FORM)?;
        serde_json::from_value(json!({ "usd": usd, "per": window })).map_err(|error| format!("{error}; {FORM}"))?
    };
    Terms::of(Vec::new(), vec![budget.clone()]).map_err(|wrong| wrong.to_string())?;
    serde_json::to_value(budget).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_as_in_the_configuration_file() {
        assert_eq!(limit("requests=600/minute"), Ok(json!({"requests": 600, "per": "minute"})));
        assert_eq!(limit("concurrent=50"), Ok(json!({"concurrent": 50})));
        for text in ["", "requests=600", "requests=0/minute", "tokens=1/decade", "concurrent=1/day", "x=1/day"] {
            assert!(limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn budgets_are_amounts_and_windows() {
        assert_eq!(budget("$0.5/day"), Ok(json!({"usd": 0.5, "per": "day"})));
        let warned = r#"{"usd": 5.0, "per": "month", "zone": "Asia/Tokyo", "warn_at": [0.8]}"#;
        assert_eq!(budget(warned), Ok(serde_json::from_str(warned).expect("JSON")));
        for text in ["", "100", "-1/day", "nan/day", "0/day", "1/decade", "{}"] {
            assert!(budget(text).is_err(), "{text}");
        }
    }
}

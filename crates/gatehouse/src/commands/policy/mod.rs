//! `gatehouse policy …`: test policies, ask them, replay recorded calls against a new set, print their schema.

mod ask;
mod test;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use gatehouse_catalog::PolicyText;
use gatehouse_policy::permissions::SCHEMA;

use crate::cli::{Output, PlaceArguments};
use crate::config_file;
use crate::failure::Failure;

/// What to do with policies.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Run the cases of a policy test file; exits 1 if any fails.
    Test {
        /// The file.
        file: PathBuf,
    },
    /// Say which policies decide a question, and why.
    Explain(ask::Explain),
    /// Hold a new set of policies against the recorded calls of a period: what would have changed.
    Replay(Replay),
    /// Print the schema policies are checked against.
    Schema,
}

/// What to replay.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The whole new set: files, or patterns such as 'policies/*.cedar'.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    policies: Vec<String>,
    /// Calls from this moment on: 2026-11-22T12:00:00Z, 2026-11-22 (UTC), or so long ago: 7d, 24h, 30m.
    #[arg(long, default_value = "1d")]
    since: String,
    /// Calls before this moment.
    #[arg(long)]
    until: Option<String>,
    /// Calls at most, oldest first: 10,000 if not given.
    #[arg(long)]
    limit: Option<u32>,
}

/// Does it.
pub(crate) async fn run(action: Action, place: &PlaceArguments, output: Output) -> Result<(), Failure> {
    match action {
        Action::Test { file } => test::run(&file, output),
        Action::Explain(explain) => ask::explain(&explain, place, output).await,
        Action::Replay(replay) => ask::replay(&replay, place, output).await,
        Action::Schema => Ok(std::io::stdout().lock().write_all(SCHEMA.as_bytes())?),
    }
}

/// Policies by file or pattern, relative to a folder.
fn texts(items: &[String], folder: &Path) -> Result<Vec<PolicyText>, Failure> {
    config_file::policy_texts(items, folder)
        .map_err(|problems| Failure::problem(problems, "name `.cedar` files, or patterns of them in quotes"))
}

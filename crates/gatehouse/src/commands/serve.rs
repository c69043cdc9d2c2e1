//! `gatehouse serve --config FILE`: the gateway in production.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::house::{Options, run};

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration file.
    #[arg(long, short, env = "GATEHOUSE_CONFIG")]
    config: PathBuf,
    /// Listen here instead of at the file's `listen`.
    #[arg(long)]
    listen: Option<std::net::SocketAddr>,
    /// Keep data here instead of in the file's `data_dir`.
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

pub(crate) fn run_command(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { config, listen, data_dir } = arguments;
    run(Options { file: Some(config), listen, data_dir, claim_remote: false }, async |_| Ok(()))
}

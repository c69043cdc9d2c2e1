//! The command line: every command, argument and help text.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::commands::connect;
use crate::output::Format;

/// One front door for models, tools and agents.
#[derive(Debug, Parser)]
#[command(name = "gatehouse", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "Exit codes: 0 done, 1 something is wrong (the error says what to do next), 2 wrong usage.")]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Everything the binary does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a configuration file with the same code start-up uses.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Print the JSON Schema of the configuration file.
    Schema,
    /// Print shell completions.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Point a client at the gateway: print its configuration, write it, or take it back.
    Connect(connect::Arguments),
}

/// How a listing is printed.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Output {
    /// The form of the listing.
    #[arg(long, value_enum, default_value_t, global = true)]
    pub(crate) output: Format,
}

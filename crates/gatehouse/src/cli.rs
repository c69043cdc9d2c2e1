//! The command line: every command, argument and help text.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::commands::{
    audit, connect, guardrails, keys, mcp, oauth, objects, policy, prices, requests, secrets, serve, up, usage,
};
use crate::output::Format;
pub(crate) use crate::place::PlaceArguments;

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
    /// Start in the first minute: a demo model, a first key, lines to paste.
    Up(up::Arguments),
    /// Serve a configuration file.
    Serve(serve::Arguments),
    /// Run the program of an MCP server and see to its end. The gateway calls this itself.
    #[command(hide = true)]
    SuperviseChild {
        /// The program and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<OsString>,
    },
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
    /// Make, list, take back and rotate keys.
    Keys {
        /// What to do.
        #[command(subcommand)]
        action: keys::Action,
        /// Where.
        #[command(flatten)]
        place: PlaceArguments,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Show what is declared in a running gateway, by its file or its database.
    Get {
        /// What.
        #[command(flatten)]
        arguments: objects::GetArguments,
        /// Where.
        #[command(flatten)]
        place: PlaceArguments,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Delete an object of the database of a running gateway.
    Delete {
        /// What.
        #[command(flatten)]
        arguments: objects::DeleteArguments,
        /// Where.
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Put objects from files into the database of a running gateway, all of them or none.
    Apply {
        /// What.
        #[command(flatten)]
        arguments: objects::ApplyArguments,
        /// Where.
        #[command(flatten)]
        place: PlaceArguments,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Print the objects of the database of a running gateway as a file for `apply`.
    Export {
        /// Those of the configuration file, too.
        #[arg(long)]
        all: bool,
        /// Where.
        #[command(flatten)]
        place: PlaceArguments,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Report what was used and what it cost.
    Usage {
        /// What to do.
        #[command(subcommand)]
        action: usage::Action,
        /// Where.
        #[command(flatten)]
        place: PlaceArguments,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Test policies, ask them, replay recorded calls against a new set.
    Policy {
        /// What to do.
        #[command(subcommand)]
        action: policy::Action,
        /// Where.
        #[command(flatten)]
        place: PlaceArguments,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Search the request log.
    Requests {
        /// What to do.
        #[command(subcommand)]
        action: requests::Action,
        /// Where.
        #[command(flatten)]
        place: PlaceArguments,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Show what belongs to one run.
    Runs {
        /// What to do.
        #[command(subcommand)]
        action: requests::RunAction,
        /// Where.
        #[command(flatten)]
        place: PlaceArguments,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// List and revoke clients and grants of the authorization server.
    Oauth {
        /// What to do.
        #[command(subcommand)]
        action: oauth::Action,
        /// Where.
        #[command(flatten)]
        place: PlaceArguments,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// List, verify and export the audit log.
    Audit {
        /// What to do.
        #[command(subcommand)]
        action: audit::Action,
        /// Where.
        #[command(flatten)]
        place: PlaceArguments,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Store, list, delete and re-wrap secrets.
    Secrets {
        /// What to do.
        #[command(subcommand)]
        action: secrets::Action,
        /// Where.
        #[command(flatten)]
        place: PlaceArguments,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Show prices, or store a price file of your own.
    Prices {
        /// What to do.
        #[command(subcommand)]
        action: prices::Action,
        /// The configuration whose prices and data folder are meant.
        #[arg(long, value_name = "FILE", global = true)]
        config: Option<PathBuf>,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Make one MCP server reachable for any client; list and call what a gateway offers.
    Mcp {
        /// What to do.
        #[command(subcommand)]
        action: mcp::Action,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Measure the detectors of guardrails.
    Guardrails {
        /// What to do.
        #[command(subcommand)]
        action: guardrails::Action,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Look for what is wrong: configuration, data folder, database, providers, or a running gateway.
    Doctor {
        /// Where.
        #[command(flatten)]
        place: PlaceArguments,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
}

/// How a listing is printed.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Output {
    /// The form of the listing.
    #[arg(long, value_enum, default_value_t, global = true)]
    pub(crate) output: Format,
}

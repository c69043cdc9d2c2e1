//! The roof: the command line, and the one place where errors are printed.

mod acts;
mod admin_client;
mod allocator;
mod cli;
mod commands;
mod config_file;
mod failure;
mod guardrails;
mod house;
mod moment;
mod output;
mod place;
mod policies;

use std::io::Write;
use std::pin::Pin;
use std::process::ExitCode;

use clap::Parser;
use gatehouse_upstream::child::supervise;

use cli::{Cli, Command};
use failure::Failure;

/// The program: what its arguments ask for, and the code it ends with.
#[must_use]
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(failure) => {
            if !failure.is_silent() {
                // With standard error gone, too, the exit code is all that is left to say.
                let _unheard = writeln!(std::io::stderr(), "{failure}");
            }
            failure.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    if let Command::SuperviseChild { command } = &cli.command {
        return Ok(runtime()?.block_on(supervise(command))?.into());
    }
    command(cli).map(|()| ExitCode::SUCCESS)
}

fn command(cli: Cli) -> Result<(), Failure> {
    if matches!(cli.command, Command::Up(_) | Command::Serve(_)) {
        allocator::give_pages_back();
    }
    match cli.command {
        Command::Up(arguments) => commands::up::run_command(arguments),
        Command::Serve(arguments) => commands::serve::run_command(arguments),
        // Has an exit code of its own.
        Command::SuperviseChild { .. } => Ok(()),
        Command::Check { file } => wait_for(commands::check::run(&file)),
        Command::Schema => commands::schema::run(),
        Command::Completions { shell } => commands::completions::run(shell),
        Command::Connect(arguments) => commands::connect::run(&arguments),
        Command::Keys { action, place, output } => wait_for(commands::keys::run(action, &place, output)),
        Command::Get { arguments, place, output } => wait_for(commands::objects::get(arguments, &place, output)),
        Command::Delete { arguments, place } => wait_for(commands::objects::delete(arguments, &place)),
        Command::Apply { arguments, place, output } => wait_for(commands::objects::apply(arguments, &place, output)),
        Command::Export { all, place, output } => wait_for(commands::objects::export(all, &place, output)),
        Command::Usage { action, place, output } => wait_for(commands::usage::run(action, &place, output)),
        Command::Policy { action, place, output } => wait_for(commands::policy::run(action, &place, output)),
        Command::Oauth { action, place, output } => wait_for(commands::oauth::run(action, &place, output)),
        Command::Requests { action, place, output } => wait_for(commands::requests::run(action, &place, output)),
        Command::Runs { action, place, output } => wait_for(commands::requests::run_runs(action, &place, output)),
        Command::Audit { action, place, output } => wait_for(commands::audit::run(action, &place, output)),
        Command::Secrets { action, place, output } => wait_for(commands::secrets::run(action, &place, output)),
        Command::Prices { action, config, output } => commands::prices::run(&action, config.as_deref(), output),
        Command::Mcp { action, output } => commands::mcp::run(action, output.output),
        Command::Guardrails { action, output } => commands::guardrails::run(&action, output),
        Command::Doctor { place, output } => wait_for(commands::doctor::run(&place, output)),
    }
}

/// Runs a command that talks to a database or a gateway: one thread is plenty. Boxed, so that the loop it runs in is there once.
fn wait_for(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let command: Pin<Box<dyn Future<Output = Result<(), Failure>>>> = Box::pin(command);
    runtime()?.block_on(command)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

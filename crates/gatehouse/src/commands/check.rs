//! `gatehouse check FILE`: everything that is wrong with a configuration file, a line each.

use std::io::Write;
use std::path::Path;

use gatehouse_catalog::{Problem, Severity};
use gatehouse_llm_gateway::gateway::LlmGateway;

use crate::config_file;
use crate::failure::Failure;
use crate::house::{self, wiring};

/// The demo provider gets its address when it is started; any will do to check what is written.
const DEMO: &str = "http://127.0.0.1:1";

/// Prints problems and warnings to standard output, so that editors and CI can read them.
pub(crate) fn run(file: &Path) -> Result<(), Failure> {
    let bytes = config_file::read(file)?;
    let mut out = std::io::stdout().lock();
    match config_file::check(file, &bytes) {
        Ok(loaded) => {
            // The last step of start-up: what only shows when providers, models and prices meet.
            if let Err(found) = LlmGateway::build(wiring::blueprint(&loaded.config, DEMO)) {
                let problems = house::problems(&loaded, &found);
                writeln!(out, "{}", problems.join("\n"))?;
                return Err(unusable(file, problems.len()));
            }
            print(&loaded.warnings, &mut out)?;
            let config = &loaded.config;
            let counts = [
                (config.providers.len(), "provider"),
                (config.models.len(), "model"),
                (config.keys.len(), "key"),
                (loaded.warnings.len(), "warning"),
            ];
            let counts: Vec<String> = counts.into_iter().map(|(n, noun)| counted(n, noun)).collect();
            writeln!(out, "{}: ok ({})", file.display(), counts.join(", "))?;
            Ok(())
        }
        Err(problems) => {
            print(&problems.0, &mut out)?;
            let errors = problems.0.iter().filter(|problem| problem.severity == Severity::Error).count();
            Err(unusable(file, errors))
        }
    }
}

fn unusable(file: &Path, problems: usize) -> Failure {
    let message = format!("{} cannot be used: {}", file.display(), counted(problems, "problem"));
    Failure::problem(message, "mend the lines above and check again")
}

fn print(problems: &[Problem], out: &mut impl Write) -> Result<(), Failure> {
    for problem in problems {
        writeln!(out, "{problem}")?;
    }
    Ok(())
}

fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

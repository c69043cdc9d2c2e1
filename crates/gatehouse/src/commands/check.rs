//! `gatehouse check FILE`: everything that is wrong with a configuration file, a line each.

use std::io::Write;
use std::path::Path;

use gatehouse_catalog::{Problem, Severity};

use crate::config_file;
use crate::failure::Failure;

/// Prints problems and warnings to standard output, so that editors and CI can read them.
pub(crate) fn run(file: &Path) -> Result<(), Failure> {
    let bytes = config_file::read(file)?;
    let mut out = std::io::stdout().lock();
    match config_file::check(file, &bytes) {
        Ok(loaded) => {
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
            let message = format!("{} cannot be used: {}", file.display(), counted(errors, "problem"));
            Err(Failure::problem(message, "mend the lines above and check again"))
        }
    }
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

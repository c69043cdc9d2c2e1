//! `gatehouse apply -f FILE|DIR`: objects from files into the database of a running gateway, all of them or none.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use gatehouse_catalog::{Written, read_objects};
use http::Method;
use serde_json::{Value, json};

use super::{applied, gateway};
use crate::admin_client::listed_rows;
use crate::cli::{Output, PlaceArguments};
use crate::config_file;
use crate::failure::Failure;
use crate::output::{Format, Listing};

/// The fields a table shows.
const COLUMNS: &[&str] = &["change", "kind", "name", "diff"];
/// Files of one folder.
const FILES_MAX: usize = 1_000;

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A file with sections of objects as in the configuration file, or a folder of such files (*.yaml, *.yml, *.json).
    #[arg(long, short, value_name = "FILE|DIR")]
    file: PathBuf,
    /// Only say what would change.
    #[arg(long)]
    dry_run: bool,
    /// Delete every other object of the database that the key may change.
    #[arg(long)]
    prune: bool,
}

/// Does it.
pub(crate) async fn run(arguments: Arguments, place: &PlaceArguments, output: Output) -> Result<(), Failure> {
    let client = gateway(place)?;
    let mut objects = Vec::new();
    for file in files(&arguments.file)? {
        objects.extend(read(&file)?.iter().map(|object| applied(object.kind, &object.name, &object.body)));
    }
    let question = if arguments.dry_run { "?dry_run=true" } else { "" };
    let body = json!({ "objects": objects, "prune": arguments.prune });
    let answer = client.ask(Method::POST, &format!("/api/v1/apply{question}"), Some(&body)).await?;
    let rows = listed_rows(&answer);
    if output.output != Format::Table {
        return Listing::new(COLUMNS.iter().copied(), rows).write(output.output, &mut std::io::stdout().lock());
    }
    let mut out = std::io::stdout().lock();
    for row in &rows {
        let word = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        writeln!(out, "{:<9} {}/{}", word("change"), word("kind"), word("name"))?;
        if word("change") == "updated" {
            for line in row["diff"].as_array().into_iter().flatten() {
                writeln!(out, "          {}", difference(line))?;
            }
        }
    }
    if arguments.dry_run {
        writeln!(out, "nothing was written: --dry-run")?;
    }
    Ok(())
}

/// `/weight: 1 → 2`.
fn difference(line: &Value) -> String {
    let side = |side: &str| line.get(side).map_or_else(|| "nothing".to_owned(), ToString::to_string);
    format!("{}: {} → {}", line["pointer"].as_str().unwrap_or_default(), side("before"), side("after"))
}

fn read(file: &Path) -> Result<Vec<Written>, Failure> {
    let bytes = config_file::read(file)?;
    config_file::problems_as_failure(config_file::around(file, |around| read_objects(&bytes, around)), file)
}

/// The file itself, or the files of a folder by name.
fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable =
        |error| Failure::problem(format!("cannot read {}: {error}", path.display()), "check who may read it");
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let of_objects = file.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known));
        if of_objects && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    match files.len() {
        0 => {
            Err(Failure::problem(format!("{} has no *.yaml, *.yml or *.json", path.display()), "name the right folder"))
        }
        1..=FILES_MAX => Ok(files),
        _ => Err(Failure::problem(format!("{} has more than {FILES_MAX} files", path.display()), "apply parts of it")),
    }
}

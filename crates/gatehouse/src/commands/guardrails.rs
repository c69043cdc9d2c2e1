//! `gatehouse guardrails eval PATH`: how well the detectors do on labelled texts, and how long they take.
//!
//! The figures are those of [`gatehouse_policy::guardrails::evaluate`]; this command reads files and the clock.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Subcommand, ValueEnum};
use gatehouse_policy::guardrails::{Case, Detector, Row, Spec, build, evaluate, read_cases};
use serde_json::{Map, Value, json};

use crate::cli::Output;
use crate::failure::Failure;
use crate::output::Listing;

const COLUMNS: &[&str] =
    &["detector", "source", "texts", "found", "missed", "false_positives", "precision", "recall", "f1", "us_per_kib"];
/// The most a compressed data set may become.
const MAX_BYTES: u64 = 256 << 20;
/// A detector is timed on texts of this length, the usual size of a message.
const PIECE: usize = 4096;
const RUNS: usize = 5;

/// What to do with guardrails.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Measure detectors on labelled texts: precision, recall, false positives by source, time.
    Eval {
        /// A file of JSON lines, or a folder of them: `*.jsonl`, or `*.jsonl.gz.b64` (compressed, then base64).
        path: PathBuf,
        /// Only this detector; more than once for several.
        #[arg(long, value_enum, value_name = "DETECTOR")]
        detect: Vec<Detect>,
    },
}

/// The detectors that can be measured: those that need nothing said about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Detect {
    /// Credentials.
    Secrets,
    /// Personal data with a structure.
    Pii,
    /// Signals of prompt injection.
    Injection,
}

impl Detect {
    fn spec(self) -> Spec {
        match self {
            Self::Secrets => Spec::Secrets,
            Self::Pii => Spec::Pii { kinds: Vec::new() },
            Self::Injection => Spec::Injection { threshold: Spec::INJECTION_THRESHOLD },
        }
    }
}

/// Does it.
pub(crate) fn run(action: &Action, output: Output) -> Result<(), Failure> {
    let Action::Eval { path, detect } = action;
    let cases = read(path)?;
    let detect = if detect.is_empty() { Detect::value_variants() } else { detect };
    let mut rows = Vec::new();
    for detect in detect {
        let detector = build(&detect.spec()).map_err(|error| Failure::problem(error, ""))?;
        rows.extend(evaluate(&*detector, &cases).iter().map(|row| listed(detector.kind(), row)));
        rows.push(timed(&*detector, &cases));
    }
    Listing::new(COLUMNS.iter().copied(), rows).write(output.output, &mut std::io::stdout().lock())
}

fn listed(detector: &str, row: &Row) -> Map<String, Value> {
    let tally = row.tally;
    let share = |share: Option<f64>| share.map_or(Value::Null, |share| json!((share * 10_000.0).round() / 10_000.0));
    let fields = [
        ("detector", json!(detector)),
        ("source", json!(row.source)),
        ("texts", json!(tally.texts)),
        ("found", json!(tally.found)),
        ("missed", json!(tally.missed)),
        ("false_positives", json!(tally.false_positives)),
        ("precision", share(tally.precision())),
        ("recall", share(tally.recall())),
        ("f1", share(tally.f1())),
    ];
    fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

/// How long the detector takes for a KiB of the texts once it has warmed up.
fn timed(detector: &dyn Detector, cases: &[Case]) -> Map<String, Value> {
    let text = cases.iter().map(|case| case.text.as_str()).collect::<Vec<_>>().join("\n");
    let mut pieces = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.floor_char_boundary(PIECE.min(rest.len())));
        pieces.push(piece);
        rest = behind;
    }
    let mut found = Vec::new();
    let mut once = |piece: &str| {
        found.clear();
        let start = Instant::now();
        detector.find(piece, &mut found);
        start.elapsed()
    };
    // The best of a few runs: what the detector takes, not what else the machine does.
    let best = |piece: &&str| (0..RUNS).map(|_| once(piece)).min().unwrap_or_default();
    let seconds = pieces.iter().map(best).sum::<Duration>().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a data set's length")]
    let kib = text.len() as f64 / 1024.0;
    let per_kib = (seconds * 1e6 / kib * 100.0).round() / 100.0;
    let fields = [
        ("detector", json!(detector.kind())),
        ("source", json!("time, in pieces of 4 KiB")),
        ("texts", json!(pieces.len())),
        ("us_per_kib", json!(per_kib)),
    ];
    fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

/// Every case of a file or a folder's files, in the order of their names.
fn read(path: &Path) -> Result<Vec<Case>, Failure> {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        files = entries.map_err(|error| unreadable(path, &error))?.into_iter().map(|entry| entry.path()).collect();
        files.retain(|file| is_lines(file) || is_packed(file));
        files.sort();
    }
    let mut cases = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let source = name.split('.').next().unwrap_or_default().to_owned();
        let lines = if is_packed(file) { unpack(file)? } else { text(file)? };
        let read = read_cases(&source, &lines);
        cases.extend(read.map_err(|error| unreadable(file, &error))?);
    }
    if cases.is_empty() {
        let message = format!("{} has no labelled texts", path.display());
        return Err(Failure::problem(
            message,
            "give a .jsonl file or a folder of them; docs/guardrails.md shows their fields",
        ));
    }
    Ok(cases)
}

fn is_lines(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "jsonl")
}

fn is_packed(file: &Path) -> bool {
    file.to_string_lossy().ends_with(".jsonl.gz.b64")
}

fn text(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| unreadable(file, &error))
}

/// Secrets' samples travel packed, so that nobody's scanner takes them for leaks.
fn unpack(file: &Path) -> Result<String, Failure> {
    let packed: String = text(file)?.split_whitespace().collect();
    let packed = STANDARD.decode(packed).map_err(|error| unreadable(file, &error))?;
    let mut lines = String::new();
    let unpacked = flate2::read::MultiGzDecoder::new(packed.as_slice()).take(MAX_BYTES).read_to_string(&mut lines);
    unpacked.map_err(|error| unreadable(file, &error))?;
    Ok(lines)
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::problem(
        format!("cannot read {}: {error}", path.display()),
        "give a .jsonl file or a folder of them; docs/guardrails.md shows their fields",
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_folder_is_read_with_its_packed_files_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let line = r#"{"text": "a", "label": 0, "kind": "mail", "src": "s"}"#;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(line.as_bytes()).unwrap();
        fs::write(folder.path().join("b.jsonl.gz.b64"), STANDARD.encode(gzip.finish().unwrap())).unwrap();
        fs::write(folder.path().join("a.jsonl"), line).unwrap();
        fs::write(folder.path().join("rules.json"), "[]").unwrap();
        assert_eq!(read(folder.path()).unwrap().len(), 2);
    }

    #[test]
    fn a_line_that_is_not_labelled_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.jsonl");
        fs::write(&file, "{\"text\": \"a\"}").unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("line 1"));
    }
}

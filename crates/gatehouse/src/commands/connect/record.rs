//! Writing a client's file, and the record that lets it be put back byte for byte.
//!
//! Beside `settings.json` stands `settings.json.gatehouse-backup`, readable by its owner only, because it may hold what
//! the file held: keys.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::FileEdit;
use crate::failure::Failure;

/// What was there, and what was put there.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// The file's text before the first `--write`; none if there was no file.
    before: Option<String>,
    /// The text that was written last.
    written: String,
}

/// Edits a file, keeping a record of what it was.
pub(super) fn write(file: &FileEdit) -> Result<(), Failure> {
    let path = resolved(&file.path);
    let before = read(&path)?;
    let written = file.edit.apply(before.as_deref().unwrap_or_default()).map_err(|reason| {
        let next = "mend the file, or edit it by hand: without --write the lines are printed";
        Failure::problem(format!("{}: {reason}", path.display()), next)
    })?;
    // Written a second time, what counts as "before" is what stood there before the first.
    let before = match recorded(&path)? {
        Some(record) if before.as_deref() == Some(&record.written) => record.before,
        _ => before,
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| cannot("make", folder, &error))?;
    }
    let mode = fs::metadata(&path).map_or(0o600, |known| known.permissions().mode() & 0o777);
    let record = Record { before, written };
    let text = serde_json::to_string(&record).map_err(|error| Failure::problem(error, ""))?;
    replace(&beside(&path), &text, 0o600)?;
    replace(&path, &record.written, mode)
}

/// Puts a file back. False if nothing was ever written.
pub(super) fn revert(path: &Path, force: bool) -> Result<bool, Failure> {
    let path = resolved(path);
    let Some(record) = recorded(&path)? else { return Ok(false) };
    if !force && read(&path)?.as_ref() != Some(&record.written) {
        let message = format!("{} was changed since it was written", path.display());
        let next = format!(
            "take the lines out by hand, or lose the changes with --force (kept in {})",
            beside(&path).display()
        );
        return Err(Failure::problem(message, next));
    }
    match record.before {
        Some(text) => {
            let mode = fs::metadata(&path).map_or(0o600, |known| known.permissions().mode() & 0o777);
            replace(&path, &text, mode)?;
        }
        None => match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot("remove", &path, &error)),
            _ => {}
        },
    }
    let beside = beside(&path);
    fs::remove_file(&beside).map_err(|error| cannot("remove", &beside, &error))?;
    Ok(true)
}

/// The file itself, where a link leads to it: dotfile managers link.
fn resolved(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".gatehouse-backup");
    path.with_file_name(name)
}

fn recorded(path: &Path) -> Result<Option<Record>, Failure> {
    let beside = beside(path);
    let Some(text) = read(&beside)? else { return Ok(None) };
    let record = serde_json::from_str(&text).map_err(|_| {
        Failure::problem(format!("{} is damaged", beside.display()), "remove it; the client's own file is not touched")
    })?;
    Ok(Some(record))
}

fn read(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(cannot("read", path, &error)),
    }
}

/// Whole or not at all: a client that starts meanwhile sees the old file or the new one.
fn replace(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&new)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, path));
    written.map_err(|error| cannot("write", path, &error))
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::problem(format!("cannot {what} {}: {error}", path.display()), "check who may write there")
}

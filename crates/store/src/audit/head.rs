//! The newest statement of each chain, one small file per organisation beside the database. A database whose last entries
//! were cut off is sound in itself; these files remember that there was more.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::chain;
use super::statement::Statement;
use crate::hex::hex;
use crate::{StoreError, secret_file};

/// The file of an organisation: named by a hash, because names of organisations are people's.
fn place(folder: &Path, organisation: &str) -> PathBuf {
    folder.join(format!("{}.json", hex(&chain::sha256(&[organisation.as_bytes()])[..16])))
}

/// What the file of an organisation says. A file that cannot be read as a statement counts as none; [`all`] reports it.
pub(super) fn read(folder: &Path, organisation: &str) -> Option<Statement> {
    serde_json::from_slice(&fs::read(place(folder, organisation)).ok()?).ok()
}

/// Writes the newest statement. One that says more than the chain has is evidence, and is kept beside.
pub(super) fn write(folder: &Path, newest: &Statement) -> Result<(), StoreError> {
    let path = place(folder, &newest.organisation);
    secret_file::replace(&path, newest.text().as_bytes())
}

/// Sets a statement that the chain contradicts aside, so that the next one does not hide it.
pub(super) fn keep_as_evidence(folder: &Path, contradicted: &Statement) -> Result<(), StoreError> {
    let path = place(folder, &contradicted.organisation);
    let kept = path.with_extension(format!("{}.evidence.json", contradicted.seq));
    fs::rename(&path, &kept).map_err(StoreError::file("set aside", &path))
}

/// Every statement in the folder, and the names of the files that hold none.
pub(super) fn all(folder: &Path) -> Result<(Vec<Statement>, Vec<String>), StoreError> {
    let (mut statements, mut damaged) = (Vec::new(), Vec::new());
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((statements, damaged)),
        Err(error) => return Err(StoreError::file("list", folder)(error)),
    };
    for entry in entries {
        let path = entry.map_err(StoreError::file("list", folder))?.path();
        // A draft of a write that a crash interrupted is nothing.
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let bytes = fs::read(&path).map_err(StoreError::file("read", &path))?;
        match serde_json::from_slice(&bytes) {
            Ok(statement) => statements.push(statement),
            Err(_) => damaged.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned()),
        }
    }
    Ok((statements, damaged))
}

//! What can go wrong with anything durable.

use std::io;
use std::path::{Path, PathBuf};

/// Something durable failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or folder.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process uses the data folder.
    #[error(
        "another gatehouse process uses the data folder {}: stop it first, or give this one its own `data_dir`",
        path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A file is not what was written there.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The database.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The tables could not be brought to this version.
    #[error("database migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A stored value is not what this version writes.
    #[error("table {table}: {what}")]
    Row {
        /// The table.
        table: &'static str,
        /// What is wrong with the row.
        what: &'static str,
    },
    /// A name that must be unique is taken.
    #[error("{what} already exists")]
    Exists {
        /// Which kind of thing.
        what: &'static str,
    },
    /// A stored secret, or what it is sealed with.
    #[error("stored secrets: {what}")]
    Vault {
        /// What is wrong.
        what: &'static str,
    },
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system: {0}")]
    Random(getrandom::Error),
}

impl StoreError {
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { action, path: path.to_owned(), source }
    }

    /// Will the same call probably succeed a little later (the database is locked by another process)?
    #[must_use]
    pub fn is_busy(&self) -> bool {
        // SQLITE_BUSY is 5 and SQLITE_LOCKED is 6; extended codes carry them in their low byte.
        let Self::Database(sqlx::Error::Database(error)) = self else { return false };
        let code = error.code().and_then(|code| code.parse::<u32>().ok());
        code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
    }
}

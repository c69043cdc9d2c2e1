//! The folder everything durable lives in.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::StoreError;

/// The data folder, existing and readable by its owner only.
#[derive(Clone, Debug)]
pub struct DataDir {
    path: PathBuf,
}

/// Held for as long as this process is the gateway of a data folder. The system lets go of it when the process ends,
/// however it ends.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

impl DataDir {
    /// Makes the folder if it is not there, and takes everybody else's rights to it away.
    ///
    /// # Errors
    /// When the folder cannot be made or belongs to somebody else.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        make_private(&path)?;
        Ok(Self { path })
    }

    /// Becomes the one gateway of this folder. Command line tools that only use the database do not need to.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another process holds it.
    pub fn lock(&self) -> Result<DataDirLock, StoreError> {
        let path = self.path.join("gatehouse.lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(StoreError::file("open", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(DataDirLock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::InUse { path: self.path.clone() }),
            Err(error) => Err(StoreError::file("lock", &path)(error.into())),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The SQLite database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path.join("gatehouse.db")
    }

    /// The journal's folder, made if it is not there.
    pub(crate) fn journal(&self) -> Result<PathBuf, StoreError> {
        let path = self.path.join("journal");
        make_private(&path)?;
        Ok(path)
    }

    pub(crate) fn pepper(&self) -> PathBuf {
        self.path.join("key-pepper")
    }

    pub(crate) fn token_key(&self) -> PathBuf {
        self.path.join("mcp-token-key")
    }

    /// The key the audit log is signed with.
    pub(crate) fn audit_key(&self) -> PathBuf {
        self.path.join("audit-key")
    }

    /// The newest signed statement of each audit chain, made if it is not there.
    pub(crate) fn audit_heads(&self) -> Result<PathBuf, StoreError> {
        let path = self.path.join("audit-heads");
        make_private(&path)?;
        Ok(path)
    }

    /// The keys that wrap the keys of stored secrets.
    pub(crate) fn master_keys(&self) -> PathBuf {
        self.path.join("master-keys")
    }
}

fn make_private(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(StoreError::file("make the folder", path))?;
    let rights = fs::metadata(path).map_err(StoreError::file("look at", path))?.permissions();
    if rights.mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(StoreError::file("make private", path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_private_even_if_it_was_not_before() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("data");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        DataDir::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn only_one_gateway_uses_a_folder_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let dir = DataDir::create(home.path().join("data")).unwrap();
        let held = dir.lock().unwrap();
        let refused = dir.lock().unwrap_err();
        assert!(refused.to_string().contains("another gatehouse process"), "{refused}");
        drop(held);
        assert!(dir.lock().is_ok());
    }
}

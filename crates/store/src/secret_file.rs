//! Secrets of the instance: files of 32 random bytes beside the database, made once. The pepper is one of them: a stolen
//! database alone verifies no guess at a key.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::{DataDir, StoreError};

/// The secret API keys are hashed with. Losing it makes every issued key unknown; `Debug` does not show it.
#[derive(Clone)]
pub struct Pepper([u8; 32]);

impl Pepper {
    /// Reads `<data_dir>/key-pepper`, or makes it (0600) the first time.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is not 32 bytes.
    pub fn load(dir: &DataDir) -> Result<Self, StoreError> {
        let lost = "it is not 32 bytes long; restore it from a backup, or delete it and issue every key again";
        load_or_create(&dir.pepper(), lost).map(Self)
    }

    /// A pepper from known bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper([secret])")
    }
}

/// The secret tokens are sealed with that clients of MCP keep for the gateway. Losing it ends their sessions; `Debug` does not
/// show it.
#[derive(Clone)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// Reads `<data_dir>/mcp-token-key`, or makes it (0600) the first time.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is not 32 bytes.
    pub fn load(dir: &DataDir) -> Result<Self, StoreError> {
        let lost = "it is not 32 bytes long; delete it, and clients of MCP begin new sessions";
        load_or_create(&dir.token_key(), lost).map(Self)
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey([secret])")
    }
}

/// Reads a secret, or makes it (0600) the first time. `lost` says what a damaged one means and what to do.
pub(crate) fn load_or_create(path: &Path, lost: &'static str) -> Result<[u8; 32], StoreError> {
    match File::open(path) {
        Ok(file) => read(file, path, lost),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create(path, &random()?)?;
            read(File::open(path).map_err(StoreError::file("open", path))?, path, lost)
        }
        Err(error) => Err(StoreError::file("open", path)(error)),
    }
}

/// 32 bytes of the operating system's randomness.
pub(crate) fn random() -> Result<[u8; 32], StoreError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(StoreError::Random)?;
    Ok(bytes)
}

fn read(file: File, path: &Path, lost: &'static str) -> Result<[u8; 32], StoreError> {
    let mut bytes = Vec::with_capacity(33);
    file.take(33).read_to_end(&mut bytes).map_err(StoreError::file("read", path))?;
    bytes.try_into().map_err(|_| StoreError::Damaged { path: path.to_owned(), what: lost })
}

/// Makes a private file, unless there is one already. Written beside and linked into place, so that a crash leaves the
/// whole file or none, and of two processes starting at once one wins and both use its bytes.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    let written = write_private(&draft, bytes).and_then(|()| fs::hard_link(&draft, path));
    let cleaned = fs::remove_file(&draft);
    match written {
        Ok(()) => cleaned.map_err(StoreError::file("remove", &draft)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::file("write", path)(error)),
    }
}

/// Replaces a file whole: a crash leaves the old one or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    write_private(&draft, bytes).and_then(|()| fs::rename(&draft, path)).map_err(StoreError::file("write", path))
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_pepper_is_made_once_and_private() {
        let home = tempfile::tempdir().unwrap();
        let dir = DataDir::create(home.path().join("data")).unwrap();
        let first = Pepper::load(&dir).unwrap();
        assert_eq!(first.bytes(), Pepper::load(&dir).unwrap().bytes());
        assert_eq!(fs::metadata(dir.pepper()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "a draft was left behind");
    }

    #[test]
    fn a_damaged_pepper_is_an_error_and_not_a_new_pepper() {
        let home = tempfile::tempdir().unwrap();
        let dir = DataDir::create(home.path().join("data")).unwrap();
        fs::write(dir.pepper(), b"short").unwrap();
        assert!(matches!(Pepper::load(&dir), Err(StoreError::Damaged { .. })));
        assert_eq!(fs::read(dir.pepper()).unwrap(), b"short");
    }

    #[test]
    fn the_pepper_is_not_in_its_debug_print() {
        assert_eq!(format!("{:?}", Pepper::from_bytes([7; 32])), "Pepper([secret])");
    }
}

//! Master keys: they wrap the keys of records. The configuration names them (`storage.master_key`), or they live in
//! `<data_dir>/master-keys`: one per line in hexadecimal, the first one current, others only while a rotation goes on.

use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;

use gatehouse_domain::Secret;
use zeroize::Zeroizing;

use crate::hex::{hex, unhex};
use crate::{DataDir, StoreError, secret_file};

/// Master keys the configuration names: 64 hexadecimal digits each.
#[derive(Clone, Debug, Default)]
pub struct MasterKeys {
    /// What records are wrapped by; `None`: by a key in the data folder.
    pub current: Option<Secret>,
    /// What they may still be wrapped by.
    pub old: Vec<Secret>,
}

/// One master key. There is no `Debug` of its bytes.
#[derive(Clone)]
pub(super) struct MasterKey {
    id: [u8; 8],
    bytes: Arc<Zeroizing<[u8; 32]>>,
}

/// Every master key that can be used; the first one is current.
#[derive(Clone, Debug)]
pub(super) struct Keyring {
    keys: Vec<MasterKey>,
    /// How many of them, at the end, are in the data folder.
    in_folder: usize,
}

impl MasterKey {
    fn new(bytes: [u8; 32]) -> Self {
        let hash = blake3::derive_key("gatehouse 2026 id of a master key", &bytes);
        let mut id = [0; 8];
        id.copy_from_slice(&hash[..8]);
        Self { id, bytes: Arc::new(Zeroizing::new(bytes)) }
    }

    fn parse(text: &str) -> Option<Self> {
        unhex(text.trim()).map(Self::new)
    }

    /// What a record says it is wrapped by: derived from the key, and nothing leads back.
    pub(super) fn id(&self) -> String {
        hex(&self.id)
    }

    pub(super) fn raw_id(&self) -> &[u8; 8] {
        &self.id
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}

impl Keyring {
    /// Reads every key there is. Without one in the configuration, and none in the data folder, one is made there.
    pub(super) fn load(dir: &DataDir, configured: &MasterKeys) -> Result<Self, StoreError> {
        let mut keys = Vec::new();
        for secret in configured.current.iter().chain(&configured.old) {
            keys.push(MasterKey::parse(secret.reveal()).ok_or(StoreError::Vault {
                what: "a configured master key is not 64 hexadecimal digits; make one: openssl rand -hex 32",
            })?);
        }
        let mut stored = read(dir)?;
        if stored.is_empty() && configured.current.is_none() {
            stored = first(dir)?;
        }
        // An old key of the configuration must not become the current one.
        if configured.current.is_none() {
            stored.append(&mut keys);
            return Ok(Self { in_folder: stored.len() - configured.old.len(), keys: stored });
        }
        let in_folder = stored.len();
        keys.append(&mut stored);
        Ok(Self { keys, in_folder })
    }

    pub(super) fn current(&self) -> &MasterKey {
        &self.keys[0]
    }

    pub(super) fn find(&self, id: &str) -> Option<&MasterKey> {
        self.keys.iter().find(|key| key.id() == id)
    }

    /// Is more than one key in use: was a rotation begun and not ended?
    pub(super) fn is_rotating(&self) -> bool {
        self.keys.len() > 1
    }

    /// The same with a new current key, already in the data folder.
    pub(super) fn with_new(&self, dir: &DataDir) -> Result<Self, StoreError> {
        let mut keys = vec![MasterKey::new(secret_file::random()?)];
        keys.extend(self.keys.iter().cloned());
        let ring = Self { in_folder: self.in_folder + 1, keys };
        write(dir, &ring.keys[..ring.in_folder])?;
        Ok(ring)
    }

    /// Takes keys that no record needs out of the data folder, the current one never. Says which are no longer needed.
    pub(super) fn retire(&self, dir: &DataDir, needed: &[String]) -> Result<Vec<String>, StoreError> {
        let current = self.current().id();
        let keep = |key: &MasterKey| key.id() == current || needed.contains(&key.id());
        let folder = read(dir)?;
        let left: Vec<MasterKey> = folder.iter().filter(|key| keep(key)).cloned().collect();
        if left.len() < folder.len() {
            write(dir, &left)?;
        }
        Ok(self.keys.iter().filter(|key| !keep(key)).map(MasterKey::id).collect())
    }
}

fn read(dir: &DataDir) -> Result<Vec<MasterKey>, StoreError> {
    let path = dir.master_keys();
    let text = match fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::file("read", &path)(error)),
    };
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(MasterKey::parse).collect::<Option<_>>().ok_or(StoreError::Damaged {
        path,
        what: "a line is not 64 hexadecimal digits; restore it from a backup: without it no stored secret opens",
    })
}

/// The first key of a data folder. Of two processes starting at once one makes it, and both use it.
fn first(dir: &DataDir) -> Result<Vec<MasterKey>, StoreError> {
    let key = MasterKey::new(secret_file::random()?);
    secret_file::create(&dir.master_keys(), lines(std::slice::from_ref(&key)).as_bytes())?;
    read(dir)
}

fn write(dir: &DataDir, keys: &[MasterKey]) -> Result<(), StoreError> {
    let path = dir.master_keys();
    if keys.is_empty() {
        return fs::remove_file(&path).map_err(StoreError::file("remove", &path));
    }
    secret_file::replace(&path, lines(keys).as_bytes())
}

fn lines(keys: &[MasterKey]) -> Zeroizing<String> {
    Zeroizing::new(keys.iter().map(|key| hex(key.bytes()) + "\n").collect())
}

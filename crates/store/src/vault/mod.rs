//! Secrets at rest: provider keys, OAuth tokens, webhook secrets and what the configuration file refers to by name.
//!
//! Envelope encryption with AES-256-GCM: each record has a key of its own, wrapped by a master key. Both are bound to their
//! place (table, organisation, id, column), so that a ciphertext copied into another row opens nothing.
//!
//! - `envelope`: sealing, opening and re-wrapping bytes. No tables, no files.
//! - `master`: the master keys, from the data folder or the configuration.
//! - this file: the table, and rotation.
//!
//! Secrets go in and are used; listings show a fingerprint and the last four characters, and nothing shows more.

mod envelope;
mod master;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use gatehouse_domain::Secret;
use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use uuid::Uuid;

use crate::database::{signed, unsigned};
use crate::hex::hex;
use crate::tables::objects;
use crate::{DataDir, Pepper, Store, StoreError};

pub use master::MasterKeys;

use envelope::Place;
use master::{Keyring, MasterKey};

/// The kind of secrets that `${secret:NAME}` refers to.
pub const CONFIG_SECRET: &str = "config";

/// Bytes of one secret: a service account's JSON is about 2,400.
const SECRET_BYTES_MAX: usize = 64 * 1024;
/// Records wrapped anew in one transaction.
const BATCH: u32 = 100;
/// Shorter secrets show none of their characters: four of few are too many.
const SHOWN_FROM: usize = 16;

/// The secrets of one installation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Vault {
    store: Store,
    keys: Arc<VaultKeys>,
}

/// What opens the vault.
#[derive(Debug)]
pub(crate) struct VaultKeys {
    dir: DataDir,
    pepper: Pepper,
    configured: MasterKeys,
    ring: Mutex<Keyring>,
}

/// A secret as listings show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretInfo {
    /// Its id, which stays when its value is replaced.
    pub id: String,
    /// Whose it is.
    pub organisation: String,
    /// What it is for: `config`, `provider_key`, …
    pub kind: String,
    /// Its name, unique within organisation and kind.
    pub name: String,
    /// Tells two secrets apart, keyed so that it verifies no guess.
    pub fingerprint: String,
    /// Its last four characters; empty if it is shorter than 16.
    pub last4: String,
    /// The master key its own key is wrapped by.
    pub master_key: String,
    /// Unix milliseconds.
    pub created_unix_ms: u64,
    /// Unix milliseconds at which its value was last set.
    pub changed_unix_ms: u64,
}

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// The master key every record is wrapped by now.
    pub master_key: String,
    /// Records that were wrapped anew.
    pub rewrapped: u64,
    /// Master keys no record needs any longer. Those of the data folder are gone from it; those of the configuration can
    /// be taken out of `storage.old_master_keys`.
    pub retired: Vec<String>,
}

impl VaultKeys {
    pub(crate) fn load(dir: &DataDir, configured: MasterKeys) -> Result<Self, StoreError> {
        let ring = Mutex::new(Keyring::load(dir, &configured)?);
        Ok(Self { dir: dir.clone(), pepper: Pepper::load(dir)?, configured, ring })
    }

    fn ring(&self) -> Keyring {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the keys again: another process may have rotated.
    fn reload(&self) -> Result<Keyring, StoreError> {
        let fresh = Keyring::load(&self.dir, &self.configured)?;
        *self.ring.lock().unwrap_or_else(PoisonError::into_inner) = fresh.clone();
        Ok(fresh)
    }

    fn fingerprint(&self, secret: &Secret) -> String {
        let mut hasher = blake3::Hasher::new_keyed(self.pepper.bytes());
        hasher.update(b"fingerprint of a stored secret\n").update(secret.reveal().as_bytes());
        hex(&hasher.finalize().as_bytes()[..8])
    }
}

impl Vault {
    pub(crate) const fn new(store: Store, keys: Arc<VaultKeys>) -> Self {
        Self { store, keys }
    }

    /// Stores a secret, or replaces the value of the one of that name.
    ///
    /// # Errors
    /// When the secret is empty or longer than 64 KiB, or the database fails.
    pub async fn put(
        &self,
        organisation: &str,
        kind: &str,
        name: &str,
        secret: &Secret,
        now_unix_ms: u64,
    ) -> Result<SecretInfo, StoreError> {
        if secret.is_empty() || secret.reveal().len() > SECRET_BYTES_MAX {
            return Err(StoreError::Vault { what: "a secret has 1 to 65536 bytes" });
        }
        let mut transaction = self.store.pool.begin_with("BEGIN IMMEDIATE").await?;
        // Under the lock of the transaction, as rotation drops old keys under it: what is sealed now stays readable.
        let ring = self.keys.reload()?;
        let known = sqlx::query_scalar("SELECT id FROM secrets WHERE organisation = ? AND kind = ? AND name = ?")
            .bind(organisation)
            .bind(kind)
            .bind(name)
            .fetch_optional(&mut *transaction)
            .await?;
        let id: String = known.unwrap_or_else(|| Uuid::now_v7().simple().to_string());
        let current = ring.current();
        let sealed = envelope::seal(current, Place { organisation, id: &id }, secret.reveal().as_bytes())?;
        let row = sqlx::query(
            "INSERT INTO secrets (id, organisation, kind, name, sealed, master, fingerprint, last4, created_ms, changed_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed, master = excluded.master,
                 fingerprint = excluded.fingerprint, last4 = excluded.last4, changed_ms = excluded.changed_ms
             RETURNING *",
        )
        .bind(&id)
        .bind(organisation)
        .bind(kind)
        .bind(name)
        .bind(sealed)
        .bind(current.id())
        .bind(self.keys.fingerprint(secret))
        .bind(last4(secret))
        .bind(signed(now_unix_ms))
        .bind(signed(now_unix_ms))
        .fetch_one(&mut *transaction)
        .await?;
        let info = read_info(&row)?;
        tell(&mut transaction, kind).await?;
        transaction.commit().await?;
        Ok(info)
    }

    /// A secret by its name.
    ///
    /// # Errors
    /// When the database fails, the master key it needs is not here, or the record was tampered with.
    pub async fn get(&self, organisation: &str, kind: &str, name: &str) -> Result<Option<Secret>, StoreError> {
        let sql =
            "SELECT id, organisation, sealed, master FROM secrets WHERE organisation = ? AND kind = ? AND name = ?";
        let row = sqlx::query(sql).bind(organisation).bind(kind).bind(name).fetch_optional(&self.store.pool).await?;
        row.as_ref().map(|row| self.open_row(row)).transpose()
    }

    /// Every secret of a kind, by name: for putting a configuration in force.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub async fn all(&self, organisation: &str, kind: &str) -> Result<Vec<(String, Secret)>, StoreError> {
        let sql = "SELECT * FROM secrets WHERE organisation = ? AND kind = ? ORDER BY name";
        let rows = sqlx::query(sql).bind(organisation).bind(kind).fetch_all(&self.store.pool).await?;
        rows.iter().map(|row| Ok((row.try_get("name")?, self.open_row(row)?))).collect()
    }

    /// What there is, without the secrets; of one organisation, or of all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, organisation: Option<&str>) -> Result<Vec<SecretInfo>, StoreError> {
        let sql = "SELECT * FROM secrets WHERE ?1 IS NULL OR organisation = ?1 ORDER BY organisation, kind, name";
        sqlx::query(sql).bind(organisation).fetch_all(&self.store.pool).await?.iter().map(read_info).collect()
    }

    /// Deletes a secret; `false` if there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete(&self, organisation: &str, kind: &str, name: &str) -> Result<bool, StoreError> {
        let sql = "DELETE FROM secrets WHERE organisation = ? AND kind = ? AND name = ?";
        let mut transaction = self.store.pool.begin_with("BEGIN IMMEDIATE").await?;
        let done = sqlx::query(sql).bind(organisation).bind(kind).bind(name).execute(&mut *transaction).await?;
        tell(&mut transaction, kind).await?;
        transaction.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Deletes the secrets of a kind that were made before a moment and says how many there were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune(&self, kind: &str, before_unix_ms: u64) -> Result<u64, StoreError> {
        let sql = "DELETE FROM secrets WHERE kind = ? AND created_ms < ?";
        let done = sqlx::query(sql).bind(kind).bind(signed(before_unix_ms)).execute(&self.store.pool).await?;
        Ok(done.rows_affected())
    }

    /// Wraps every record anew: with a new master key, made now, where they live in the data folder; with
    /// `storage.master_key` where the configuration names it. The gateway may run meanwhile. Interrupted at any point, the
    /// next call goes on; an old key is kept until no record needs it.
    ///
    /// # Errors
    /// When the database or the file of keys fails, or a record needs a key that is not here: then nothing is dropped.
    pub async fn rotate(&self) -> Result<Rotated, StoreError> {
        let ring = {
            // Of two rotations at once, the second goes on with the first one's key.
            let _turn = self.store.pool.begin_with("BEGIN IMMEDIATE").await?;
            let ring = self.keys.reload()?;
            let goes_on = ring.is_rotating() || self.keys.configured.current.is_some();
            if goes_on { ring } else { ring.with_new(&self.keys.dir)? }
        };
        let mut rewrapped = 0;
        loop {
            let done = self.rewrap_batch(&ring).await?;
            rewrapped += done;
            if done == 0 {
                break;
            }
        }
        let retired = self.retire(&ring).await?;
        Ok(Rotated { master_key: ring.current().id(), rewrapped, retired })
    }

    async fn rewrap_batch(&self, ring: &Keyring) -> Result<u64, StoreError> {
        let current = ring.current();
        let mut transaction = self.store.pool.begin_with("BEGIN IMMEDIATE").await?;
        let rows =
            sqlx::query("SELECT id, organisation, sealed, master FROM secrets WHERE master <> ? ORDER BY id LIMIT ?")
                .bind(current.id())
                .bind(BATCH)
                .fetch_all(&mut *transaction)
                .await?;
        for row in &rows {
            let (id, organisation): (String, String) = (row.try_get("id")?, row.try_get("organisation")?);
            let place = Place { organisation: &organisation, id: &id };
            let sealed = envelope::rewrap(key_of(ring, row)?, current, place, row.try_get("sealed")?)?;
            sqlx::query("UPDATE secrets SET sealed = ?, master = ? WHERE id = ?")
                .bind(sealed)
                .bind(current.id())
                .bind(&id)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(rows.len() as u64)
    }

    /// Drops what no record needs. Under the database's write lock, so that nobody seals with an old key meanwhile.
    async fn retire(&self, ring: &Keyring) -> Result<Vec<String>, StoreError> {
        let mut transaction = self.store.pool.begin_with("BEGIN IMMEDIATE").await?;
        let needed: Vec<String> =
            sqlx::query_scalar("SELECT DISTINCT master FROM secrets").fetch_all(&mut *transaction).await?;
        let retired = ring.retire(&self.keys.dir, &needed)?;
        self.keys.reload()?;
        transaction.commit().await?;
        Ok(retired)
    }

    fn open_row(&self, row: &SqliteRow) -> Result<Secret, StoreError> {
        let (id, organisation): (&str, &str) = (row.try_get("id")?, row.try_get("organisation")?);
        let place = Place { organisation, id };
        let ring = self.keys.ring();
        // Another process may have rotated: its new key is in the file.
        let ring = if key_of(&ring, row).is_ok() { ring } else { self.keys.reload()? };
        let opened = envelope::open(key_of(&ring, row)?, place, row.try_get("sealed")?)?;
        let text = String::from_utf8(opened).map_err(|_| StoreError::Vault { what: "a secret is not text" })?;
        Ok(Secret::new(text))
    }
}

/// A running gateway puts a changed secret of the configuration in force as it does a changed object.
async fn tell(transaction: &mut SqliteConnection, kind: &str) -> Result<(), StoreError> {
    if kind == CONFIG_SECRET {
        objects::next(transaction).await?;
    }
    Ok(())
}

fn key_of<'a>(ring: &'a Keyring, row: &SqliteRow) -> Result<&'a MasterKey, StoreError> {
    let id: &str = row.try_get("master")?;
    ring.find(id).ok_or(StoreError::Vault {
        what: "a secret is wrapped by a master key that is not here: bring it back (storage.old_master_keys), or set the \
               secret anew",
    })
}

fn last4(secret: &Secret) -> String {
    let letters: Vec<char> = secret.reveal().chars().collect();
    if letters.len() < SHOWN_FROM { String::new() } else { letters[letters.len() - 4..].iter().collect() }
}

fn read_info(row: &SqliteRow) -> Result<SecretInfo, StoreError> {
    Ok(SecretInfo {
        id: row.try_get("id")?,
        organisation: row.try_get("organisation")?,
        kind: row.try_get("kind")?,
        name: row.try_get("name")?,
        fingerprint: row.try_get("fingerprint")?,
        last4: row.try_get("last4")?,
        master_key: row.try_get("master")?,
        created_unix_ms: unsigned(row.try_get("created_ms")?),
        changed_unix_ms: unsigned(row.try_get("changed_ms")?),
    })
}

//! The database behind every table.
//!
//! SQLite in WAL mode: one writer at a time, readers never wait. Three pools. The first serves everything and syncs at
//! checkpoints only (`synchronous = NORMAL`), as does the second, one connection that writes in batches behind the calls'
//! backs, so that its large statements are prepared once and not in every connection. The third has one connection that
//! syncs at every commit (`FULL`), because the journal is deleted on the strength of its commits.
//!
//! A second backend (Postgres) becomes a second kind of pool inside [`Store`]; callers see one type either way.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::audit::{AuditLog, InstanceKey};
use crate::vault::{MasterKeys, Vault, VaultKeys};
use crate::{DataDir, StoreError};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long a statement waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);
/// The same for the shipper, which waits and tries again by itself.
const LEDGER_BUSY: Duration = Duration::from_millis(500);
/// A connection nobody needs for so long is closed: each holds up to a megabyte.
const IDLE: Duration = Duration::from_secs(30);
/// And none lives longer than this: what little there is to ask when nothing happens goes to all of them in turn, so that
/// none of them would ever be idle.
const OLDEST: Duration = Duration::from_secs(120);
/// How long a caller waits for a free connection.
const ACQUIRE: Duration = Duration::from_secs(10);

/// The database. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: SqlitePool,
    /// One connection for the request log and stored responses. Only control-plane tasks wait for it.
    pub(crate) behind: SqlitePool,
    /// One connection whose commits survive a power cut. Only the shipper and the audit log use it.
    pub(crate) ledger: SqlitePool,
    /// The data folder, and what is made of the secrets in it when it is first needed.
    instance: Arc<Instance>,
}

#[derive(Debug)]
struct Instance {
    dir: DataDir,
    audit_key: OnceLock<Arc<InstanceKey>>,
    vault: OnceLock<Arc<VaultKeys>>,
}

impl Store {
    /// Opens `<data_dir>/gatehouse.db`, makes it (0600) if it is not there, and brings its tables to this version.
    ///
    /// # Errors
    /// When the file cannot be opened or is of a later version.
    pub async fn open(dir: &DataDir) -> Result<Self, StoreError> {
        let path = &dir.database();
        // SQLite gives the files beside a database the rights of the database.
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(StoreError::file("open", path))?;
        let options = options(path);
        let pool = |connections| {
            let pool = SqlitePoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE);
            pool.idle_timeout(IDLE).max_lifetime(OLDEST)
        };
        let synced_seldom = options.clone().synchronous(SqliteSynchronous::Normal);
        let behind = pool(1).connect_lazy_with(synced_seldom.clone());
        let pool = pool(4).connect_with(synced_seldom).await?;
        migrate(&pool).await?;
        let ledger = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options.busy_timeout(LEDGER_BUSY).synchronous(SqliteSynchronous::Full));
        let instance = Instance { dir: dir.clone(), audit_key: OnceLock::new(), vault: OnceLock::new() };
        Ok(Self { pool, behind, ledger, instance: Arc::new(instance) })
    }

    /// The audit log.
    ///
    /// # Errors
    /// When the key it is signed with cannot be read or made.
    pub fn audit(&self) -> Result<AuditLog, StoreError> {
        let Instance { dir, audit_key, .. } = &*self.instance;
        let key = match audit_key.get() {
            Some(key) => key,
            None => {
                let key = Arc::new(InstanceKey::load(dir)?);
                audit_key.get_or_init(|| key)
            }
        };
        Ok(AuditLog::new(self.clone(), Arc::clone(key), dir.audit_heads()?))
    }

    /// The stored secrets.
    ///
    /// # Errors
    /// When the master key cannot be read or made.
    pub fn vault(&self) -> Result<Vault, StoreError> {
        match self.instance.vault.get() {
            Some(keys) => Ok(Vault::new(self.clone(), Arc::clone(keys))),
            None => self.unlock(MasterKeys::default()),
        }
    }

    /// Names the master keys of the configuration, before the vault is first asked for. Later calls change nothing: master
    /// keys are read at start.
    ///
    /// # Errors
    /// When a key is none, or the data folder's cannot be read or made.
    pub fn unlock(&self, keys: MasterKeys) -> Result<Vault, StoreError> {
        let keys = Arc::new(VaultKeys::load(&self.instance.dir, keys)?);
        let keys = self.instance.vault.get_or_init(|| keys);
        Ok(Vault::new(self.clone(), Arc::clone(keys)))
    }

    /// Can the database be read? For readiness and `doctor`.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT value FROM keys_generation").fetch_one(&self.pool).await?;
        Ok(())
    }

    /// Checks the whole file. Slow on a large ledger; for `doctor`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn integrity(&self) -> Result<Vec<String>, StoreError> {
        let found: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(20)").fetch_all(&self.pool).await?;
        Ok(found.into_iter().filter(|line| line != "ok").collect())
    }

    /// Closes every connection, so that the last one folds the write-ahead log into the database.
    pub async fn close(&self) {
        self.ledger.close().await;
        self.behind.close().await;
        self.pool.close().await;
    }
}

/// Brings the tables to this version. Of processes that start at once, one may find another in the middle of a migration
/// and its own try undone; then that migration is done, so a try for each and one more are enough.
async fn migrate(pool: &SqlitePool) -> Result<(), StoreError> {
    for _ in MIGRATIONS.iter() {
        if MIGRATIONS.run(pool).await.is_ok() {
            return Ok(());
        }
    }
    Ok(MIGRATIONS.run(pool).await?)
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(BUSY)
        .foreign_keys(true)
        // 1 MiB of pages per connection is plenty for appends at the end of one table.
        .pragma("cache_size", "-1024")
        .statement_cache_capacity(32)
}

/// Counts and times are unsigned in Rust and signed in SQL.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The way back; a negative value can only come from a damaged row and reads as zero.
pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

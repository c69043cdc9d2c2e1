//! `objects`: what is declared through the admin API. Every change takes a number of its own, which is the object's
//! version and tells other processes that something changed.

use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::database::{signed, unsigned};
use crate::{Store, StoreError};

/// An object as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredObject {
    /// Whose it is.
    pub organisation: String,
    /// What it is: `providers`.
    pub kind: String,
    /// Its name, unique within its kind.
    pub name: String,
    /// Its body in the words of the configuration file, secrets masked.
    pub body: Value,
    /// Another one after every change.
    pub version: u64,
    /// Unix milliseconds.
    pub created_unix_ms: u64,
    /// Who made it.
    pub created_by: String,
    /// Unix milliseconds.
    pub changed_unix_ms: u64,
    /// Who changed it last.
    pub changed_by: String,
}

/// An object to store.
#[derive(Clone, Copy, Debug)]
pub struct PutObject<'a> {
    /// Whose it is.
    pub organisation: &'a str,
    /// What it is.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its body, secrets masked.
    pub body: &'a Value,
    /// The version it takes the place of; `None` for a new one.
    pub replaces: Option<u64>,
    /// Who says so.
    pub by: &'a str,
    /// Unix milliseconds.
    pub now_unix_ms: u64,
}

const COLUMNS: &str = "organisation, kind, name, body, version, created_ms, created_by, changed_ms, changed_by";

impl Store {
    /// Every object of every organisation, for the configuration as a whole.
    ///
    /// # Errors
    /// When the database fails or a row is damaged.
    pub async fn all_objects(&self) -> Result<Vec<StoredObject>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM objects ORDER BY kind, name"));
        sqlx::query(sql).fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    /// The objects of one kind and one organisation, by name.
    ///
    /// # Errors
    /// When the database fails or a row is damaged.
    pub async fn objects(&self, organisation: &str, kind: &str) -> Result<Vec<StoredObject>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM objects WHERE organisation = ? AND kind = ? ORDER BY name");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(organisation).bind(kind).fetch_all(&self.pool).await?;
        rows.iter().map(read).collect()
    }

    /// One object of one organisation.
    ///
    /// # Errors
    /// When the database fails or the row is damaged.
    pub async fn object(&self, organisation: &str, kind: &str, name: &str) -> Result<Option<StoredObject>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM objects WHERE organisation = ? AND kind = ? AND name = ?");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(organisation).bind(kind).bind(name);
        query.fetch_optional(&self.pool).await?.as_ref().map(read).transpose()
    }

    /// Stores an object in place of the version it was made from, and says its own. `None` if that version is not there
    /// any more: somebody else was faster.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if a new object's name is taken, by whichever organisation; or when the database fails.
    pub async fn put_object(&self, put: PutObject<'_>) -> Result<Option<u64>, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let version = next(&mut transaction).await?;
        let (body, now) = (put.body.to_string(), signed(put.now_unix_ms));
        let done = match put.replaces {
            None => sqlx::query(
                "INSERT INTO objects (version, body, changed_ms, changed_by, organisation, kind, name, created_ms, created_by)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?3, ?4)",
            ),
            Some(_) => sqlx::query(
                "UPDATE objects SET version = ?1, body = ?2, changed_ms = ?3, changed_by = ?4
                 WHERE organisation = ?5 AND kind = ?6 AND name = ?7 AND version = ?8",
            ),
        };
        let done = done.bind(version).bind(body).bind(now).bind(put.by);
        let done = done.bind(put.organisation).bind(put.kind).bind(put.name);
        let done = match put.replaces {
            None => done,
            Some(replaced) => done.bind(signed(replaced)),
        };
        match done.execute(&mut *transaction).await {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                return Err(StoreError::Exists { what: "an object with this name" });
            }
            Err(error) => return Err(error.into()),
            Ok(done) if done.rows_affected() == 0 => return Ok(None),
            Ok(_) => {}
        }
        transaction.commit().await?;
        Ok(Some(unsigned(version)))
    }

    /// Deletes a version of an object. `false` if it is not there any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_object(
        &self,
        organisation: &str,
        kind: &str,
        name: &str,
        version: u64,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        next(&mut transaction).await?;
        let sql = "DELETE FROM objects WHERE organisation = ? AND kind = ? AND name = ? AND version = ?";
        let done = sqlx::query(sql).bind(organisation).bind(kind).bind(name).bind(signed(version));
        if done.execute(&mut *transaction).await?.rows_affected() == 0 {
            return Ok(false);
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// A number that changes whenever an object does, by this process or another.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn objects_generation(&self) -> Result<u64, StoreError> {
        let value: i64 = sqlx::query_scalar("SELECT value FROM objects_generation").fetch_one(&self.pool).await?;
        Ok(unsigned(value))
    }
}

/// The next number, if the transaction commits.
async fn next(transaction: &mut sqlx::SqliteConnection) -> Result<i64, StoreError> {
    let sql = "UPDATE objects_generation SET value = value + 1 RETURNING value";
    Ok(sqlx::query_scalar(sql).fetch_one(transaction).await?)
}

fn read(row: &SqliteRow) -> Result<StoredObject, StoreError> {
    let unreadable = |_| StoreError::Row { table: "objects", what: "a body is not JSON" };
    Ok(StoredObject {
        organisation: row.try_get("organisation")?,
        kind: row.try_get("kind")?,
        name: row.try_get("name")?,
        body: serde_json::from_str(row.try_get("body")?).map_err(unreadable)?,
        version: unsigned(row.try_get("version")?),
        created_unix_ms: unsigned(row.try_get("created_ms")?),
        created_by: row.try_get("created_by")?,
        changed_unix_ms: unsigned(row.try_get("changed_ms")?),
        changed_by: row.try_get("changed_by")?,
    })
}

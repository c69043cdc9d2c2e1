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

/// One change.
#[derive(Clone, Copy, Debug)]
pub struct ObjectEdit<'a> {
    /// What it is.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its body, secrets masked; `None` deletes it.
    pub body: Option<&'a Value>,
    /// The version it takes the place of; `None` for a new one.
    pub replaces: Option<u64>,
}

const COLUMNS: &str = "organisation, kind, name, body, version, created_ms, created_by, changed_ms, changed_by";
const INSERT: &str = "INSERT INTO objects
    (organisation, kind, name, version, body, changed_ms, changed_by, created_ms, created_by)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, ?7)";
const UPDATE: &str = "UPDATE objects SET version = ?4, body = ?5, changed_ms = ?6, changed_by = ?7
    WHERE organisation = ?1 AND kind = ?2 AND name = ?3 AND version = ?8";
const DELETE: &str = "DELETE FROM objects WHERE organisation = ? AND kind = ? AND name = ? AND version = ?";

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

    /// Carries out all changes, or none: `false` if one of the versions is not there any more, because somebody else was
    /// faster.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if a new object's name is taken, by whichever organisation; or when the database fails.
    pub async fn change_objects(
        &self,
        organisation: &str,
        edits: &[ObjectEdit<'_>],
        by: &str,
        now_unix_ms: u64,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for edit in edits {
            let version = next(&mut transaction).await?;
            let done = match (edit.body, edit.replaces) {
                (None, _) => sqlx::query(DELETE).bind(organisation).bind(edit.kind).bind(edit.name),
                (Some(body), replaces) => {
                    let sql = if replaces.is_some() { UPDATE } else { INSERT };
                    let query = sqlx::query(sql).bind(organisation).bind(edit.kind).bind(edit.name);
                    query.bind(version).bind(body.to_string()).bind(signed(now_unix_ms)).bind(by)
                }
            };
            let done = match edit.replaces {
                Some(replaced) => done.bind(signed(replaced)),
                None => done,
            };
            match done.execute(&mut *transaction).await {
                Ok(done) if done.rows_affected() == 1 => {}
                Ok(_) => return Ok(false),
                Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                    return Err(StoreError::Exists { what: "an object with this name" });
                }
                Err(error) => return Err(error.into()),
            }
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

/// The next number, if the transaction commits: who watches hears of a change.
pub(crate) async fn next(transaction: &mut sqlx::SqliteConnection) -> Result<i64, StoreError> {
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

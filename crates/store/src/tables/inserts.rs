//! Inserting many rows: a few prepared statements of different sizes, so that any number of rows takes few of them. Each
//! statement is a message to SQLite's thread and back, which costs as much as several rows.

use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, Encode, Sqlite, SqliteConnection, Type};

use crate::StoreError;

/// Statements that insert so many rows each, largest first. A statement of more than 64 rows gains nothing: by then its
/// message is a hundredth of its cost, while SQLite's memory for it grows on.
const SIZES: [usize; 3] = [64, 8, 1];

/// One insert in several sizes.
pub(crate) struct Inserts {
    sizes: [(usize, String); SIZES.len()],
    /// Values bound to a row.
    places: usize,
}

impl Inserts {
    /// From what stands before the rows, one row's tuple, and what stands behind them: words of this crate only.
    pub(crate) fn new(head: &str, tuple: &str, tail: &str) -> Self {
        let sql = |rows| format!("{head} VALUES {} {tail}", vec![tuple; rows].join(", "));
        Self { sizes: SIZES.map(|rows| (rows, sql(rows))), places: tuple.matches('?').count() }
    }

    /// Inserts all rows, each bound by `bind`. Returns how many were not there yet.
    pub(crate) async fn run<R>(
        &'static self,
        connection: &mut SqliteConnection,
        rows: &[R],
        mut bind: impl FnMut(&mut Values, &R),
    ) -> Result<u64, StoreError> {
        let mut inserted = 0;
        let mut rest = rows;
        while let Some((size, sql)) = self.sizes.iter().find(|(size, _)| *size <= rest.len()) {
            let (chunk, later) = rest.split_at(*size);
            let mut values = Values::default();
            values.arguments.reserve(self.places * size, 0);
            for row in chunk {
                bind(&mut values, row);
            }
            let insert = sqlx::query_with(sql.as_str(), values.finish()?);
            inserted += insert.execute(&mut *connection).await?.rows_affected();
            rest = later;
        }
        Ok(inserted)
    }
}

/// What is bound to a statement, in the order of its question marks.
#[derive(Default)]
pub(crate) struct Values {
    arguments: SqliteArguments,
    failed: Option<sqlx::error::BoxDynError>,
}

impl Values {
    /// Adds one more.
    pub(crate) fn bind<'q>(&mut self, value: impl Encode<'q, Sqlite> + Type<Sqlite>) -> &mut Self {
        if let Err(error) = self.arguments.add(value) {
            self.failed = Some(error);
        }
        self
    }

    fn finish(self) -> Result<SqliteArguments, StoreError> {
        match self.failed {
            None => Ok(self.arguments),
            Some(error) => Err(sqlx::Error::Encode(error).into()),
        }
    }
}

-- A ledger row is never changed. What it cost by a later price list is a correction beside it: every one stays in the
-- history, and the latest is what reports count.
CREATE TABLE ledger_corrections (
    number       INTEGER NOT NULL PRIMARY KEY,
    attempt      BLOB    NOT NULL,
    made_ms      INTEGER NOT NULL,
    old_nano_usd INTEGER NOT NULL,
    new_nano_usd INTEGER NOT NULL
) STRICT;
CREATE TABLE ledger_corrected (
    attempt       BLOB    NOT NULL PRIMARY KEY,
    cost_nano_usd INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

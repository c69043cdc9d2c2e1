-- Every table of a first installation. Times are Unix milliseconds, money is nano-dollars.

-- Small values by name: the last good configuration, counters other processes watch.
CREATE TABLE meta (
    name       TEXT    NOT NULL PRIMARY KEY,
    value      BLOB    NOT NULL,
    changed_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Virtual keys. Only keyed hashes are stored. A rotated key keeps its id, and its old hash until old_until_ms.
CREATE TABLE keys (
    id           TEXT    NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL,
    shown        TEXT    NOT NULL,
    hash         BLOB    NOT NULL UNIQUE,
    old_hash     BLOB    UNIQUE,
    old_until_ms INTEGER,
    team         TEXT,
    models       TEXT    NOT NULL,
    limits       TEXT    NOT NULL,
    budgets      TEXT    NOT NULL,
    created_ms   INTEGER NOT NULL,
    expires_ms   INTEGER,
    revoked_ms   INTEGER,
    last_used_ms INTEGER
) STRICT, WITHOUT ROWID;

-- Grows with every change that a running gateway must notice. Being used is not one.
CREATE TABLE keys_generation (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    value    INTEGER NOT NULL
) STRICT;
INSERT INTO keys_generation VALUES (1, 0);
CREATE TRIGGER keys_inserted AFTER INSERT ON keys BEGIN UPDATE keys_generation SET value = value + 1; END;
CREATE TRIGGER keys_deleted AFTER DELETE ON keys BEGIN UPDATE keys_generation SET value = value + 1; END;
CREATE TRIGGER keys_changed
    AFTER UPDATE OF name, hash, old_hash, old_until_ms, team, models, limits, budgets, expires_ms, revoked_ms ON keys
    BEGIN UPDATE keys_generation SET value = value + 1; END;

-- What a ledger row is about. There are few of them, so that a row is a dozen integers. No team is the empty text.
CREATE TABLE ledger_subjects (
    id             INTEGER NOT NULL PRIMARY KEY,
    key            TEXT    NOT NULL,
    team           TEXT    NOT NULL,
    model          TEXT    NOT NULL,
    provider       TEXT    NOT NULL,
    upstream_model TEXT    NOT NULL,
    dialect        TEXT    NOT NULL,
    operation      TEXT    NOT NULL,
    stream         INTEGER NOT NULL,
    UNIQUE (key, team, model, provider, upstream_model, dialect, operation, stream)
) STRICT;

-- One row per upstream attempt. The id is a UUIDv7: rows are appended, and a time range is a key range.
-- subject has no REFERENCES: subjects are never deleted, and the check would cost a look-up per row.
-- input and output are totals; the columns after them are parts of them, rare parts are JSON in extra.
CREATE TABLE ledger (
    id             BLOB    NOT NULL PRIMARY KEY,
    subject        INTEGER NOT NULL,
    started_ms     INTEGER NOT NULL,
    status         INTEGER NOT NULL,
    http_status    INTEGER NOT NULL,
    flags          INTEGER NOT NULL, -- 1 estimated, 2 unpriced
    input          INTEGER NOT NULL,
    output         INTEGER NOT NULL,
    cache_read     INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    reasoning      INTEGER NOT NULL,
    extra          TEXT,
    cost_nano_usd  INTEGER NOT NULL,
    duration_us    INTEGER NOT NULL,
    first_byte_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Responses kept for their callers (OpenAI's store and previous_response_id).
CREATE TABLE responses (
    id            TEXT    NOT NULL PRIMARY KEY,
    key_id        TEXT    NOT NULL,
    created_ms    INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL,
    status        TEXT    NOT NULL,
    request_items BLOB    NOT NULL,
    output        BLOB    NOT NULL,
    body          BLOB    NOT NULL
) STRICT;
CREATE INDEX responses_by_expiry ON responses (expires_ms);

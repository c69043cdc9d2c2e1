-- The request log: one row per call, kept for a while. The id is a UUIDv7: rows are appended, a time range is a key range,
-- and the oldest are deleted from one end. Empty text stands for "none"; text of prompts and answers is never here.
CREATE TABLE requests (
    id             BLOB    NOT NULL PRIMARY KEY,
    started_ms     INTEGER NOT NULL,
    organisation   TEXT    NOT NULL,
    team           TEXT    NOT NULL,
    user           TEXT    NOT NULL,
    agent          TEXT    NOT NULL,
    key            TEXT    NOT NULL,
    dialect        TEXT    NOT NULL,
    operation      TEXT    NOT NULL,
    model          TEXT    NOT NULL,
    provider       TEXT    NOT NULL,
    upstream_model TEXT    NOT NULL,
    run            TEXT    NOT NULL,
    tags           TEXT    NOT NULL, -- env=prod,job=nightly
    stream         INTEGER NOT NULL,
    status         INTEGER NOT NULL,
    code           TEXT    NOT NULL,
    attempts       INTEGER NOT NULL,
    input          INTEGER NOT NULL,
    output         INTEGER NOT NULL,
    cost_nano_usd  INTEGER NOT NULL,
    duration_us    INTEGER NOT NULL,
    first_byte_us  INTEGER NOT NULL,
    overhead_us    INTEGER NOT NULL,
    guardrails     TEXT    NOT NULL, -- JSON list
    decision       TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_by_run ON requests (run, id) WHERE run <> '';

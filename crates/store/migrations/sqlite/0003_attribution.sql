-- Usage is also counted by organisation, person, agent, tags and run. Like teams, none is the empty text.
-- The uniqueness of a subject grows with its columns, which SQLite does only by copying the table.
CREATE TABLE ledger_subjects_new (
    id             INTEGER NOT NULL PRIMARY KEY,
    key            TEXT    NOT NULL,
    organisation   TEXT    NOT NULL,
    team           TEXT    NOT NULL,
    user           TEXT    NOT NULL,
    agent          TEXT    NOT NULL,
    tags           TEXT    NOT NULL,
    model          TEXT    NOT NULL,
    provider       TEXT    NOT NULL,
    upstream_model TEXT    NOT NULL,
    dialect        TEXT    NOT NULL,
    operation      TEXT    NOT NULL,
    stream         INTEGER NOT NULL,
    UNIQUE (key, organisation, team, user, agent, tags, model, provider, upstream_model, dialect, operation, stream)
) STRICT;
INSERT INTO ledger_subjects_new
    SELECT id, key, 'default', team, '', '', '', model, provider, upstream_model, dialect, operation, stream
    FROM ledger_subjects;
DROP TABLE ledger_subjects;
ALTER TABLE ledger_subjects_new RENAME TO ledger_subjects;

-- Runs are many, so a run stands in the row itself. Null for none.
ALTER TABLE ledger ADD COLUMN run TEXT;
CREATE INDEX ledger_by_run ON ledger (run) WHERE run IS NOT NULL;

-- Secrets under envelope encryption: sealed holds the header, the record's own key wrapped by the master key named in
-- master, and the ciphertext. last4 is empty where four characters would say too much.
CREATE TABLE secrets (
    id           TEXT    NOT NULL PRIMARY KEY,
    organisation TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    sealed       BLOB    NOT NULL,
    master       TEXT    NOT NULL,
    fingerprint  TEXT    NOT NULL,
    last4        TEXT    NOT NULL,
    created_ms   INTEGER NOT NULL,
    changed_ms   INTEGER NOT NULL,
    UNIQUE (organisation, kind, name)
) STRICT, WITHOUT ROWID;

-- The audit log: one chain per organisation. The event is canonical JSON (RFC 8785) and names its own organisation and
-- number; the hash covers the hash before it and the event. Nothing else of a row is believed, so nothing else is stored.
CREATE TABLE audit (
    id           INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    organisation TEXT    NOT NULL,
    seq          INTEGER NOT NULL,
    event        TEXT    NOT NULL,
    hash         BLOB    NOT NULL,
    UNIQUE (organisation, seq)
) STRICT;

-- Signed statements about a chain: "entry seq has this hash". number counts them, so that a missing one is missed.
CREATE TABLE audit_checkpoints (
    organisation TEXT    NOT NULL,
    number       INTEGER NOT NULL,
    statement    TEXT    NOT NULL,
    PRIMARY KEY (organisation, number)
) STRICT, WITHOUT ROWID;

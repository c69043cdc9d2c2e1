-- What is declared through the admin API: bodies as JSON in the words of the configuration file, secrets masked.
-- Names are one name space for all organisations, because clients name models without saying whose.
CREATE TABLE objects (
    kind         TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    organisation TEXT    NOT NULL,
    body         TEXT    NOT NULL,
    version      INTEGER NOT NULL, -- of objects_generation; never used twice
    created_ms   INTEGER NOT NULL,
    created_by   TEXT    NOT NULL,
    changed_ms   INTEGER NOT NULL,
    changed_by   TEXT    NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX objects_of_organisation ON objects (organisation, kind, name);

-- Grows with every change: other processes look at it.
CREATE TABLE objects_generation (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    value    INTEGER NOT NULL
) STRICT;
INSERT INTO objects_generation VALUES (1, 0);

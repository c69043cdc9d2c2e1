-- The authorization server. Whatever a client or browser holds is stored as its keyed hash.

-- Clients that registered themselves, and clients known by a document that were used. A revoked row keeps its id refused.
CREATE TABLE oauth_clients (
    id           TEXT    NOT NULL PRIMARY KEY,
    kind         TEXT    NOT NULL, -- registered, document
    metadata     TEXT    NOT NULL, -- JSON in the words of RFC 7591
    secret       BLOB,             -- keyed hash
    created_ms   INTEGER NOT NULL,
    created_from TEXT,             -- address
    used_ms      INTEGER,          -- NULL: never
    revoked_ms   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX oauth_clients_by_age ON oauth_clients (created_ms);

-- What is good once or for a short while: requests that wait for a person, codes, browser sessions, ids of assertions.
CREATE TABLE oauth_tickets (
    hash       BLOB    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    expires_ms INTEGER NOT NULL,
    used_ms    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX oauth_tickets_by_end ON oauth_tickets (expires_ms);

-- What somebody let a client do, and what clients were given for themselves.
CREATE TABLE oauth_grants (
    id           TEXT    NOT NULL PRIMARY KEY,
    kind         TEXT    NOT NULL, -- the grant type
    client_id    TEXT    NOT NULL,
    client_name  TEXT    NOT NULL,
    subject_id   TEXT    NOT NULL,
    subject      TEXT    NOT NULL, -- JSON
    organisation TEXT    NOT NULL,
    resource     TEXT    NOT NULL,
    scopes       TEXT    NOT NULL,
    created_ms   INTEGER NOT NULL,
    used_ms      INTEGER NOT NULL,
    expires_ms   INTEGER NOT NULL,
    revoked_ms   INTEGER,
    revoked_by   TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX oauth_grants_by_subject ON oauth_grants (subject_id, client_id, resource);
CREATE INDEX oauth_grants_by_client ON oauth_grants (client_id);
CREATE INDEX oauth_grants_by_revocation ON oauth_grants (revoked_ms) WHERE revoked_ms IS NOT NULL;

-- Refresh tokens of a grant, each with the one it came after.
CREATE TABLE oauth_refresh_tokens (
    hash       BLOB NOT NULL PRIMARY KEY,
    grant_id   TEXT NOT NULL REFERENCES oauth_grants (id) ON DELETE CASCADE,
    parent     BLOB,
    used_ms    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX oauth_refresh_tokens_of_grant ON oauth_refresh_tokens (grant_id);
CREATE INDEX oauth_refresh_tokens_after ON oauth_refresh_tokens (parent) WHERE parent IS NOT NULL;

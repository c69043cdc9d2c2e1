-- Every version of what MCP servers offered, and what became of it.
CREATE TABLE mcp_pins (
    server     TEXT    NOT NULL,
    kind       TEXT    NOT NULL, -- tool, prompt, template, instructions
    name       TEXT    NOT NULL, -- on its server; empty for instructions
    hash       TEXT    NOT NULL, -- SHA-256 of the canonical form
    state      TEXT    NOT NULL, -- approved, pending, held
    document   TEXT    NOT NULL, -- as the server wrote it
    seen_ms    INTEGER NOT NULL,
    decided_ms INTEGER,          -- when somebody decided; NULL while it is the policy's word
    decided_by TEXT,
    PRIMARY KEY (server, kind, name, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX mcp_pins_by_state ON mcp_pins (state, server);

-- The names clients know: given once, kept.
CREATE TABLE mcp_names (
    kind     TEXT    NOT NULL, -- tool, prompt
    server   TEXT    NOT NULL,
    real     TEXT    NOT NULL, -- what the server calls it
    exposed  TEXT    NOT NULL,
    given_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, server, real),
    UNIQUE (kind, exposed)
) STRICT, WITHOUT ROWID;

-- The lists of each server when they were last complete, so that a start offers them before the server has answered.
CREATE TABLE mcp_lists (
    server     TEXT    NOT NULL PRIMARY KEY,
    source     TEXT    NOT NULL, -- what they were fetched from: another place, other lists
    body       TEXT    NOT NULL,
    fetched_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Results that were too long to go to a client whole.
CREATE TABLE mcp_results (
    id         TEXT    NOT NULL PRIMARY KEY,
    principal  TEXT    NOT NULL, -- nobody else reads it
    mime       TEXT    NOT NULL,
    body       BLOB    NOT NULL,
    kept_ms    INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX mcp_results_by_expiry ON mcp_results (expires_ms);

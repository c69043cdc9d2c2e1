-- On whose behalf an MCP server may be used, with tokens an OAuth issuer gave for it. The tokens are in secrets (kind mcp_token),
-- under the name in tokens: a new pair is there before its row says so, and the old one goes afterwards. Whoever refreshes holds
-- the row until refresher_until_ms.
CREATE TABLE mcp_connections (
    id                 TEXT    NOT NULL PRIMARY KEY,
    organisation       TEXT    NOT NULL,
    server             TEXT    NOT NULL,
    owner              TEXT    NOT NULL,
    issuer             TEXT    NOT NULL,
    resource           TEXT    NOT NULL,
    scopes             TEXT    NOT NULL,
    state              TEXT    NOT NULL CHECK (state IN ('connected', 'needs_consent')),
    reason             TEXT    NOT NULL,
    generation         INTEGER NOT NULL,
    tokens             TEXT    NOT NULL,
    expires_ms         INTEGER,
    refreshable        INTEGER NOT NULL,
    refresher          TEXT    NOT NULL DEFAULT '',
    refresher_until_ms INTEGER NOT NULL DEFAULT 0,
    created_ms         INTEGER NOT NULL,
    changed_ms         INTEGER NOT NULL,
    UNIQUE (organisation, server, owner)
) STRICT, WITHOUT ROWID;

-- Whom a key belongs to, and what else narrows it. Lists are JSON; owners are null where there is none. Keys from before
-- belong to their team, or to nobody.
ALTER TABLE keys ADD COLUMN organisation    TEXT;
ALTER TABLE keys ADD COLUMN user            TEXT;
ALTER TABLE keys ADD COLUMN service_account TEXT;
ALTER TABLE keys ADD COLUMN agent           TEXT;
ALTER TABLE keys ADD COLUMN ip_ranges       TEXT NOT NULL DEFAULT '[]';
ALTER TABLE keys ADD COLUMN tags            TEXT;
ALTER TABLE keys ADD COLUMN role            TEXT;
ALTER TABLE keys ADD COLUMN mcp_servers     TEXT NOT NULL DEFAULT '[]';
ALTER TABLE keys ADD COLUMN toolsets        TEXT NOT NULL DEFAULT '[]';
ALTER TABLE keys ADD COLUMN agents          TEXT NOT NULL DEFAULT '[]';

DROP TRIGGER keys_changed;
CREATE TRIGGER keys_changed
    AFTER UPDATE OF name, hash, old_hash, old_until_ms, team, models, limits, budgets, expires_ms, revoked_ms, organisation,
                    user, service_account, agent, ip_ranges, tags, role, mcp_servers, toolsets, agents ON keys
    BEGIN UPDATE keys_generation SET value = value + 1; END;

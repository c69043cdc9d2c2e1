-- The request log again, in two tables: what repeats from call to call gets a number once a day (UTC), and a call's row is
-- that number and what is the call's own. What callers choose freely stands in the row, so that subjects stay few; a day's
-- subjects are deleted once its calls are. Empty text stands for "none" in subjects, null in rows.
CREATE TABLE request_subjects (
    number         INTEGER NOT NULL PRIMARY KEY,
    day            INTEGER NOT NULL, -- since 1970
    organisation   TEXT    NOT NULL,
    team           TEXT    NOT NULL,
    user           TEXT    NOT NULL,
    agent          TEXT    NOT NULL,
    key            TEXT    NOT NULL,
    tags           TEXT    NOT NULL, -- the key's
    dialect        TEXT    NOT NULL,
    operation      TEXT    NOT NULL,
    model          TEXT    NOT NULL, -- empty if nobody was asked: then it stands in the row
    provider       TEXT    NOT NULL,
    upstream_model TEXT    NOT NULL,
    stream         INTEGER NOT NULL,
    status         INTEGER NOT NULL,
    code           TEXT    NOT NULL,
    attempts       INTEGER NOT NULL,
    guardrails     TEXT    NOT NULL, -- JSON list of those that found nothing; what they found stands in the row
    decision       TEXT    NOT NULL,
    UNIQUE (day, key, model, provider, upstream_model, status, code, organisation, team, user, agent, tags, dialect,
            operation, stream, attempts, guardrails, decision)
) STRICT;

-- The id is a UUIDv7: rows are appended, a time range is a key range, and the oldest are deleted from one end.
CREATE TABLE requests_new (
    id            BLOB    NOT NULL PRIMARY KEY,
    subject       INTEGER NOT NULL,
    started_ms    INTEGER NOT NULL,
    input         INTEGER NOT NULL,
    output        INTEGER NOT NULL,
    cost_nano_usd INTEGER NOT NULL,
    duration_us   INTEGER NOT NULL,
    first_byte_us INTEGER NOT NULL,
    overhead_us   INTEGER NOT NULL,
    run           TEXT,
    tags          TEXT, -- env=prod,job=nightly; null: the key's
    model         TEXT, -- null: the subject's
    guardrails    TEXT  -- JSON list; null: the subject's
) STRICT, WITHOUT ROWID;

-- Of calls from before nobody knows which tags were the key's: they all count as its own.
INSERT INTO request_subjects (day, organisation, team, user, agent, key, tags, dialect, operation, model, provider,
        upstream_model, stream, status, code, attempts, guardrails, decision)
    SELECT DISTINCT started_ms / 86400000, organisation, team, user, agent, key, tags, dialect, operation,
        iif(attempts = 0, '', model), provider, upstream_model, stream, status, code, attempts, '[]', decision
    FROM requests;
INSERT INTO requests_new
    SELECT r.id, s.number, r.started_ms, r.input, r.output, r.cost_nano_usd, r.duration_us, r.first_byte_us,
        r.overhead_us, nullif(r.run, ''), NULL, iif(r.attempts = 0, r.model, NULL), nullif(r.guardrails, '[]')
    FROM requests r JOIN request_subjects s
        ON s.day = r.started_ms / 86400000 AND s.key = r.key AND s.model = iif(r.attempts = 0, '', r.model)
        AND s.provider = r.provider AND s.upstream_model = r.upstream_model AND s.status = r.status AND s.code = r.code
        AND s.organisation = r.organisation AND s.team = r.team AND s.user = r.user AND s.agent = r.agent
        AND s.tags = r.tags AND s.dialect = r.dialect AND s.operation = r.operation AND s.stream = r.stream
        AND s.attempts = r.attempts AND s.guardrails = '[]' AND s.decision = r.decision
    ORDER BY r.id;
DROP TABLE requests;
ALTER TABLE requests_new RENAME TO requests;
CREATE INDEX requests_by_run ON requests (run) WHERE run IS NOT NULL;

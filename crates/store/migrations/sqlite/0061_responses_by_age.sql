-- Responses are all kept for the same time, so they expire in the order in which they were first stored, which is that of
-- their rows: an index of when costs every response its writing and tells nothing more.
DROP INDEX responses_by_expiry;

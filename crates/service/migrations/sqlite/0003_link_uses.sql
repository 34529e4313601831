-- Links that work once and were used; each until it would have expired anyway.
CREATE TABLE link_uses (
    id         TEXT PRIMARY KEY NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX link_uses_by_expiry ON link_uses (expires_at);

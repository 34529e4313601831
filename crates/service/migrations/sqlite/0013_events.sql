-- Events that receivers have not got yet, with the body of their request. The last delivery of an
-- event deletes it.
CREATE TABLE events (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    id   TEXT    NOT NULL UNIQUE,
    at   INTEGER NOT NULL,
    body TEXT    NOT NULL
) STRICT;
-- `target` is the SHA-256 of the URL, which may be a secret of the receiver.
CREATE TABLE deliveries (
    target   BLOB    NOT NULL CHECK (length(target) = 32),
    event    INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,
    attempts INTEGER NOT NULL,
    due_at   INTEGER NOT NULL,
    PRIMARY KEY (target, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_by_due ON deliveries (target, due_at, event);
CREATE INDEX deliveries_by_event ON deliveries (event);
-- Up to which end of life keys were announced, for each number of days before it.
CREATE TABLE announced (
    days       INTEGER PRIMARY KEY,
    expires_at INTEGER NOT NULL,
    number     INTEGER NOT NULL
) STRICT;
CREATE INDEX keys_by_end ON keys (expires_at) WHERE revoked_at IS NULL AND expires_at IS NOT NULL;

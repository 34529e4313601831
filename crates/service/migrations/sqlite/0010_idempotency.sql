-- Creations that are not repeated. `slot` is a hash of the caller and its Idempotency-Key, `body` a
-- hash of what was asked for.
CREATE TABLE idempotency (
    slot   BLOB    NOT NULL PRIMARY KEY CHECK (length(slot) = 32),
    body   BLOB    NOT NULL CHECK (length(body) = 32),
    key_id TEXT    NOT NULL,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (at);

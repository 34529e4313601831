-- Times are milliseconds since 1970-01-01T00:00:00Z; scopes and allowed_ips are JSON arrays.
-- The raw key is nowhere: `hash` is its HMAC-SHA256 under the pepper, `start` its public part.
CREATE TABLE keys (
    number         INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT    NOT NULL UNIQUE,
    hash           BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    start          TEXT    NOT NULL,
    account        TEXT    NOT NULL,
    name           TEXT,
    scopes         TEXT    NOT NULL,
    metadata       TEXT    NOT NULL,
    allowed_ips    TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER,
    revoked_at     INTEGER,
    revoked_reason TEXT
) STRICT;

CREATE INDEX keys_by_account ON keys (account, number);

-- The change feed. AUTOINCREMENT never hands a number out twice, not even after a delete.
CREATE TABLE changes (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB    NOT NULL,
    at   INTEGER NOT NULL
) STRICT;

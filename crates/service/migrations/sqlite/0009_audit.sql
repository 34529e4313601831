-- What was done, by whom: one row for each key or token that a call changed, in the transaction of
-- the change. `digest` is the SHA-256 of the digest before and of the row as JSON.
CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    target     TEXT,
    account    TEXT,
    detail     TEXT,
    request_id TEXT,
    digest     BLOB    NOT NULL CHECK (length(digest) = 32)
) STRICT;
-- The digest of the last row that was deleted, after which the chain goes on.
CREATE TABLE audit_start (
    number INTEGER PRIMARY KEY CHECK (number = 1),
    digest BLOB    NOT NULL CHECK (length(digest) = 32)
) STRICT;

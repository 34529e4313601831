-- Up to where keys were announced that no client uses: those that were never used by their number, and
-- the others by their last use.
CREATE TABLE unused (
    only         INTEGER PRIMARY KEY CHECK (only = 1),
    never        INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    number       INTEGER NOT NULL
) STRICT;
CREATE INDEX key_uses_by_time ON key_uses (last_used_at, number);

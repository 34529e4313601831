-- Up to where keys were announced that no client uses: those that were never used by their number, and
-- the others by rounds over all of them. A round announces the last uses after `since` up to `until`,
-- and has come to `number`; between two rounds, `since` is `until`.
CREATE TABLE unused (
    only   INTEGER PRIMARY KEY CHECK (only = 1),
    never  INTEGER NOT NULL,
    since  INTEGER NOT NULL,
    until  INTEGER NOT NULL,
    number INTEGER NOT NULL
) STRICT;

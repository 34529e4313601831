-- When a key was last used, by its number in `keys`. Not a column of `keys`, whose rows and indexes
-- would be written again with each use.
CREATE TABLE key_uses (
    number       INTEGER PRIMARY KEY REFERENCES keys (number) ON DELETE CASCADE,
    last_used_at INTEGER NOT NULL
) STRICT;
-- How often it was used on a day, counted from 1970-01-01. Days come first: old ones are deleted.
CREATE TABLE key_days (
    day      INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    allowed  INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    PRIMARY KEY (day, number)
) STRICT, WITHOUT ROWID;

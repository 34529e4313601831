-- The lives of this database, one for each time that a service opened it, and the epoch at
-- which each began. A backup that is restored lives on from the epoch of the backup: whoever
-- was told more by the life that was lost finds here that it is not in the history.
CREATE TABLE incarnations (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id     BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    began  INTEGER NOT NULL
) STRICT;

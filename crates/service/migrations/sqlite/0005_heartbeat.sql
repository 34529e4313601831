-- One row, written to see whether the database can be: a disk may be full, or readable only.
CREATE TABLE heartbeat (
    number INTEGER PRIMARY KEY CHECK (number = 1),
    at     INTEGER NOT NULL
) STRICT;

-- When ended keys were looked for last, and since when that happens about every hour.
CREATE TABLE retention (
    only  INTEGER PRIMARY KEY CHECK (only = 1),
    last  INTEGER NOT NULL,
    since INTEGER NOT NULL
) STRICT;
CREATE INDEX keys_revoked ON keys (revoked_at) WHERE revoked_at IS NOT NULL;

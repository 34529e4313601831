-- The space of a key, a name for an environment or a project, which never changes.
ALTER TABLE keys ADD COLUMN space TEXT NOT NULL DEFAULT 'default';
CREATE INDEX keys_by_space ON keys (space, number);
-- That of the key that changed: an edge that is bound to a space is told of no others.
ALTER TABLE changes ADD COLUMN space TEXT NOT NULL DEFAULT 'default';
-- That of the key or token that an entry is about; NULL if it is about neither, or the token sees all.
ALTER TABLE audit ADD COLUMN space TEXT;
-- The space that a token is bound to; NULL for one that sees all.
ALTER TABLE tokens ADD COLUMN space TEXT;

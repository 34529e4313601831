-- The id of the master secret under which a key is hashed: that in the text of a native key, and for an
-- imported key that of its import. NULL for keys that were imported before this was noted.
ALTER TABLE keys ADD COLUMN secret_id TEXT;
UPDATE keys SET secret_id = substr(start, instr(start, '_') + 1, 2) WHERE start <> '';

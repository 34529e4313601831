-- The id of the key by which this one was asked for; NULL when an admin or a session asked.
ALTER TABLE keys ADD COLUMN created_by TEXT;
CREATE INDEX keys_by_creator ON keys (created_by) WHERE created_by IS NOT NULL;

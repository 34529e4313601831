-- A key can be changed, disabled and replaced. `version` counts its states, from 1.
ALTER TABLE keys ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE keys ADD COLUMN updated_at INTEGER;
-- 'admin' or 'account'; NULL while the key is not disabled.
ALTER TABLE keys ADD COLUMN disabled_by TEXT;
-- The ids of the key that this one replaces, and of the one that replaces it.
ALTER TABLE keys ADD COLUMN replaces TEXT;
ALTER TABLE keys ADD COLUMN replaced_by TEXT;
CREATE INDEX keys_by_successor ON keys (replaced_by) WHERE replaced_by IS NOT NULL;
-- A reason is one of a few words now. What was written so far is a note.
ALTER TABLE keys ADD COLUMN revoked_note TEXT;
UPDATE keys SET revoked_note = revoked_reason, revoked_reason = NULL
    WHERE revoked_reason IS NOT NULL;

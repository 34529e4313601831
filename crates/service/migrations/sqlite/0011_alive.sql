-- The keys of an account that are neither revoked nor expired, so that they can be counted.
CREATE INDEX keys_alive ON keys (account, coalesce(expires_at, 9223372036854775807))
    WHERE revoked_at IS NULL;

-- A JSON array of patterns; empty means from any page, and from none.
ALTER TABLE keys ADD COLUMN allowed_referrers TEXT NOT NULL DEFAULT '[]';

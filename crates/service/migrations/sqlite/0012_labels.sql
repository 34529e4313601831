-- A JSON array of texts of the form name=value.
ALTER TABLE keys ADD COLUMN labels TEXT NOT NULL DEFAULT '[]';

-- Data that only the text of the key opens, as ks1.…; the last column, so that lists do not read it.
ALTER TABLE keys ADD COLUMN sealed TEXT;

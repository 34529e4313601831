-- Requests and a span of time, such as 100/1m. Nothing means that there is no limit.
ALTER TABLE keys ADD COLUMN rate_limit TEXT;

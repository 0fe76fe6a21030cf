-- A key that is rolled: which key came after it and when, and the expiry that it had before. `ends_key` stands in the new
-- key: its first use ends that one.
ALTER TABLE api_keys ADD COLUMN replaces BLOB;
ALTER TABLE api_keys ADD COLUMN replaced_by BLOB;
ALTER TABLE api_keys ADD COLUMN rolled_at INTEGER;
ALTER TABLE api_keys ADD COLUMN expires_before_roll INTEGER;
ALTER TABLE api_keys ADD COLUMN ends_key BLOB;
CREATE INDEX api_keys_by_creating_key ON api_keys (created_by_key) WHERE created_by_key IS NOT NULL;

-- A key that is rolled: which key came after it and when, and the expiry that it had before. `ends_key` stands in the new
-- key: its first use ends that one.
ALTER TABLE api_keys ADD COLUMN replaces UUID;
ALTER TABLE api_keys ADD COLUMN replaced_by UUID;
ALTER TABLE api_keys ADD COLUMN rolled_at BIGINT;
ALTER TABLE api_keys ADD COLUMN expires_before_roll BIGINT;
ALTER TABLE api_keys ADD COLUMN ends_key UUID;
CREATE INDEX api_keys_by_creating_key ON api_keys (created_by_key) WHERE created_by_key IS NOT NULL;

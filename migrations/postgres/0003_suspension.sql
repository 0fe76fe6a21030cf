-- Who suspended a key, to show and to decide who may let it work again. A suspended account suspends all its keys.
ALTER TABLE api_keys ADD COLUMN suspended_by TEXT;
ALTER TABLE api_keys ADD COLUMN suspended_by_id UUID;
ALTER TABLE service_accounts ADD COLUMN suspended_at BIGINT;
ALTER TABLE service_accounts ADD COLUMN suspended_by TEXT;

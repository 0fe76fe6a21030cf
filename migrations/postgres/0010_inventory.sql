-- A tenant's policies: a row for each that is on.
CREATE TABLE tenant_policies (
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    policy TEXT NOT NULL,
    days BIGINT,
    holds_from BIGINT NOT NULL,
    set_at BIGINT NOT NULL,
    set_by TEXT NOT NULL,
    PRIMARY KEY (tenant_id, policy)
);

-- Where a key is in its life, as a number that lists are indexed by: 0 good, 1 suspended (by itself or with its account),
-- 2 revoked, 3 over by time. A key that is over by time keeps its number until the service next looks, within a second; every
-- statement that asks for the state asks for the time too.
ALTER TABLE api_keys ADD COLUMN standing BIGINT NOT NULL DEFAULT 0;
-- Since when its owner, or the person who made it, doesn't belong to the tenant any more.
ALTER TABLE api_keys ADD COLUMN orphaned_at BIGINT;
-- When it was last let work again: from then on it counts as unused anew.
ALTER TABLE api_keys ADD COLUMN resumed_at BIGINT;
UPDATE api_keys SET standing = CASE WHEN revoked_at IS NOT NULL THEN 2
    WHEN suspended_at IS NOT NULL OR EXISTS (SELECT 1 FROM service_accounts s WHERE s.id = service_account_id AND s.suspended_at IS NOT NULL) THEN 1
    ELSE 0 END;

-- To the millisecond, as their ids (UUID v7) hold it: ids are in the order of making.
UPDATE api_keys SET created_at = created_at - created_at % 1000;
DROP INDEX api_keys_user_created;
DROP INDEX api_keys_user_name;
DROP INDEX api_keys_user_expires;
DROP INDEX api_keys_user_used;
DROP INDEX api_keys_account_created;
DROP INDEX api_keys_account_name;
DROP INDEX api_keys_account_expires;
DROP INDEX api_keys_account_used;
DROP INDEX api_keys_by_tenant;
DROP INDEX api_keys_by_expiry;
CREATE INDEX api_keys_user_created ON api_keys (user_id, standing, created_at, id);
CREATE INDEX api_keys_user_name ON api_keys (user_id, standing, name_folded, id);
CREATE INDEX api_keys_user_expires ON api_keys (user_id, standing, COALESCE(expires_at, 9223372036854775807), id);
CREATE INDEX api_keys_user_used ON api_keys (user_id, standing, COALESCE(last_used_at, 0), id);
CREATE INDEX api_keys_account_created ON api_keys (service_account_id, standing, created_at, id);
CREATE INDEX api_keys_account_name ON api_keys (service_account_id, standing, name_folded, id);
CREATE INDEX api_keys_account_expires ON api_keys (service_account_id, standing, COALESCE(expires_at, 9223372036854775807), id);
CREATE INDEX api_keys_account_used ON api_keys (service_account_id, standing, COALESCE(last_used_at, 0), id);
-- The end stands in these too, so that a walk along them needn't look at the rows to know which are over.
CREATE INDEX api_keys_tenant_created ON api_keys (tenant_id, standing, created_at, id, expires_at);
CREATE INDEX api_keys_tenant_name ON api_keys (tenant_id, standing, name_folded, id, expires_at);
CREATE INDEX api_keys_tenant_expires ON api_keys (tenant_id, standing, COALESCE(expires_at, 9223372036854775807), id);
CREATE INDEX api_keys_tenant_used ON api_keys (tenant_id, standing, COALESCE(last_used_at, 0), id, expires_at, created_at);
-- What a search has to know of each key that it finds, beside one another.
CREATE INDEX api_keys_found ON api_keys (id, tenant_id, standing, created_at, name_folded, expires_at);
CREATE INDEX api_keys_by_expiry ON api_keys (expires_at) WHERE expires_at IS NOT NULL AND standing < 2;
CREATE INDEX api_keys_by_hint ON api_keys (tenant_id, hint);
CREATE INDEX api_keys_orphaned ON api_keys (tenant_id, standing, orphaned_at) WHERE orphaned_at IS NOT NULL;
CREATE INDEX api_keys_by_creator ON api_keys (tenant_id, created_by_id);
CREATE INDEX api_keys_rolled ON api_keys (tenant_id, last_refused_at) WHERE replaced_by IS NOT NULL;

DROP INDEX service_accounts_by_name;
DROP INDEX service_accounts_by_created;
CREATE INDEX service_accounts_by_name ON service_accounts (tenant_id, name_folded, id);
CREATE INDEX service_accounts_by_created ON service_accounts (tenant_id, created_at, id);
CREATE INDEX service_accounts_living_by_name ON service_accounts (tenant_id, name_folded, id) WHERE deleted_at IS NULL;
CREATE INDEX service_accounts_living_by_created ON service_accounts (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX service_accounts_deleted_by_name ON service_accounts (tenant_id, name_folded, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX service_accounts_deleted_by_created ON service_accounts (tenant_id, created_at, id) WHERE deleted_at IS NOT NULL;

-- Search: every end of every word of a name, folded, so that a part of a word is the beginning of a term.
CREATE TABLE name_terms (
    tenant_id UUID NOT NULL,
    kind TEXT NOT NULL,
    term TEXT COLLATE "C" NOT NULL,
    subject_id UUID NOT NULL,
    -- The whole name, for lists that are sorted by it.
    name_folded TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, kind, term, subject_id) INCLUDE (name_folded)
);
-- For policies: how long a key lives, and whose it is.
CREATE INDEX api_keys_tenant_lifetime ON api_keys (tenant_id, standing, (COALESCE(expires_at, 9223372036854775807) - created_at));
CREATE INDEX api_keys_tenant_users ON api_keys (tenant_id, standing, user_id) WHERE user_id IS NOT NULL;

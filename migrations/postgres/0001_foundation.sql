-- Times are microseconds since 1970-01-01 UTC, from the service's clock. Text that is sorted compares by code point, as on SQLite.
CREATE TABLE tenants (
    id UUID NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    slug TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE users (
    id UUID NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- `revision` grows with every write that leans on the row, so that such writes wait for each other.
CREATE TABLE memberships (
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    user_id UUID NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('TENANT_ADMIN', 'USER', 'READ_ONLY_USER')),
    created_at BIGINT NOT NULL,
    revision BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, tenant_id)
);
CREATE INDEX memberships_by_tenant ON memberships (tenant_id);

CREATE TABLE service_accounts (
    id UUID NOT NULL PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    name_folded TEXT COLLATE "C" NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('TENANT_ADMIN', 'USER', 'READ_ONLY_USER')),
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    deleted_at BIGINT,
    deleted_by TEXT,
    idempotency_key UUID,
    revision BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX service_accounts_living_name ON service_accounts (tenant_id, name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX service_accounts_idempotency ON service_accounts (tenant_id, idempotency_key);
CREATE INDEX service_accounts_by_name ON service_accounts (tenant_id, name_folded, id);
CREATE INDEX service_accounts_by_created ON service_accounts (tenant_id, created_at, id);

CREATE TABLE api_keys (
    id UUID NOT NULL PRIMARY KEY,
    digest BYTEA NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    user_id UUID REFERENCES users (id),
    service_account_id UUID REFERENCES service_accounts (id),
    name TEXT NOT NULL,
    name_folded TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    created_by_id UUID NOT NULL,
    created_by_key UUID,
    created_channel TEXT NOT NULL,
    expires_at BIGINT,
    suspended_at BIGINT,
    revoked_at BIGINT,
    revoked_by TEXT,
    revoke_reason TEXT,
    last_used_at BIGINT,
    last_used_address TEXT,
    last_used_agent TEXT,
    idempotency_key UUID,
    CHECK ((user_id IS NULL) <> (service_account_id IS NULL))
);
CREATE UNIQUE INDEX api_keys_user_idempotency ON api_keys (user_id, idempotency_key);
CREATE UNIQUE INDEX api_keys_account_idempotency ON api_keys (service_account_id, idempotency_key);
CREATE INDEX api_keys_user_created ON api_keys (user_id, created_at, id);
CREATE INDEX api_keys_user_name ON api_keys (user_id, name_folded, id);
CREATE INDEX api_keys_user_expires ON api_keys (user_id, COALESCE(expires_at, 9223372036854775807), id);
CREATE INDEX api_keys_user_used ON api_keys (user_id, COALESCE(last_used_at, 0), id);
CREATE INDEX api_keys_account_created ON api_keys (service_account_id, created_at, id);
CREATE INDEX api_keys_account_name ON api_keys (service_account_id, name_folded, id);
CREATE INDEX api_keys_account_expires ON api_keys (service_account_id, COALESCE(expires_at, 9223372036854775807), id);
CREATE INDEX api_keys_account_used ON api_keys (service_account_id, COALESCE(last_used_at, 0), id);
CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, created_at, id);

CREATE TABLE sessions (
    digest BYTEA NOT NULL PRIMARY KEY,
    user_id UUID REFERENCES users (id),
    data TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE audit_log (
    id UUID NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    tenant_id UUID,
    operation TEXT NOT NULL,
    result TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id UUID,
    actor_name TEXT NOT NULL,
    channel TEXT NOT NULL,
    key_id UUID,
    address TEXT,
    user_agent TEXT,
    subject_kind TEXT NOT NULL,
    subject_id UUID,
    subject_name TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX audit_log_by_tenant ON audit_log (tenant_id, id);
